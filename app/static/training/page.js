// The Training page: runs on the left; on the right the chosen run, a new one's form, or checkpoints.
//
// What is shown stands in the address, so that a link opens the same view. The jobs are asked for
// every second while one is under way, else every four, and not at all while the tab is hidden.

import { mount as mountHeader } from "../header.js";
import { Notices } from "../live/notices.js";
import { partsOf } from "../live/paint.js";
import { get, query } from "./api.js";
import { CheckpointsView } from "./checkpoints.js";
import { button, h } from "./dom.js";
import { Rights } from "./rights.js";
import { RunView } from "./run_view.js";
import { Runs } from "./runs.js";
import { StartForm } from "./start_form.js";
import { isOver } from "./words.js";

const BUSY_MS = 1000;
const IDLE_MS = 4000;
const KINDS = ["train", "score", "video"];

class TrainingPage {
  #element;
  #parts;
  #notices;
  // The buttons over the runs, by the view they open.
  #views;
  #jobs = null;
  #view = "run";
  #id = "";
  #timer = null;
  #lost = false;
  #leaving = new AbortController();

  constructor(element) {
    this.#element = element;
    this.#parts = partsOf(element);
    this.rights = new Rights();
    this.#notices = new Notices({ toasts: this.#parts.toasts, banner: null });
    this.runs = new Runs({ choose: (id) => this.#chooseJob(id) });
    this.run = new RunView(this);
    this.form = new StartForm(this);
    this.checkpoints = new CheckpointsView(this);
    this.#views = {
      new: button("New run", () => this.open("new"), { kind: "primary" }),
      checkpoints: button("Checkpoints", () => this.open("checkpoints")),
    };
    this.#parts.side.append(h("div", { class: "dk-side-buttons" }, Object.values(this.#views)), this.runs.element);
    addEventListener("popstate", () => this.#read(), { signal: this.#leaving.signal });
    document.addEventListener("visibilitychange", () => this.#look(), { signal: this.#leaving.signal });
    this.rights.ask().then(() => {
      this.#read();
      this.#look();
    });
  }

  // --- what views may ask of the page

  // Shows a view: `run` and `checkpoints` take an id.
  open(view, id = "") {
    const address = { run: { run: id }, new: { view }, checkpoints: { view, checkpoint: id } }[view];
    history.pushState(null, "", location.pathname + query(address));
    this.#read();
  }

  newRunLike(params) {
    this.form.fill(params);
    this.open("new");
  }

  // Runs something the user asked for; a refusal is told and gives undefined.
  async doing(work) {
    try {
      const result = await work();
      await this.#look();
      return result;
    } catch (refusal) {
      this.tell("error", refusal.message, refusal.hint);
      return undefined;
    }
  }

  tell(level, message, hint = "") {
    this.#notices.toast(level, message, { hint });
  }

  // The server did not answer one of the regular questions: said once, until it answers again.
  lost(refusal) {
    if (!this.#lost) this.tell("error", refusal.message, refusal.hint || "This page asks again by itself.");
    this.#lost = true;
  }

  get jobs() {
    return this.#jobs ?? [];
  }

  // --- the page itself

  #chooseJob(id) {
    const job = this.jobs.find((each) => each.id === id);
    if (job.kind === "train") this.open("run", id);
    else this.open("checkpoints", job.params.checkpoint ?? "");
  }

  #read() {
    const address = new URLSearchParams(location.search);
    this.#view = address.get("view") ?? "run";
    this.#id = address.get(this.#view === "checkpoints" ? "checkpoint" : "run") ?? "";
    const views = { run: this.run, new: this.form, checkpoints: this.checkpoints };
    if (!(this.#view in views)) this.#view = "run";
    const element = views[this.#view].element;
    if (this.#parts.view.firstChild !== element) {
      this.#parts.view.replaceChildren(element);
      this.#parts.view.scrollTop = 0;
    }
    if (this.#view === "new") this.form.shown(address);
    if (this.#view === "checkpoints") this.checkpoints.shown(this.#id);
    for (const [view, made] of Object.entries(this.#views)) made.setAttribute("aria-pressed", this.#view === view);
    this.#show();
  }

  async #look() {
    clearTimeout(this.#timer);
    if (!this.#element.isConnected) {
      this.#close();
      return;
    }
    if (document.hidden) return;
    try {
      const lists = await Promise.all(KINDS.map((kind) => get("/api/jobs", { kind, limit: 50 })));
      this.#jobs = lists.flatMap((list) => list.items);
      this.#lost = false;
      this.#show();
    } catch (refusal) {
      this.lost(refusal);
    }
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#look(), this.jobs.some((job) => !isOver(job)) ? BUSY_MS : IDLE_MS);
  }

  #show() {
    if (this.#jobs === null) return;
    const trainings = this.#jobs.filter((job) => job.kind === "train");
    // Without a choice the run under way is shown, else the newest.
    const chosen = trainings.find((job) => job.id === this.#id) ?? trainings.find((job) => !isOver(job)) ?? trainings[0];
    this.runs.show(this.#jobs, this.#view === "run" ? chosen?.id : null);
    if (this.#view === "run" && chosen) this.run.show(chosen);
    if (this.#view === "run" && !chosen) this.open("new");
    if (this.#view === "checkpoints") this.checkpoints.follow(this.#jobs);
  }

  #close() {
    this.#leaving.abort();
    this.run.close();
  }
}

export function mount(element) {
  mountHeader(element);
  return new TrainingPage(element);
}
