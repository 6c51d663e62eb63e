// The chosen run: how it goes, alarms in words, curves, advantages, log, and what exactly was asked.

import { get, post } from "./api.js";
import { AdvantageView } from "./advantages.js";
import { CalibrationView } from "./calibration.js";
import { chartsFor } from "./chart_list.js";
import { button, confirmed, h } from "./dom.js";
import { LogView } from "./log_view.js";
import { Metrics } from "./metrics.js";
import { Orders } from "./orders.js";
import { Plot } from "./plot.js";
import { progressBar, stateChip, stepsOf } from "./runs.js";
import { isOver, percent, runName, span, when } from "./words.js";

export class RunView {
  #page;
  #job = null;
  #metrics = null;
  #plots = new Map();
  #updating = false;
  #labelledAt = null;
  #title = h("div", { class: "dk-run-title" });
  #progress = h("div", { class: "dk-run-progress" });
  #facts = h("dl", { class: "dk-facts" });
  #head = h("section", { class: "dk-panel dk-run-head" }, this.#title, this.#progress, this.#facts);
  #alarms = h("section", { class: "dk-alarms", "aria-live": "polite" });
  #plotGrid = h("div", { class: "dk-plots" });
  #noPlots = h("p", { class: "dk-empty" });
  #log = new LogView();
  #orders = new Orders();
  #advantages;
  #calibration = new CalibrationView();

