// Two checkpoints beside each other: how often they succeed, what they measure, what was set otherwise.

import { get, query } from "./api.js";
import { h, select } from "./dom.js";
import { flattened, told } from "./orders.js";
import { number, OUTCOMES, rate, size, when } from "./words.js";

export class CompareView {
  #page;
  #one;
  #result = h("div");

  constructor(page, one, all) {
    this.#page = page;
    this.#one = one;
    const others = all.filter((item) => item.id !== one.id);
    const choice = select([["", "choose another checkpoint"], ...others.map((item) => [item.id, item.id])], "", (id) => this.#compare(id));
    choice.setAttribute("aria-label", "compare with");
    this.element = h("section", { class: "dk-panel", hidden: others.length === 0 },
      h("div", { class: "dk-panel-head" }, h("span", { class: "dk-plot-title" }, "Compare with"), choice), this.#result);
  }

  async #compare(id) {
    if (!id) {
      this.#result.replaceChildren();
      return;
    }
    try {
      const [other, scores] = await Promise.all([
        get(`/api/checkpoints/${id}`), get("/api/scores/compare", { a: this.#one.id, b: id })]);
      this.#render(other, scores);
    } catch (refusal) {
      this.#page.tell("error", refusal.message, refusal.hint);
    }
  }

  #render(other, scores) {
    const one = this.#one;
    const row = (name, a, b) => h("tr", { data: { changed: a === b ? "no" : "yes" } }, h("td", {}, name), h("td", {}, a), h("td", {}, b));
    const probes = [...new Set([...Object.keys(one.probes), ...Object.keys(other.probes)])].sort();
    const configs = [new Map(flattened(one.config)), new Map(flattened(other.config))];
    const settings = [...new Set(configs.flatMap((config) => [...config.keys()]))]
      .map((name) => [name, ...configs.map((config) => told(config.get(name)))]).filter(([, a, b]) => a !== b);
    this.#result.replaceChildren(
      h("div", { class: "dk-scroll" }, h("table", { class: "dk-table" },
        h("thead", {}, h("tr", {}, h("th", {}), h("th", {}, one.id), h("th", {}, other.id))),
        h("tbody", {},
          row("success [95 %] of judged attempts", rate(one), rate(other)),
          row("made", when(one.created_s), when(other.created_s)), row("size", size(one.size_bytes), size(other.size_bytes)),
          row("labels up to event", String(one.label_revision), String(other.label_revision)),
          probes.map((name) => row(name.replace("probe/", "").replaceAll("_", " "), number(one.probes[name]), number(other.probes[name]))),
          row("AUC over episodes that both scored", number(scores.auc_a), number(scores.auc_b)),
          settings.map(([name, a, b]) => row(name, a, b))))),
      intervalNote(one, other),
      this.#episodes(scores));
  }

  #episodes(scores) {
    if (scores.num_both === 0) {
      return h("p", { class: "dk-quiet" }, "They have no scored episode in common: score the same episodes with both to see where they differ.");
    }
    const shown = scores.items.slice(0, 12);
    return h("div", {}, h("h3", {}, `Episodes they differ most on, of ${scores.num_both} scored by both`),
      h("table", { class: "dk-table" },
        h("thead", {}, h("tr", {}, ["episode", "task", "outcome", "mean value", "mean value", ""].map((head) => h("th", {}, head)))),
        h("tbody", {}, shown.map((each) => h("tr", {}, h("td", {}, h("code", {}, each.episode_id.slice(0, 8))), h("td", {}, each.task),
          h("td", {}, OUTCOMES[each.outcome]), h("td", {}, each.mean_a.toFixed(3)), h("td", {}, each.mean_b.toFixed(3)),
          h("td", {}, h("a", { href: `/replay${query({ checkpoint: scores.a, compare: scores.b, episode: each.episode_id })}` }, "watch both")))))));
  }
}

function intervalNote(one, other) {
  if (one.rate === null || other.rate === null) return h("p", { class: "dk-quiet" }, "Success rates can be compared once both have driven attempts that were graded.");
  const apart = one.rate_low > other.rate_high || other.rate_low > one.rate_high;
  return h("p", { class: "dk-quiet" }, apart
    ? "The intervals do not overlap: the difference is no accident." : "The intervals overlap: these attempts are too few to call one of them better.");
}
