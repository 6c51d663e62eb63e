// What the page shows, kept in its address, so that a link opens the same view.

import { query } from "../training/api.js";

// The critic that spoke while an episode was recorded.
export const RECORDED = "recorded";
// No critic: the cameras themselves.
export const CAMERAS = "cameras";
const NAMES = ["checkpoint", "compare", "outcome", "q", "driven_by", "missing", "episode"];

export class Address {
  #changed;

  // `changed(names)` is called after every change with what differs.
  constructor(changed) {
    this.#changed = changed;
    this.values = read();
  }

  // `replace`: no step back, as for every letter of a search.
  set(values, { replace = false } = {}) {
    const before = this.values;
    this.values = { ...before, ...values };
    const url = location.pathname + this.search;
    if (replace) history.replaceState(null, "", url);
    else history.pushState(null, "", url);
    this.#tell(before);
  }

  // The browser went back or forth.
  reread() {
    const before = this.values;
    this.values = read();
    this.#tell(before);
  }

  get search() {
    return query(this.values);
  }

  // A link to one episode as it is shown now.
  linkTo(episode) {
    return location.origin + location.pathname + query({ ...this.values, episode });
  }

  #tell(before) {
    const changed = NAMES.filter((name) => before[name] !== this.values[name]);
    if (changed.length) this.#changed(new Set(changed));
  }
}

function read() {
  const given = new URLSearchParams(location.search);
  return Object.fromEntries(NAMES.map((name) => [name, given.get(name) ?? ""]));
}

// One camera's video of an episode; it needs no making.
export function cameraUrl(episode, camera) {
  return `/api/episodes/${episode.id}/video/${encodeURIComponent(camera)}.mp4`;
}

export function videoUrl(video, checkpoint, { download = false } = {}) {
  return `/api/episodes/${video.episode.id}/critic.mp4`
    + query({ checkpoint, download: download || undefined, v: Math.round(video.made_s ?? 0) });
}
