// Checkpoints: the list with what became of each, and below it the chosen one.

import { getAll } from "./api.js";
import { CheckpointView } from "./checkpoint_view.js";
import { h } from "./dom.js";
import { VideoRule } from "./video_rule.js";
import { isOver, number, rate, size, when } from "./words.js";

const PROBES = [["probe/auc", "AUC"], ["probe/spearman", "order"], ["probe/conditioning_accuracy", "word heard"]];

export class CheckpointsView {
  #page;
  #items = null;
  #chosen = "";
  #showDeleted = h("input", { type: "checkbox", on: { change: () => this.refresh() } });
  #table = h("div", { class: "dk-scroll" });
  #details;
  #rule;
  #finished = "";

  // `page` has doing(work), open(view, id), newRunLike(params), tell(level, message).
  constructor(page) {
    this.#page = page;
    this.#rule = new VideoRule(page);
    this.#details = new CheckpointView(page, { refresh: () => this.refresh(), all: () => this.#items ?? [] });
    this.element = h("div", { class: "dk-view" },
      h("section", { class: "dk-panel" },
        h("div", { class: "dk-panel-head" }, h("h2", {}, "Checkpoints"),
          h("label", { class: "dk-check" }, this.#showDeleted, " also deleted ones")),
        this.#table, this.#rule.element),
      this.#details.element);
  }

  shown(id) {
    this.#chosen = id;
    this.refresh();
  }

  async refresh() {
    try {
      this.#items = await getAll("/api/checkpoints", { with_deleted: this.#showDeleted.checked });
    } catch (refusal) {
      this.#page.lost(refusal);
      return;
    }
    this.#render();
    this.#rule.refresh();
    const id = this.#items.some((item) => item.id === this.#chosen) ? this.#chosen : this.#items.find((item) => item.promoted_s)?.id ?? this.#items[0]?.id;
    this.#mark(id);
    await this.#details.show(id ?? null, this.#page.jobs);
  }

  // The jobs as they are now: a scoring or a training that ended changes the list.
  follow(jobs) {
    this.#details.follow(jobs);
    const finished = jobs.filter(isOver).map((job) => job.id).join();
    const saved = jobs.map((job) => job.result.checkpoint).join();
    if (this.#items !== null && this.#finished !== finished + saved) this.refresh();
    this.#finished = finished + saved;
  }

  #mark(id) {
    for (const row of this.#table.querySelectorAll("tr[data-id]")) row.setAttribute("aria-current", row.dataset.id === id);
  }

  #render() {
    if (this.#items.length === 0) {
      this.#table.replaceChildren(h("p", { class: "dk-empty" },
        "There is no checkpoint yet. A training writes the first one after some hundred steps."));
      return;
    }
    const heads = ["checkpoint", "made", "size", ...PROBES.map(([, word]) => word), "drove", "success [95 %]", "scored", "videos"];
    this.#table.replaceChildren(h("table", { class: "dk-table dk-choose" },
      h("thead", {}, h("tr", {}, heads.map((head) => h("th", {}, head)))),
      h("tbody", {}, this.#items.map((item) => this.#row(item)))));
  }

  #row(item) {
    const drove = item.num_successes + item.num_failures + item.num_unjudged;
    const choose = () => this.#page.open("checkpoints", item.id);
    return h("tr", { data: { id: item.id, gone: item.size_bytes ? "no" : "yes" }, on: { click: choose } },
      h("td", {}, h("button", { type: "button", class: "link", on: { click: (event) => { event.stopPropagation(); choose(); } } }, item.id),
        item.promoted_s !== null && h("span", { class: "dk-badge" }, "▶ drives")),
      h("td", {}, when(item.created_s)), h("td", {}, item.size_bytes ? size(item.size_bytes) : "deleted"),
      PROBES.map(([name]) => h("td", {}, number(item.probes[name] === undefined ? null : Number(item.probes[name].toPrecision(2))))),
      h("td", {}, drove || "–"), h("td", {}, rate(item)),
      h("td", {}, item.num_scored || "–"), h("td", {}, item.num_videos || "–"));
  }
}
