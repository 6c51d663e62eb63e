// Imports, exports, checks and pushes that are under way or just ended, each a line with its progress.

import { button, h } from "../training/dom.js";
import { progressBar, stateChip } from "../training/runs.js";
import { counted, isOver } from "../training/words.js";
import { gate } from "./roles.js";

const WORDS = { export: "export", import: "import", health: "health", push: "push" };
export const KINDS = Object.keys(WORDS);
const RECENT_S = 300;

export class DataJobs {
  #page;
  #lines = new Map();
  element = h("section", { class: "dk-panel da-jobs", hidden: true, "aria-label": "Under way" });

  constructor(page) {
    this.#page = page;
  }

  show(jobs) {
    const now_s = Date.now() / 1000;
    const shown = jobs.filter((job) => !isOver(job) || now_s - (job.ended_s ?? 0) < RECENT_S).slice(0, 6);
    const known = new Set(shown.map((job) => job.id));
    for (const id of this.#lines.keys()) if (!known.has(id)) this.#lines.delete(id);
    const lines = shown.map((job) => this.#line(job));
    const there = this.element.children;
    if (lines.length !== there.length || lines.some((line, index) => there[index] !== line)) this.element.replaceChildren(...lines);
    this.element.hidden = lines.length === 0;
  }

  // The same element while its numbers change, so that no click is lost.
  #line(job) {
    let line = this.#lines.get(job.id);
    if (line === undefined) {
      const of = job.params.repo_id ?? job.params.path ?? "";
      line = h("div", { class: "da-job", data: { kind: job.kind } }, h("b", {}, WORDS[job.kind]), h("span", { class: "dk-ellipsis", title: of }, of), h("span"), h("span"),
        h("span", { class: "dk-quiet da-said" }), h("span", { class: "dk-actions" }));
      this.#lines.set(job.id, line);
    }
    const words = JSON.stringify([job.state, job.progress, job.message, this.#page.role]);
    if (line.shownWords === words) return line;
    line.shownWords = words;
    line.dataset.state = job.state;
    const [, , state, bar, said, does] = line.children;
    state.replaceChildren(stateChip(job));
    bar.replaceChildren(progressBar(job));
    said.textContent = outcomeOf(job);
    const what = isOver(job) ? this.#after(job) : [this.#cancelling(job)];
    does.replaceChildren(...what, h("a", { href: `/api/jobs/${job.id}/log`, target: "_blank", rel: "noopener" }, "Log"));
    return line;
  }

  #cancelling(job) {
    const cancel = button("Cancel", () => this.#page.cancel(job));
    gate(cancel, this.#page.role, "operator");
    return cancel;
  }

  #after(job) {
    const repoId = job.params.repo_id;
    if (job.state !== "done" || !repoId || !this.#page.datasets.some((dataset) => dataset.repo_id === repoId)) return [];
    return [button("Open", () => this.#page.open({ dataset: repoId }))];
  }
}

function outcomeOf(job) {
  if (job.state !== "done") return job.message;
  const { result } = job;
  if (job.kind === "export") return `${counted(result.episodes, "episode")}, ${counted(result.frames, "frame")}, verified`;
  if (job.kind === "push") return `${counted(result.files, "file")} at ${result.url}`;
  return job.message;
}
