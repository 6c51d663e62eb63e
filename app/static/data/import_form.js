// Imports a LeRobot dataset into the store: from the data directory, a folder of the server, or the Hub.

import { get, post, startJob } from "../training/api.js";
import { button, field, h, select } from "../training/dom.js";
import { counted, OUTCOMES } from "../training/words.js";
import { skippedList } from "./dataset_view.js";
import { findingsList } from "./findings.js";
import { Preview } from "./preview.js";
import { gate, whyNot } from "./roles.js";

const JUDGEMENTS = [
  ["stored", "what its rewards and flags say"],
  ["success", "all are successful demonstrations by a person"],
  ["none", "no grade: people will give them here"],
];

export class ImportForm {
  #page;
  #preview = new Preview({ ask: () => this.#ask(), show: (plan, problem) => this.#show(plan, problem) });
  #where = "here";
  #ways = h("div", { class: "da-ways", role: "radiogroup", "aria-label": "where the dataset is" });
  #here = h("select", { "aria-label": "dataset", on: { change: () => this.#preview.now() } });
  #path = h("input", { placeholder: "/data/lerobot/owner/name", spellcheck: "false", on: { input: () => this.#preview.later() } });
  #hub = h("input", { placeholder: "owner/name", spellcheck: "false", on: { input: () => this.#preview.later() } });
  #fields;
  #judgement = select(JUDGEMENTS, "stored", () => this.#preview.now());
  #plan = h("div", { class: "da-plan", role: "status" });
  #go = button("Import", () => this.#import(), { kind: "primary" });
  #why = h("span", { class: "dk-quiet" });
  #check = button("Check its health first", () => this.#checkHealth());
  #health = h("section", { class: "dk-panel", hidden: true, "aria-label": "Health" });
  // Which dataset a check was ordered for, and by which job.
  #checked = { of: "", job: "" };

