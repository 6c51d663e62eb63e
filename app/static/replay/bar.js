// The bar over the wall: whose critic, beside whose, of which episodes, and the button that makes videos.

import { button, field, h, select } from "../training/dom.js";
import { counted, OUTCOMES } from "../training/words.js";
import { CAMERAS, RECORDED } from "./address.js";

const TYPED_MS = 250;

export class Bar {
  #root;
  #address;
  #makeAll;
  #words = h("span", { class: "dk-quiet" });
  #make = button("Make videos", () => this.#makeAll(), { kind: "primary" });
  #search = h("input", { type: "search", placeholder: "task, robot, operator or id", "aria-label": "search" });

  // `makeAll()` makes the videos that are missing or old among those shown.
  constructor({ root, address, makeAll }) {
    this.#root = root;
    this.#address = address;
    this.#makeAll = makeAll;
    let typed = null;
    this.#search.addEventListener("input", () => {
      clearTimeout(typed);
      typed = setTimeout(() => address.set({ q: this.#search.value.trim() }, { replace: true }), TYPED_MS);
    });
  }

  show(checkpoints) {
    const { values } = this.#address;
    const set = (name) => (value) => this.#address.set({ [name]: value });
    const critics = checkpoints.map((checkpoint) => [checkpoint.id, `${checkpoint.id}  (${counted(checkpoint.num_videos, "video")})`]);
    const named = (id, options) => (id && !options.some(([value]) => value === id) ? [...options, [id, id]] : options);
    if (document.activeElement !== this.#search) this.#search.value = values.q;
    const plain = values.checkpoint === CAMERAS;
    const missing = h("input", { type: "checkbox", checked: values.missing === "1", on: { change: (event) => this.#address.set({ missing: event.target.checked ? "1" : "" }) } });
    this.#root.replaceChildren(...[
      field("critic", select(named(values.checkpoint, [[CAMERAS, "none: the cameras alone"], [RECORDED, "as recorded: the critic that acted"], ...critics]), values.checkpoint, set("checkpoint"))),
      field("beside", select(named(values.compare, [["", "nothing"], [CAMERAS, "the cameras alone"], [RECORDED, "as recorded"], ...critics]), values.compare, set("compare"))),
      field("outcome", select([["", "any"], ...Object.entries(OUTCOMES)], values.outcome, set("outcome"))),
      field("episodes", this.#search),
      values.driven_by && button(`only driven by ${values.driven_by} ×`, () => this.#address.set({ driven_by: "" })),
      !plain && h("label", { class: "dk-check" }, missing, " also those without a video"),
      h("span", { class: "rp-make" }, this.#words, !plain && this.#make),
    ].filter(Boolean));
  }

  // What there is and what the button would do.
  tell({ total, toMake }) {
    this.#words.textContent = counted(total, "episode");
    this.#make.disabled = toMake === 0;
    this.#make.textContent = toMake ? `Make ${counted(toMake, "video")}` : total ? "All videos are made" : "Make videos";
  }
}