  // `page` has doing(work), refresh(), open(view, id) and newRunLike(params).
  constructor(page) {
    this.#page = page;
    this.#advantages = new AdvantageView({
      useSetting: (name, value) => {
        const params = this.#job.params;
        page.newRunLike({ ...params, overrides: { ...params.overrides, [name]: value } });
      },
    });
    this.element = h("div", { class: "dk-view" },
      this.#head, this.#alarms,
      h("section", { class: "dk-panel" },
        h("div", { class: "dk-panel-head" }, h("span", { class: "dk-plot-title" }, "Curves over optimiser steps"),
          h("span", { class: "dk-quiet" }, "drag to zoom, double-click to see all")),
        this.#noPlots, this.#plotGrid),
      h("div", { class: "dk-pair" }, this.#advantages.element, this.#calibration.element),
      this.#log.element, this.#orders.element);
    this.#resized = new ResizeObserver(() => this.#fit());
    this.#resized.observe(this.#plotGrid);
    this.#darkened = new MutationObserver(() => this.#recolour());
    this.#darkened.observe(document.body, { attributes: true, attributeFilter: ["class"] });
  }

  #resized;
  #darkened;

  close() {
    this.#resized.disconnect();
    this.#darkened.disconnect();
    for (const plot of this.#plots.values()) plot.close();
  }

  // Called at every look at the jobs, also when nothing changed.
  show(job) {
    if (job.id !== this.#job?.id) this.#begin(job);
    const words = JSON.stringify([job.state, job.progress, job.message, job.result.alarms, job.result.checkpoint]);
    if (words !== this.#head.shownWords) {
      this.#head.shownWords = words;
      this.#showHead(job);
      this.#showAlarms(job);
      this.#orders.show(job);
    }
    const wasOver = this.#job !== null && isOver(this.#job) && this.#job.id === job.id;
    this.#job = job;
    if (!wasOver || this.#metrics.size === 0) this.#update(job);
  }

  #begin(job) {
    this.#job = null;
    this.#metrics = new Metrics(job.id);
    this.#labelledAt = null;
    this.#head.shownWords = "";
    for (const plot of this.#plots.values()) plot.close();
    this.#plots.clear();
    this.#plotGrid.replaceChildren();
    this.#advantages.show(null);
    this.#calibration.show([]);
  }

  async #update(job) {
    if (this.#updating) return;
    this.#updating = true;
    try {
      const metrics = this.#metrics;
      const found = await metrics.update();
      if (metrics !== this.#metrics) return;
      this.#noPlots.hidden = metrics.size > 0;
      this.#noPlots.textContent = isOver(job)
        ? "It ended before it measured anything; the log says why." : "Curves appear with its first numbers.";
      if (found) this.#draw();
      await Promise.all([this.#log.update(job.id), this.#label(job)]);
    } catch (refusal) {
      this.#page.lost(refusal);
    } finally {
      this.#updating = false;
    }
  }

  async #label(job) {
    const share = this.#metrics.newest("train/advantage_positive_label_fraction");
    const steps = this.#metrics.columns(["train/advantage_positive_label_fraction"])[0];
    const at = steps.at(-1);
    if (share === undefined || at === this.#labelledAt) return;
    try {
      const advantages = await get(`/api/jobs/${job.id}/advantages`);
      if (job.id !== this.#job.id) return;
      this.#labelledAt = at;
      this.#advantages.show(advantages);
      this.#calibration.show(advantages.calibration);
    } catch (refusal) {
      // It measured the share a moment before the table is there.
      if (refusal.code !== "not_labelled") throw refusal;
    }
  }

  #draw() {
    const charts = chartsFor(this.#metrics.names);
    const drawn = new Map();
    for (const chart of charts) {
      const key = [chart.title, ...chart.series.map((series) => series.name)].join("|");
      const plot = this.#plots.get(key) ?? new Plot(chart);
      drawn.set(key, plot);
      if (!this.#plots.has(key)) this.#plotGrid.append(plot.element);
      plot.show(this.#metrics.columns(chart.series.map((series) => series.name)), this.#metrics.lastStep);
    }
    for (const [key, plot] of this.#plots) {
      if (!drawn.has(key)) {
        plot.close();
        plot.element.remove();
      }
    }
    this.#plots = drawn;
    const order = [...drawn.values()].map((plot) => plot.element);
    if (order.some((element, index) => this.#plotGrid.children[index] !== element)) this.#plotGrid.replaceChildren(...order);
  }

  #fit() {
    for (const plot of this.#plots.values()) plot.fit();
    this.#advantages.fit();
    this.#calibration.draw();
  }

  #recolour() {
    if (this.#metrics?.size) this.#draw();
    this.#advantages.draw();
    this.#calibration.draw();
  }

  // Buttons are made anew only when they mean something else, or a click could be lost.
  #showHead(job) {
    const acts = JSON.stringify([job.id, job.state, job.message === "stopping"]);
    if (acts !== this.#title.shownWords) {
      this.#title.shownWords = acts;
      this.#title.replaceChildren(h("h2", {}, runName(job)), stateChip(job), this.#buttons(job));
    }
    const checkpoint = job.result.checkpoint;
    const facts = [
      ["steps", stepsOf(job) || "–"],
      ["started by", `${job.author}, ${when(job.created_s)}`],
      [isOver(job) ? "took" : "running for", job.started_s ? span((job.ended_s ?? Date.now() / 1000) - job.started_s) : "–"],
      ["labels up to", job.label_revision ? `event ${job.label_revision}` : "–"],
      ["started from", job.params.start ?? job.result.config?.model.start_from ?? "nothing"],
      ["waited for data", percent(job.result.data_wait_share)],
      ["newest checkpoint", checkpoint ? this.#linkTo(checkpoint) : "–"],
    ];
    this.#progress.replaceChildren(progressBar(job),
      h("p", { class: "dk-run-message", data: { state: job.state } }, job.state === "done" ? "It came to its end." : job.message));
    this.#facts.replaceChildren(...facts.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
  }

  #linkTo(checkpoint) {
    const open = (event) => {
      event.preventDefault();
      this.#page.open("checkpoints", checkpoint);
    };
    return h("a", { href: `?view=checkpoints&checkpoint=${checkpoint}`, on: { click: open } }, checkpoint);
  }

  #buttons(job) {
    const act = (what) => this.#page.doing(() => post(`/api/jobs/${job.id}/${what}`));
    const stopping = job.message === "stopping";
    const why = this.#page.rights.refusal("operator", "stop and resume trainings");
    const disabled = Boolean(why);
    return h("span", { class: "dk-actions" },
      !isOver(job) && !stopping && button("Cancel", () => act("cancel"), {
        disabled, title: why || "Finishes its step and writes a checkpoint, from which it can be resumed." }),
      !isOver(job) && stopping && button("End it now", () => this.#kill(job), {
        kind: "small danger", disabled, title: why || "By force: what is not in a checkpoint is lost." }),
      ["failed", "cancelled"].includes(job.state) && button("Resume", () => act("resume"), {
        kind: "primary", disabled, title: why || "Goes on from its last checkpoint with the same episodes and labels." }),
      button("New run like this", () => this.#page.newRunLike(job.params)));
  }

  async #kill(job) {
    const sure = await confirmed({
      title: `End ${runName(job)} by force?`, yes: "End it now", danger: true,
      lines: ["It was asked to stop and is finishing its step. By force it loses all steps since its last checkpoint."],
    });
    if (sure) await this.#page.doing(() => post(`/api/jobs/${job.id}/cancel?force=true`));
  }

  #showAlarms(job) {
    const alarms = Object.entries(job.result.alarms ?? {});
    this.#alarms.replaceChildren(...alarms.map(([name, { step, text }]) => h("div", { class: "dk-alarm", data: { name } },
      h("span", { "aria-hidden": "true" }, "⚠"), h("span", {}, text, h("small", {}, ` Since step ${step}.`)))));
  }
}
