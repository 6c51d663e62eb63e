// Exports recorded episodes by a filter. What would be written is shown before anything is, all the time.

import { get, post, startJob } from "../training/api.js";
import { button, field, h, select } from "../training/dom.js";
import { counted, OUTCOMES, size } from "../training/words.js";
import { skippedList } from "./dataset_view.js";
import { Preview } from "./preview.js";
import { gate } from "./roles.js";

const RECORDED = /^(observation\.|action$)/;

export class ExportForm {
  #page;
  #preview = new Preview({ ask: () => this.#ask(), show: (plan, problem) => this.#show(plan, problem) });
  #name = h("input", { value: "local/first", spellcheck: "false", on: { input: () => this.#preview.later() } });
  #search = h("input", { type: "search", placeholder: "task, robot, operator or id", on: { input: () => this.#preview.later() } });
  #outcome = select([["", "any"], ...Object.entries(OUTCOMES)], "", () => this.#preview.now());
  #checkpoint = h("select", { on: { change: () => this.#preview.now() } }, h("option", { value: "" }, "any"));
  #replace = h("input", { type: "checkbox", on: { change: () => this.#preview.now() } });
  #replaceLine = h("label", { class: "dk-check", hidden: true }, this.#replace, " replace the dataset of that name, once the new one is verified");
  #columns = h("div", { class: "da-columns" });
  #boxes = new Map();
  #plan = h("div", { class: "da-plan", role: "status" });
  #go = button("Export", () => this.#export(), { kind: "primary" });
  #why = h("span", { class: "dk-quiet" });

  constructor(page) {
    this.#page = page;
    this.element = h("div", { class: "dk-view" },
      h("section", { class: "dk-panel" }, h("h2", {}, "Export recorded episodes to a LeRobot dataset"),
        h("div", { class: "da-fields" },
          field("name", this.#name, "Two words and a slash: a folder in the data directory. Nothing is uploaded."),
          field("outcome", this.#outcome), field("search", this.#search), field("driven by checkpoint", this.#checkpoint)),
        this.#replaceLine,
        h("details", {}, h("summary", {}, "Columns besides states, actions and pictures"), this.#columns)),
      h("section", { class: "dk-panel", "aria-label": "Dry run" }, h("h2", {}, "Dry run: what would be written"), this.#plan,
        h("div", { class: "da-row" }, this.#go, this.#why)));
  }

  shown({ outcome = "", q = "" }) {
    this.#outcome.value = outcome;
    this.#search.value = q;
    this.refresh();
    get("/api/checkpoints", { limit: 200 }).then(({ items }) => {
      const chosen = this.#checkpoint.value;
      this.#checkpoint.replaceChildren(h("option", { value: "" }, "any"), ...items.map(({ id }) => h("option", { value: id }, id)));
      this.#checkpoint.value = chosen;
    }, () => {});
  }

  refresh() {
    this.#preview.now();
  }

  get #params() {
    const filter = { q: this.#search.value.trim(), outcome: this.#outcome.value, checkpoint_id: this.#checkpoint.value };
    const chosen = Object.fromEntries(Object.entries(filter).filter(([, value]) => value));
    const params = { repo_id: this.#name.value.trim(), episodes: Object.keys(chosen).length ? chosen : "all", overwrite: this.#replace.checked };
    const boxes = [...this.#boxes];
    if (boxes.some(([, box]) => !box.checked)) params.columns = boxes.filter(([, box]) => box.checked).map(([name]) => name);
    return params;
  }

  #ask() {
    const taken = this.#page.datasets.some((dataset) => dataset.repo_id === this.#name.value.trim());
    this.#replaceLine.hidden = !taken;
    if (!taken) this.#replace.checked = false;
    return post("/api/jobs/dry-run", { kind: "export", params: this.#params });
  }

  #show(plan, problem) {
    if (plan !== null && !this.#boxes.size) this.#offer(plan.columns.filter((name) => !RECORDED.test(name)));
    const nothing = plan !== null && plan.episodes === 0;
    const why = gate(this.#go, this.#page.role, "operator", problem || (nothing ? "There is nothing to export." : ""));
    this.#why.textContent = problem ? "" : why;
    if (problem) this.#plan.replaceChildren(h("p", { class: "dk-wrong" }, problem));
    else if (nothing) this.#plan.replaceChildren(...[h("p", {}, "No episode. Record and grade an attempt on the Live page, or widen the filter."), skippedList(plan.skipped)].filter(Boolean));
    else this.#plan.replaceChildren(...planParts(plan));
  }

  // The choosable columns, as the first dry run names them.
  #offer(names) {
    for (const name of names) this.#boxes.set(name, h("input", { type: "checkbox", checked: true, on: { change: () => this.#preview.now() } }));
    this.#columns.replaceChildren(...[...this.#boxes].map(([name, box]) => h("label", { class: "dk-check" }, box, " ", h("code", {}, name))));
  }

  async #export() {
    this.#go.disabled = true;
    const job = await this.#page.doing(() => startJob("export", this.#params));
    if (job) this.#page.tell("info", `Exporting ${job.params.repo_id}.`, "Progress is shown above; other pages may be used meanwhile.");
    this.#go.disabled = false;
  }
}

function planParts(plan) {
  const outcomes = Object.entries(plan.outcomes).map(([outcome, n]) => `${n} ${OUTCOMES[outcome]}`).join(", ");
  const facts = [
    ["episodes", counted(plan.episodes, "episode")], ["frames", `${plan.frames.toLocaleString("en-US")} at ${plan.fps} Hz`],
    ["size", `about ${size(plan.bytes)}`], ["outcomes", outcomes], ["tasks", plan.tasks.join("; ")], ["labels", `up to event ${plan.label_revision}`],
  ];
  return [
    h("dl", { class: "dk-facts" }, facts.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value)))),
    h("p", { class: "da-column-names" }, h("span", { class: "dk-quiet" }, "columns "), plan.columns.map((name) => [h("code", {}, name), " "])),
    plan.unlabeled.length > 0 && h("p", {}, `${counted(plan.unlabeled.length, "episode")} without a grade: exported with reward 0 and named in the manifest.`),
    skippedList(plan.skipped),
  ].filter(Boolean);
}
