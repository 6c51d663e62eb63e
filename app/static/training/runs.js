// The left column: trainings with how they are, and the scorings and videos that are under way.

import { h } from "./dom.js";
import { chosenEpisodes, criticOf, isOver, JOB_STATES, percent, runName, span, totalSteps, when } from "./words.js";

const RECENT_S = 600;

export function stateChip(job, stopping = job.message === "stopping") {
  const { shape, word } = JOB_STATES[job.state];
  return h("span", { class: "dk-state", data: { state: job.state } }, `${shape} ${stopping && !isOver(job) ? "stopping" : word}`);
}

export function progressBar(job) {
  return h("div", {
    class: "dk-bar", data: { state: job.state }, role: "progressbar", "aria-valuemin": "0", "aria-valuemax": "100",
    "aria-valuenow": Math.round(job.progress * 100),
  }, h("i", { style: `width: ${100 * job.progress}%` }));
}

// "step 120 of 4,000", a dash where nothing is known yet.
export function stepsOf(job) {
  const total = totalSteps(job);
  if (!total) return "";
  return `step ${Math.round(job.progress * total).toLocaleString("en-US")} of ${total.toLocaleString("en-US")}`;
}

function about(job, jobs) {
  const critic = criticOf(job, jobs);
  if (job.kind === "score") return `scores by ${critic}`;
  return critic ? `critic videos by ${critic}` : "videos of recorded values";
}

export class Runs {
  #choose;
  #cards = new Map();
  #jobs = [];
  #list = h("div", { class: "dk-runs", role: "list" });
  #others = h("div", { class: "dk-runs", role: "list" });
  #othersTitle = h("h3", {}, "Scoring and videos");
  #empty = h("p", { class: "dk-empty" }, "No training has run yet. Start one: it learns from everything that was recorded and graded.");

  // `choose(jobId)` shows a run.
  constructor({ choose }) {
    this.#choose = choose;
    this.element = h("div", { class: "dk-runs-column" }, h("h3", {}, "Runs"), this.#empty, this.#list, this.#othersTitle, this.#others);
  }

  show(jobs, chosen) {
    this.#jobs = jobs;
    const trainings = jobs.filter((job) => job.kind === "train");
    const now_s = Date.now() / 1000;
    const others = jobs.filter((job) => ["score", "video"].includes(job.kind)
      && (!isOver(job) || now_s - (job.ended_s ?? 0) < RECENT_S));
    this.#empty.hidden = trainings.length > 0;
    this.#othersTitle.hidden = others.length === 0;
    const known = new Set();
    this.#fill(this.#list, trainings, chosen, known);
    this.#fill(this.#others, others, chosen, known);
    for (const id of this.#cards.keys()) if (!known.has(id)) this.#cards.delete(id);
  }

  #fill(list, jobs, chosen, known) {
    const cards = jobs.map((job) => {
      known.add(job.id);
      return this.#card(job, job.id === chosen);
    });
    if (cards.length !== list.children.length || cards.some((card, index) => list.children[index] !== card)) {
      list.replaceChildren(...cards);
    }
  }

  // Drawn anew only when something in it changed, so that nothing flickers and clicks land.
  #card(job, isChosen) {
    const title = job.kind === "train" ? runName(job) : about(job, this.#jobs);
    const words = JSON.stringify([title, job.state, job.progress, job.message, isChosen, Object.keys(job.result.alarms ?? {})]);
    let card = this.#cards.get(job.id);
    if (card === undefined) {
      card = h("button", { type: "button", class: "dk-run", role: "listitem", on: { click: () => this.#choose(job.id) } });
      this.#cards.set(job.id, card);
    }
    if (card.shownWords === words) return card;
    card.shownWords = words;
    card.setAttribute("aria-current", isChosen);
    const isTraining = job.kind === "train";
    const alarms = Object.keys(job.result.alarms ?? {}).length;
    const ends = isOver(job) ? (job.state === "failed" || job.started_s === null ? job.message : `took ${span((job.ended_s ?? 0) - (job.started_s ?? job.ended_s))}`) : job.message;
    card.replaceChildren(...[
      h("span", { class: "dk-run-name", title: isTraining ? "" : title }, title),
      stateChip(job),
      progressBar(job),
      h("span", { class: "dk-run-words" }, isTraining ? stepsOf(job) : chosenEpisodes(job.params.episodes), h("b", {}, percent(job.progress))),
      h("span", { class: "dk-run-words dk-ellipsis", title: ends }, ends),
      isTraining && h("span", { class: "dk-run-words" }, `${job.author} · ${when(job.created_s)}`,
        alarms > 0 && h("b", { class: "dk-alarm-count" }, `⚠ ${alarms}`)),
    ].filter(Boolean));
    return card;
  }
}
