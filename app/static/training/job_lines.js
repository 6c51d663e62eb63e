// Scorings and videos as lines with their progress. A line stays the same element while its numbers
// change, so that a click on its button is never lost.

import { button, h } from "./dom.js";
import { progressBar, stateChip } from "./runs.js";
import { chosenEpisodes, counted, criticOf, isOver } from "./words.js";

export class JobLines {
  #cancel;
  #refusal;
  #lines = new Map();

  // `cancel(job)` asks a job to stop; `refusal()` says why the user may not, or ""; `withCheckpoint`:
  // lines say whose critic it is.
  constructor({ cancel, refusal = () => "", withCheckpoint }) {
    this.#cancel = cancel;
    this.#refusal = refusal;
    this.withCheckpoint = withCheckpoint;
    this.element = h("div", { class: "dk-jobs" });
  }

  show(jobs) {
    const known = new Set(jobs.map((job) => job.id));
    for (const id of this.#lines.keys()) if (!known.has(id)) this.#lines.delete(id);
    const lines = jobs.map((job) => this.#line(job));
    const shown = this.element.children;
    if (lines.length !== shown.length || lines.some((line, index) => shown[index] !== line)) this.element.replaceChildren(...lines);
  }

  #line(job) {
    let line = this.#lines.get(job.id);
    if (line === undefined) {
      line = h("div", { class: "dk-job" },
        h("b", {}, job.kind === "score" ? "scoring" : "videos"),
        h("span", {}, chosenEpisodes(job.params.episodes), " ", this.withCheckpoint && h("code", {}, criticOf(job) || "as recorded")),
        h("span"), h("span"), h("span", { class: "dk-quiet" }), button("Cancel", () => this.#cancel(job), { title: this.#refusal(), disabled: Boolean(this.#refusal()) }));
      this.#lines.set(job.id, line);
    }
    const words = JSON.stringify([job.state, job.progress, job.message]);
    if (line.shownWords !== words) {
      line.shownWords = words;
      const [, , state, bar, said, cancel] = line.children;
      state.replaceChildren(stateChip(job));
      bar.replaceChildren(progressBar(job));
      said.textContent = outcomeOf(job);
      cancel.style.visibility = isOver(job) ? "hidden" : "visible";
    }
    return line;
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
