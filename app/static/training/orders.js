// What a run was asked to do and with what: sources, warnings, exact command, whole config.

import { copyButton, h } from "./dom.js";
import { counted, number, percent } from "./words.js";

// Safe to paste into a shell.
export function commandLine(words) {
  return words.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`)).join(" ");
}

// Nested values as dotted names, in their order.
export function flattened(values, prefix = "") {
  return Object.entries(values ?? {}).flatMap(([name, value]) => (
    value !== null && typeof value === "object" && !Array.isArray(value)
      ? flattened(value, `${prefix}${name}.`) : [[`${prefix}${name}`, value]]));
}

export function told(value) {
  if (value === null || value === undefined) return "none";
  if (typeof value === "number") return number(value);
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

export function sourceTable(sources) {
  return h("table", { class: "dk-table" },
    h("thead", {}, h("tr", {}, ["source", "share", "✓ success", "✗ failure", "– no grade", "steps", "human"].map((name) => h("th", {}, name)))),
    h("tbody", {}, sources.map((source) => h("tr", {},
      h("td", {}, source.name), h("td", {}, percent(source.share)),
      ["success", "failure", "none"].map((outcome) => h("td", {}, String(source.outcomes[outcome] ?? 0))),
      h("td", {}, source.num_steps.toLocaleString("en-US")),
      h("td", {}, percent(source.num_steps ? source.num_human_steps / source.num_steps : null))))));
}

export function warningList(warnings) {
  return h("ul", { class: "dk-warnings" }, warnings.map((warning) => h("li", {}, "⚠ ", warning)));
}

export class Orders {
  #data = h("div");
  #command = h("pre", { class: "dk-command" });
  #config = h("div", { class: "dk-config" });

  constructor() {
    this.element = h("div", { class: "dk-orders" },
      h("section", { class: "dk-panel" },
        h("div", { class: "dk-panel-head" }, h("span", { class: "dk-plot-title" }, "What it learns from")), this.#data),
      h("section", { class: "dk-panel" },
        h("div", { class: "dk-panel-head" }, h("span", { class: "dk-plot-title" }, "Exact command"),
          copyButton(() => this.#command.textContent)),
        this.#command,
        h("details", {}, h("summary", {}, "Whole config"), this.#config)));
  }

  show(job) {
    const plan = job.result.plan;
    this.#command.textContent = commandLine(job.command);
    this.#data.replaceChildren(...(plan ? [
      h("p", {}, `${counted(plan.episodes, "episode")}, ${counted(plan.steps, "step")}, with the labels up to event ${plan.label_revision}.`),
      sourceTable(plan.sources),
      warningList(plan.warnings),
      plan.skipped.length > 0 && h("details", {}, h("summary", {}, `${counted(plan.skipped.length, "episode")} left out`),
        h("ul", {}, plan.skipped.map(({ id, reason }) => h("li", {}, h("code", {}, id), ` ${reason}`)))),
    ].filter(Boolean) : [h("p", { class: "dk-quiet" }, "Known once the job has chosen its episodes.")]));
    const fields = flattened(job.result.config);
    const changed = new Set(Object.keys(job.params.overrides ?? {}));
    this.#config.replaceChildren(fields.length
      ? h("table", { class: "dk-table dk-narrow" }, h("tbody", {}, fields.map(([name, value]) => h("tr", { data: { changed: changed.has(name) ? "yes" : "no" } },
        h("td", {}, name), h("td", {}, told(value)), h("td", {}, changed.has(name) ? "changed by hand" : "")))))
      : h("p", { class: "dk-quiet" }, "Known once the job has begun."));
  }
}
