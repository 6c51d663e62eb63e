// The episode on the screen: its pictures, curves and labels, or what is shown instead of one.

import { setShown } from "../live/paint.js";
import { cannotRead } from "./blank.js";

const FETCHED_AHEAD = 2;

export class Showing {
  episode = null;
  review = null;
  isBlank = true;
  #parts;
  #queue;
  #bundles;
  #player;
  #page;
  #turn = 0;

  // `page` has begun(episode), once its pictures are chosen, and read(), once its labels have come.
  constructor({ parts, queue, bundles, player, page }) {
    this.#parts = parts;
    this.#queue = queue;
    this.#bundles = bundles;
    this.#player = player;
    this.#page = page;
  }

  // Show an episode at a frame, or read the labels of the present one anew.
  async show(id, frame) {
    const turn = ++this.#turn;
    const known = this.#queue.get(id);
    const isNew = id !== this.episode?.id || this.isBlank;
    const bundle = this.#bundles.open(id, known?.cameras);
    if (isNew && known) this.#begin(known, bundle, frame);
    try {
      const review = await bundle.review;
      if (turn !== this.#turn) return;
      if (isNew && !known) this.#begin(review.episode, bundle, frame);
      this.review = review;
      this.episode = { ...this.episode, ...review.episode };
      this.#player.showReview(review);
      this.#page.read();
    } catch (refusal) {
      if (turn === this.#turn) this.blank(cannotRead(refusal, () => this.show(id, frame)));
      return;
    }
    await this.#queue.find(id);
    if (turn !== this.#turn) return;
    this.#page.read();
    // Not beside the pictures that somebody waits for.
    await this.#player.seen;
    if (turn === this.#turn) await this.#fetchAhead(id);
  }

  // Labels of an episode changed.
  async refresh(id) {
    this.#bundles.stale(id);
    if (this.shows(id)) await this.show(id, this.#player.frame);
  }

  shows(id) {
    return !this.isBlank && this.episode.id === id;
  }

  // Show this instead of an episode; which one it was is remembered, for the way back.
  blank(content) {
    this.#turn += 1;
    this.isBlank = true;
    this.#player.close();
    this.#parts.player.dataset.blank = "yes";
    this.#parts.empty.replaceChildren(...content);
    setShown(this.#parts.empty, true);
    this.#page.read();
  }

  #begin(episode, bundle, frame) {
    this.isBlank = false;
    setShown(this.#parts.empty, false);
    this.#parts.player.dataset.blank = "no";
    this.episode = episode;
    this.review = null;
    this.#player.show(episode, bundle.films, frame);
    this.#page.begun(episode);
  }

  // The next ones are there before they are asked for.
  async #fetchAhead(id) {
    const index = this.#queue.indexOf(id);
    if (index < 0) return;
    await this.#queue.reach(index + FETCHED_AHEAD);
    for (let next = index + 1; next <= index + FETCHED_AHEAD; next += 1) {
      const item = this.#queue.at(next);
      if (item) this.#bundles.open(item.id, item.cameras).review?.catch(() => {});
    }
  }
}
