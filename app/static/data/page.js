// The Data page: datasets on the left; on the right one of them, the episodes, or a form.
//
// What is shown stands in the address, so that a link opens the same view. The jobs are asked for
// every second while one is under way, else every four, and not at all while the tab is hidden.

import { mount as mountHeader } from "../header.js";
import { Notices } from "../live/notices.js";
import { partsOf } from "../live/paint.js";
import { get, post, query } from "../training/api.js";
import { isOver } from "../training/words.js";
import { DataJobs, KINDS } from "./data_jobs.js";
import { DatasetList } from "./dataset_list.js";
import { DatasetView } from "./dataset_view.js";
import { EpisodesView } from "./episodes_view.js";
import { ExportForm } from "./export_form.js";
import { ImportForm } from "./import_form.js";
import { TrashView } from "./trash_view.js";

const BUSY_MS = 1000;
const IDLE_MS = 4000;

class DataPage {
  #element;
  #parts;
  #notices;
  #views;
  #jobs;
  #list;
  #over = null;
  #timer = null;
  #lost = false;
  #leaving = new AbortController();
  datasets = [];
  role = "viewer";

  constructor(element) {
    this.#element = element;
    this.#parts = partsOf(element);
    this.#notices = new Notices({ toasts: this.#parts.toasts, banner: null });
    this.#list = new DatasetList(this);
    this.#jobs = new DataJobs(this);
    this.#views = {
      episodes: new EpisodesView(this), export: new ExportForm(this), import: new ImportForm(this), trash: new TrashView(this), dataset: new DatasetView(this),
    };
    this.#parts.side.append(this.#list.element);
    this.#parts.jobs.append(this.#jobs.element);
    const { signal } = this.#leaving;
    addEventListener("popstate", () => this.#read(), { signal });
    document.addEventListener("visibilitychange", () => this.#look(), { signal });
    this.#begin();
  }

  // --- what views may ask of the page

  // Shows a view: {view: "episodes" | "export" | "import" | "trash", …} or {dataset}.
  open(address) {
    history.pushState(null, "", location.pathname + query(address));
    this.#read();
  }

  // Runs something the user asked for; a refusal is told and gives undefined.
  async doing(work) {
    try {
      const result = await work();
      await this.#refresh();
      this.#look();
      return result;
    } catch (refusal) {
      this.tell("error", refusal.message, refusal.hint);
      return undefined;
    }
  }

  cancel(job) {
    return this.doing(() => post(`/api/jobs/${job.id}/cancel`));
  }

  tell(level, message, hint = "") {
    this.#notices.toast(level, message, { hint });
  }

  // The server did not answer one of the regular questions: said once, until it answers again.
  lost(refusal) {
    if (!this.#lost) this.tell("error", refusal.message, refusal.hint || "This page asks again by itself.");
    this.#lost = true;
  }

  // --- the page itself

  async #begin() {
    await this.#refresh();
    this.#read();
    this.#look();
  }

  get #address() {
    const given = Object.fromEntries(new URLSearchParams(location.search));
    const view = given.dataset ? "dataset" : given.view;
    return { ...given, view: view in this.#views ? view : "episodes" };
  }

  #read() {
    const address = this.#address;
    const view = this.#views[address.view];
    if (this.#parts.view.firstChild !== view.element) {
      this.#parts.view.replaceChildren(view.element);
      this.#element.querySelector(".dk-main").scrollTop = 0;
    }
    if (address.view === "dataset") view.show(address.dataset);
    else view.shown(address);
    this.#list.show(this.datasets, address);
  }

  // Datasets anew, and what is shown of them.
  async #refresh() {
    try {
      const { items, role } = await get("/api/datasets");
      this.datasets = items;
      this.role = role;
      this.#lost = false;
    } catch (refusal) {
      this.lost(refusal);
    }
    this.#list.show(this.datasets, this.#address);
  }

  async #look() {
    clearTimeout(this.#timer);
    if (!this.#element.isConnected) {
      this.#leaving.abort();
      return;
    }
    if (document.hidden) return;
    let busy = false;
    try {
      const { items } = await get("/api/jobs", { limit: 100 });
      const jobs = items.filter((job) => KINDS.includes(job.kind));
      await this.#follow(jobs);
      this.#jobs.show(jobs);
      busy = jobs.some((job) => !isOver(job));
      this.#lost = false;
    } catch (refusal) {
      this.lost(refusal);
    }
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#look(), busy ? BUSY_MS : IDLE_MS);
  }

  // When a job ended, what it made is shown; while one imports, its episodes come in one by one.
  async #follow(jobs) {
    const over = jobs.filter(isOver).map((job) => job.id).sort().join();
    const ended = this.#over !== null && over !== this.#over;
    this.#over = over;
    if (ended) {
      await this.#refresh();
      const address = this.#address;
      if (address.view === "dataset") this.#views.dataset.show(address.dataset);
      else this.#views[address.view].refresh();
    } else if (this.#address.view === "episodes" && jobs.some((job) => job.kind === "import" && !isOver(job))) {
      this.#views.episodes.refresh();
    }
  }
}

export function mount(element) {
  mountHeader(element);
  return new DataPage(element);
}
