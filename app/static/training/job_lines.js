// Scorings and videos as lines with their progress. A line stays the same element while its numbers
// change, so that a click on its button is never lost.

import { button, h } from "./dom.js";
import { progressBar, stateChip } from "./runs.js";
import { chosenEpisodes, counted, criticOf, isOver } from "./words.js";

export class JobLines {
  #act;
  #refusal;
  #lines = new Map();

  // `act(job, what)` carries out "cancel" or "resume"; `refusal()` says why the user may not, or "";
  // `withCheckpoint`: lines say whose critic it is.
  constructor({ act, refusal = () => "", withCheckpoint }) {
    this.#act = act;
    this.#refusal = refusal;
    this.withCheckpoint = withCheckpoint;
    this.element = h("div", { class: "dk-jobs" });
  }

  show(jobs) {
    const known = new Set(jobs.map((job) => job.id));
    for (const id of this.#lines.keys()) if (!known.has(id)) this.#lines.delete(id);
    const lines = jobs.map((job) => this.#line(job).element);
    const shown = this.element.children;
    if (lines.length !== shown.length || lines.some((line, index) => shown[index] !== line)) this.element.replaceChildren(...lines);
  }

  #line(job) {
    let line = this.#lines.get(job.id);
    if (line === undefined) {
      line = new JobLine(job, { act: this.#act, withCheckpoint: this.withCheckpoint });
      this.#lines.set(job.id, line);
    }
    line.show(job, this.#refusal());
    return line;
  }
}

class JobLine {
  #job;
  #shownWords = "";
  #state = h("span");
  #bar = h("span");
  #said = h("span");
  #log;
  #button;

  constructor(job, { act, withCheckpoint }) {
    this.#job = job;
    this.#log = h("a", { href: `/api/jobs/${job.id}/log`, target: "_blank" }, "log");
    this.#button = button("Cancel", () => act(this.#job, isOver(this.#job) ? "resume" : "cancel"));
    this.element = h("div", { class: "dk-job" },
      h("b", {}, job.kind === "score" ? "scoring" : "videos"),
      h("span", {}, chosenEpisodes(job.params.episodes), " ", withCheckpoint && h("code", {}, criticOf(job) || "as recorded")),
      this.#state, this.#bar, h("span", { class: "dk-quiet" }, this.#said, " ", this.#log), this.#button);
  }

  show(job, refusal) {
    this.#job = job;
    const words = JSON.stringify([job.state, job.progress, job.message, refusal]);
    if (this.#shownWords === words) return;
    this.#shownWords = words;
    this.#state.replaceChildren(stateChip(job));
    this.#bar.replaceChildren(progressBar(job));
    this.#said.textContent = outcomeOf(job);
    this.#log.hidden = job.started_s === null;
    this.#button.textContent = isOver(job) ? "Retry" : "Cancel";
    this.#button.title = refusal || (isOver(job) ? "Goes on with what is not done yet, and brings back what waited for it." : "");
    this.#button.disabled = Boolean(refusal);
    this.#button.style.visibility = job.state === "done" ? "hidden" : "visible";
  }
}

function outcomeOf(job) {
  if (job.state !== "done") return job.message;
  const { scored, relabelled, known, videos, skipped, steps_per_s: pace } = job.result;
  const parts = job.kind === "score"
    ? [`${scored} scored`, relabelled ? `${relabelled} relabelled` : "", pace ? `${Math.round(pace)} steps/s` : ""]
    : [counted(videos.length, "video")];
  return [...parts, known ? `${known} there already` : "", skipped?.length ? `${skipped.length} left out` : ""].filter(Boolean).join(", ");
}
