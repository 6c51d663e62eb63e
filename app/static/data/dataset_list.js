// The left column: what one may do, and the datasets of the data directory.

import { button, h } from "../training/dom.js";
import { counted, size } from "../training/words.js";
import { healthChip } from "./findings.js";

const VIEWS = [["episodes", "Episodes"], ["export", "Export"], ["import", "Import"], ["trash", "Trash"]];

export class DatasetList {
  #page;
  #views;
  #list = h("div", { class: "dk-runs" });
  #empty = h("p", { class: "dk-empty" }, "No dataset yet. Export recorded episodes, or import a LeRobot dataset: it appears here.");
  #shown = "";

  constructor(page) {
    this.#page = page;
    this.#views = Object.fromEntries(VIEWS.map(([view, label]) => [view, button(label, () => page.open({ view }))]));
    this.element = h("div", {},
      h("div", { class: "dk-side-buttons" }, Object.values(this.#views)), h("h3", {}, "LeRobot datasets"), this.#empty, this.#list);
  }

  show(datasets, { view, dataset }) {
    for (const [name, made] of Object.entries(this.#views)) made.setAttribute("aria-pressed", view === name);
    const words = JSON.stringify([datasets, dataset]);
    if (words === this.#shown) return;
    this.#shown = words;
    this.#empty.hidden = datasets.length > 0;
    this.#list.replaceChildren(...datasets.map((each) => this.#card(each, each.repo_id === dataset)));
  }

  #card(dataset, isChosen) {
    return h("button", { type: "button", class: "dk-run", "aria-current": isChosen, on: { click: () => this.#page.open({ dataset: dataset.repo_id }) } },
      h("span", { class: "dk-run-name" }, dataset.repo_id),
      h("span", { class: "dk-run-words" }, `${counted(dataset.episodes, "episode")} · ${size(dataset.size_bytes)}`, dataset.problem ? h("b", { class: "dk-wrong" }, "✗ unreadable") : healthChip(dataset.health)));
  }
}
