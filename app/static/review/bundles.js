// What the player needs of an episode, fetched once: its review and its videos, the first frame decoded.
//
// The next episodes are fetched while the present one plays, so going on is instant. A few are kept,
// the rest is let go.

import { get, query } from "../training/api.js";
import { Film } from "./film.js";

const KEPT = 5;

export class Bundles {
  #critics;
  #kept = new Map();

  // `critics()` gives the checkpoints whose curves are wanted, none for the newest that scored.
  constructor({ critics }) {
    this.#critics = critics;
  }

  // {id, review: promise, films}; the films are there as soon as `cameras` is known.
  open(id, cameras) {
    const bundle = this.#kept.get(id) ?? { id, films: null, review: null, critics: "" };
    // The newest asked for is the last to go.
    this.#kept.delete(id);
    this.#kept.set(id, bundle);
    // Pictures are asked for first: they are what a person waits for.
    if (cameras) bundle.films ??= cameras.map((camera) => new Film(id, camera));
    const critics = this.#critics();
    if (bundle.review === null || bundle.critics !== critics.join()) {
      bundle.critics = critics.join();
      bundle.review = this.#ask(bundle, critics);
    }
    while (this.#kept.size > KEPT) this.#drop(this.#kept.keys().next().value);
    return bundle;
  }

  // Its labels changed: the curves that follow from them are asked for again, the films stay.
  stale(id) {
    const bundle = this.#kept.get(id);
    if (bundle) bundle.review = null;
  }

  allStale() {
    for (const bundle of this.#kept.values()) bundle.review = null;
  }

  close() {
    for (const id of [...this.#kept.keys()]) this.#drop(id);
  }

  async #ask(bundle, critics) {
    const wanted = new URLSearchParams(critics.map((id) => ["checkpoint", id]));
    try {
      const review = await get(`/api/episodes/${bundle.id}/review${critics.length ? `?${wanted}` : ""}`);
      bundle.films ??= review.episode.cameras.map((camera) => new Film(bundle.id, camera));
      return review;
    } catch (refusal) {
      // Asked for again next time.
      bundle.review = null;
      throw refusal;
    }
  }

  #drop(id) {
    for (const film of this.#kept.get(id).films ?? []) film.close();
    this.#kept.delete(id);
  }
}

export function stripUrl(episode, height_px) {
  return `/api/episodes/${episode.id}/strip.jpg${query({ height: height_px })}`;
}
