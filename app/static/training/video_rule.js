// A critic video of every N-th recorded episode: how many, and when the next one comes.

import { get, post } from "./api.js";
import { h } from "./dom.js";
import { counted } from "./words.js";

const USUAL = 4;

export class VideoRule {
  #page;
  #on = h("input", { type: "checkbox", on: { change: () => this.#say() } });
  #every = h("input", { type: "number", min: "1", max: "1000", value: USUAL, "aria-label": "episodes between critic videos", on: { change: () => this.#say() } });
  #next = h("span", { class: "dk-quiet" });

  // `page` has doing(work), lost(refusal) and rights.
  constructor(page) {
    this.#page = page;
    this.element = h("div", { class: "dk-rule" },
      h("label", { class: "dk-check" }, this.#on, " critic video of every "), this.#every, h("span", {}, "recorded episodes"), this.#next);
  }

  async refresh() {
    try {
      this.#show(await get("/api/videos/rule"));
    } catch (refusal) {
      this.#page.lost(refusal);
    }
  }

  #show(rule) {
    const why = this.#page.rights.refusal("operator", "say how often videos are made");
    this.#on.disabled = this.#every.disabled = Boolean(why);
    this.element.title = why || "The newest critic scores the newest episode, then its video is drawn. A training is never held up: while one runs, the CPU scores.";
    this.#on.checked = rule.every > 0;
    // Nobody's typing is overwritten.
    if (rule.every > 0 && document.activeElement !== this.#every) this.#every.value = rule.every;
    this.#next.textContent = wordsFor(rule);
  }

  async #say() {
    const every = this.#on.checked ? Math.max(1, Math.round(Number(this.#every.value) || USUAL)) : 0;
    const rule = await this.#page.doing(() => post("/api/videos/rule", { every }));
    if (rule) this.#show(rule);
    else await this.refresh();
  }
}

export function wordsFor(rule) {
  if (rule.every === 0) return "off";
  const missing = rule.every - rule.num_recorded;
  if (!rule.checkpoint_id) return "waits for a checkpoint with a critic";
  if (missing <= 0) return `next one as soon as the last is made, by ${rule.checkpoint_id}`;
  return `next one after ${counted(missing, "more episode")}, by ${rule.checkpoint_id}`;
}