  constructor(page) {
    this.#page = page;
    this.#fields = {
      here: field("dataset", this.#here), folder: field("folder", this.#path, "It holds meta/info.json. Naming folders takes the role admin."),
      hub: field("name on the Hub", this.#hub, "It is downloaded into the data directory first; nothing else is asked of the Hub."),
    };
    const ways = [["here", "in the data directory"], ["folder", "a folder of the server"], ["hub", "on the Hugging Face Hub"]];
    this.#ways.append(...ways.map(([way, label]) => h("label", { class: "dk-check" },
      h("input", { type: "radio", name: "da-way", value: way, checked: way === this.#where, on: { change: () => this.#choose(way) } }), ` ${label}`)));
    this.element = h("div", { class: "dk-view" },
      h("section", { class: "dk-panel" }, h("h2", {}, "Import a LeRobot dataset into the store"),
        h("p", { class: "dk-quiet" }, "Its episodes can then be reviewed, replayed, scored and trained on like recorded ones. Importing again adds only what is new."),
        this.#ways, h("div", { class: "da-fields" }, Object.values(this.#fields), field("how episodes ended", this.#judgement))),
      h("section", { class: "dk-panel", "aria-label": "Dry run" }, h("h2", {}, "Dry run: what would come in"), this.#plan,
        h("div", { class: "da-row" }, this.#go, this.#check, this.#why)),
      this.#health);
    this.#choose("here");
  }

  shown({ from = "" }) {
    const names = this.#page.datasets.map((dataset) => dataset.repo_id);
    const chosen = from || this.#here.value;
    this.#here.replaceChildren(...(names.length ? names : [""]).map((name) => h("option", { value: name }, name || "none yet")));
    if (names.includes(chosen)) this.#here.value = chosen;
    if (from) this.#ways.querySelector("[value=here]").checked = true;
    this.#choose(from ? "here" : this.#where);
  }

  refresh() {
    this.shown({});
    this.#showHealth();
  }

  #choose(way) {
    this.#where = way;
    for (const [name, each] of Object.entries(this.#fields)) each.hidden = name !== way;
    this.#preview.now();
  }

  get #params() {
    const outcomes = this.#judgement.value;
    if (this.#where === "folder") return { path: this.#path.value.trim(), outcomes };
    if (this.#where === "hub") return { repo_id: this.#hub.value.trim(), hub: true, outcomes };
    return { repo_id: this.#here.value, outcomes };
  }

  // The dataset alone, as a health check takes it.
  get #named() {
    const { path, repo_id: repoId } = this.#params;
    return path === undefined ? { repo_id: repoId } : { path };
  }

  get #needed() {
    return this.#where === "folder" ? "admin" : "operator";
  }

  async #ask() {
    if (JSON.stringify(this.#named) !== this.#checked.of) this.#health.hidden = true;
    const { path, repo_id: name, hub } = this.#params;
    if (!path && !name) return { nothing: { here: "There is no dataset in the data directory.", folder: "Name a folder of the server.", hub: "Name a dataset of the Hub." }[this.#where] };
    if (whyNot(this.#page.role, this.#needed)) return { nothing: "" };
    if (hub) return { hub: name };
    return post("/api/datasets/import-preview", { params: this.#params });
  }

  #show(plan, problem) {
    const wait = problem || plan?.nothing || (plan?.episodes === 0 ? "Everything is in the store already." : "");
    const why = gate(this.#go, this.#page.role, this.#needed, wait);
    this.#why.textContent = problem ? "" : why;
    const unknown = plan?.nothing || plan?.hub ? "Its files are not here yet." : "";
    gate(this.#check, this.#page.role, this.#where === "folder" ? "admin" : "labeler", unknown);
    if (problem) this.#plan.replaceChildren(h("p", { class: "dk-wrong" }, problem));
    else if (plan.nothing !== undefined) this.#plan.replaceChildren();
    else if (plan.hub) this.#plan.replaceChildren(h("p", {}, `${plan.hub} will be downloaded from the Hub, checked for its format, and imported. What is in it is known then.`));
    else this.#plan.replaceChildren(...planParts(plan));
  }

  async #checkHealth() {
    const of = JSON.stringify(this.#named);
    const job = await this.#page.doing(() => startJob("health", this.#named));
    if (job) this.#checked = { of, job: job.id };
  }

  // The findings, once the check that was ordered here is done.
  async #showHealth() {
    const { of, job: id } = this.#checked;
    if (!id || of !== JSON.stringify(this.#named)) return;
    const job = await get(`/api/jobs/${id}`).catch(() => null);
    if (job?.state !== "done") return;
    this.#health.hidden = false;
    this.#health.replaceChildren(h("h2", {}, "Health"), findingsList(job));
  }

  async #import() {
    this.#go.disabled = true;
    const job = await this.#page.doing(() => startJob("import", this.#params));
    if (job) this.#page.tell("info", "Importing.", "Progress is shown above; each episode is in the list as soon as it is whole.");
    this.#go.disabled = false;
  }
}

function planParts(plan) {
  const outcomes = Object.entries(plan.outcomes).map(([outcome, n]) => `${n} ${OUTCOMES[outcome]}`).join(", ");
  const facts = [
    ["new episodes", counted(plan.episodes, "episode")], ["frames", `${plan.frames.toLocaleString("en-US")} at ${plan.fps} Hz`],
    ["outcomes", outcomes || "–"], ["human frames", plan.human_frames.toLocaleString("en-US")], ["tasks", plan.tasks.join("; ") || "–"],
    ["robot", plan.robot_type || "not said"], ["cameras", plan.cameras.join(", ")],
  ];
  return [
    h("dl", { class: "dk-facts" }, facts.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value)))),
    plan.are_demonstrations && h("p", { class: "da-hint" }, "Nothing in it says how its episodes ended. If they are demonstrations that succeeded, say so above; otherwise grade them after the import."),
    plan.columns_left_out.length > 0 && h("p", { class: "dk-quiet" }, `Columns that the store does not keep: ${plan.columns_left_out.join(", ")}.`),
    skippedList(plan.skipped),
  ].filter(Boolean);
}
