// What the page shows, kept in its address: which queue, which episode, frame and critics.
//
// A link opens the same view. The queue's part alone is a view that can be saved under a name.

import { query } from "../training/api.js";

export const QUEUE = [
  "order", "q", "outcome", "flag", "task", "robot", "checkpoint_id", "operator", "min_human", "excluded", "scored_by",
];
const PLACE = ["episode", "frame", "critic", "compare"];
const NAMES = [...QUEUE, ...PLACE];
export const FIRST_ORDER = "unlabeled";
const FRAME_AFTER_MS = 250;

export class Address {
  #changed;
  #frameTimer = null;

  // `changed(names)` is called after every change with what differs.
  constructor(changed) {
    this.#changed = changed;
    this.values = valuesOf(location.search);
  }

  // `replace`: no step back, as for every letter of a search.
  set(values, { replace = false } = {}) {
    clearTimeout(this.#frameTimer);
    const before = this.values;
    this.values = { ...before, ...values };
    const url = location.pathname + query(this.values);
    if (replace) history.replaceState(null, "", url);
    else history.pushState(null, "", url);
    this.#tell(before);
  }

  // Where the cursor stands, written once it stands: browsers refuse addresses that change with every picture.
  setFrame(frame) {
    if (this.values.frame === String(frame)) return;
    this.values = { ...this.values, frame: String(frame) };
    clearTimeout(this.#frameTimer);
    this.#frameTimer = setTimeout(() => history.replaceState(null, "", location.pathname + query(this.values)), FRAME_AFTER_MS);
  }

  // The browser went back or forth.
  reread() {
    const before = this.values;
    this.values = valuesOf(location.search);
    this.#tell(before);
  }

  // The words of the queue, without those that are empty.
  get queue() {
    return queueOf(this.values);
  }

  get link() {
    return location.origin + location.pathname + query(this.values);
  }

  #tell(before) {
    const changed = NAMES.filter((name) => before[name] !== this.values[name]);
    if (changed.length) this.#changed(new Set(changed));
  }
}

export function valuesOf(search) {
  const given = new URLSearchParams(search);
  return Object.fromEntries(NAMES.map((name) => [name, given.get(name) ?? ""]));
}

export function queueOf(values) {
  return Object.fromEntries(QUEUE.filter((name) => values[name]).map((name) => [name, values[name]]));
}

// Every word of a queue as it would be without a choice.
export function emptyQueue() {
  return Object.fromEntries(QUEUE.map((name) => [name, ""]));
}
