// The rows of the queue: only those in sight are made, so that ten thousand cost what ten cost.

import { h } from "../training/dom.js";
import { OUTCOMES, percent, span } from "../training/words.js";
import { stripUrl } from "./bundles.js";

export const ROW_PX = 96;
const STRIP_PX = 54;
// Rows made above and below what is in sight.
const MORE_ROWS = 4;
// Film strips are fetched when a row has stayed in sight this long: not while it rushes past.
const STRIP_AFTER_MS = 90;
const FLAGS = {
  unlabeled: ["○", "nobody has judged it"], disagree: ["⚠", "critic and label disagree"], human: ["☻", "a person drove much of it"],
  excluded: ["⊘", "left out of training"], mistake: ["✗", "a mistake is marked"], note: ["✎", "has a note"],
};

export class QueueList {
  #root;
  #spacer = h("div", { class: "rv-spacer", role: "presentation" });
  #queue;
  #open;
  #rows = new Map();
  #chosen = "";
  #stateOf;
  #stripTimer = null;
  #framed = false;

  // `open(id)` is called for a click; `stateOf(id)` gives "draft", "unsent", "done", "skipped" or "".
  constructor({ root, queue, open, stateOf }) {
    this.#root = root;
    this.#queue = queue;
    this.#open = open;
    this.#stateOf = stateOf;
    this.#root.replaceChildren(this.#spacer);
    this.#root.setAttribute("role", "listbox");
    this.#root.addEventListener("scroll", () => this.#soon(), { passive: true });
    this.#observer = new ResizeObserver(() => this.#soon());
    this.#observer.observe(root);
  }

  #observer;

  // The queue began anew: nothing of the rows before is left.
  reset() {
    for (const row of this.#rows.values()) row.element.remove();
    this.#rows.clear();
    this.show();
  }

  choose(id) {
    this.#chosen = id;
    const index = this.#queue.indexOf(id);
    if (index >= 0) this.#intoSight(index);
    this.show();
  }

  // Make the rows in sight, and bring those that are there up to date.
  show() {
    this.#spacer.style.height = `${this.#queue.total * ROW_PX}px`;
    const [first, last] = this.#sight();
    for (const [index, row] of this.#rows) {
      if (index < first || index > last) {
        row.element.remove();
        this.#rows.delete(index);
      }
    }
    for (let index = first; index <= last; index += 1) this.#row(index);
    if (last >= this.#queue.loaded) this.#queue.reach(last).catch(() => {});
    clearTimeout(this.#stripTimer);
    this.#stripTimer = setTimeout(() => this.#strips(), STRIP_AFTER_MS);
  }

  close() {
    this.#observer.disconnect();
    clearTimeout(this.#stripTimer);
  }

  #soon() {
    if (this.#framed) return;
    this.#framed = true;
    requestAnimationFrame(() => {
      this.#framed = false;
      this.show();
    });
  }

  #sight() {
    const top = Math.floor(this.#root.scrollTop / ROW_PX);
    const count = Math.ceil(this.#root.clientHeight / ROW_PX);
    return [Math.max(0, top - MORE_ROWS), Math.min(this.#queue.total - 1, top + count + MORE_ROWS)];
  }

  #intoSight(index) {
    const top = index * ROW_PX;
    const height = this.#root.clientHeight;
    // The spacer may not be as high yet as the row lies deep.
    this.#spacer.style.height = `${this.#queue.total * ROW_PX}px`;
    if (top < this.#root.scrollTop || top + ROW_PX > this.#root.scrollTop + height) {
      this.#root.scrollTop = Math.max(0, top - height / 3);
    }
  }

  #row(index) {
    const item = this.#queue.at(index);
    const state = item ? this.#stateOf(item.id) : "";
    const words = item ? JSON.stringify([item, state, item.id === this.#chosen]) : "";
    const present = this.#rows.get(index);
    if (present?.words === words) return;
    const image = present?.id === item?.id ? present?.element.querySelector("img") : null;
    const element = item ? this.#made(item, index, state, image) : h("div", { class: "rv-row rv-row-empty" });
    element.style.transform = `translateY(${index * ROW_PX}px)`;
    if (present) present.element.replaceWith(element);
    else this.#spacer.append(element);
    this.#rows.set(index, { element, words, id: item?.id });
  }

  #made(item, index, state, image) {
    const value = item.last_value ?? null;
    const human = item.num_steps ? item.num_human_steps / item.num_steps : 0;
    const notes = { draft: "● not saved", unsent: "↑ not sent", done: "✓ done", skipped: "skipped" };
    return h("button", {
      type: "button", class: "rv-row", role: "option", "aria-selected": String(item.id === this.#chosen), tabindex: "-1",
      data: { id: item.id, index, state }, on: { click: () => this.#open(item.id) },
    },
    h("span", { class: "rv-row-line" },
      h("code", {}, item.id.slice(0, 4)), h("b", { class: "rv-row-outcome", data: { outcome: item.outcome } }, OUTCOMES[item.outcome]),
      value !== null && h("span", { title: "value of the last frame" }, `V ${value.toFixed(2).replace("-", "−")}`),
      h("span", { class: "rv-flags" }, (item.flags ?? []).map((flag) => FLAGS[flag] && h("i", { title: FLAGS[flag][1], data: { flag } }, FLAGS[flag][0])))),
    image ?? h("img", { class: "rv-strip", alt: "", decoding: "async", data: { src: stripUrl(item, STRIP_PX) } }),
    h("span", { class: "rv-row-line dk-quiet" },
      h("span", { class: "dk-ellipsis rv-row-task", title: item.task }, item.task), h("span", {}, span(item.num_steps / item.fps)),
      human > 0 && h("span", { class: "rv-row-human" }, `☻ ${percent(human)}`),
      state ? h("span", { class: "rv-row-state" }, notes[state]) : item.checkpoint_id && h("span", { class: "dk-ellipsis", title: item.checkpoint_id }, item.checkpoint_id)));
  }

  #strips() {
    for (const { element } of this.#rows.values()) {
      const image = element.querySelector("img[data-src]");
      if (!image) continue;
      image.addEventListener("error", () => { image.dataset.gone = "yes"; image.removeAttribute("src"); }, { once: true });
      image.src = image.dataset.src;
      delete image.dataset.src;
    }
  }
}
