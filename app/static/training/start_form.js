// The form of a new run. Every change asks the server what would come of it, which starts nothing.

import { get, post, startJob } from "./api.js";
import { button, field, h, select } from "./dom.js";
import { FieldTable } from "./field_table.js";
import { sourceTable, warningList } from "./orders.js";
import { SourceRows } from "./source_rows.js";
import { counted } from "./words.js";

const ASK_AFTER_MS = 250;
const OTHER = "other";
const AFTER = [["", "nothing"], ["score", "score all episodes with it"], ["video", "score all episodes, then make critic videos"]];
const WANDB = [["off", "off"], ["offline", "offline: files to sync later"], ["online", "online: sends the numbers to wandb.ai"]];

export class StartForm {
  #page;
  #presets = [];
  #checkpoints = [];
  #state = fresh();
  #asked = 0;
  #timer = null;
  #sources = new SourceRows({ changed: () => this.#edited() });
  #fields = new FieldTable({ changed: () => this.#edited() });
  #presetChoices = h("div", { class: "dk-presets", role: "radiogroup", "aria-label": "preset" });
  #basics = h("div", { class: "dk-basics" });
  #preview = h("div", { class: "dk-preview", "aria-live": "polite" });
  #start = button("Start training", () => this.#submit(), { kind: "primary" });
  #summary = h("span", { class: "dk-start-summary" });
  #isFilled = false;

  // `page` has doing(work) and open(view, id).
  constructor(page) {
    this.#page = page;
    const panel = (title, ...parts) => h("section", { class: "dk-panel" }, h("h2", {}, title), ...parts);
    this.element = h("div", { class: "dk-view dk-form" },
      panel("What it learns from", this.#sources.element, this.#preview),
      panel("How", this.#presetChoices, this.#basics),
      h("section", { class: "dk-panel" }, h("details", {}, h("summary", {}, h("b", {}, "Every setting"),
        " – values of the preset, each with its meaning"), this.#fields.element)),
      h("div", { class: "dk-start" }, this.#summary, this.#start));
  }

  // The form came into sight: what can be chosen may have changed since.
  async shown() {
    try {
      const [presets, sources, checkpoints] = await Promise.all([
        get("/api/training/presets"), get("/api/training/sources"), get("/api/checkpoints", { limit: 200 })]);
      this.#presets = presets.items;
      this.#checkpoints = checkpoints.items;
      this.#sources.know(sources.items);
      if (!this.#isFilled) {
        const promoted = this.#checkpoints.find((checkpoint) => checkpoint.promoted_s !== null);
        this.#state.start = promoted?.id ?? "tiny";
      }
      this.#isFilled = true;
      this.#fields.know(presets.fields);
      this.#render();
      this.#ask();
    } catch (refusal) {
      this.#page.tell("error", refusal.message, refusal.hint);
    }
  }

  // As the job with these params; its run's name is taken already.
  fill(params) {
    this.#isFilled = true;
    this.#state = { ...fresh(), ...params, run: "", preset: params.config ? "" : params.preset ?? "recap", start: params.start ?? "" };
    this.#sources.fill(params);
    this.#fields.fill(params.overrides ?? {});
  }

  get params() {
    const { preset, config, start, steps, run, device, keep, processes, wandb, wandb_project: project } = this.#state;
    const params = {
      ...(config && !preset ? { config } : { preset }), sources: this.#sources.sources,
      device, keep: Number(keep), processes: Number(processes), wandb,
    };
    if (start) params.start = start.trim();
    if (steps) params.steps = Number(steps);
    if (run) params.run = run.trim();
    if (wandb !== "off" && project) params.wandb_project = project;
    if (Object.keys(this.#fields.overrides).length) params.overrides = this.#fields.overrides;
    return params;
  }

  // Jobs that follow the training, for its newest checkpoint.
  get then() {
    const params = { checkpoint: "job:first", episodes: "all" };
    const score = { kind: "score", params };
    const video = { kind: "video", params: { ...params, every: Math.max(1, Number(this.#state.every) || 1) } };
    return { "": [], score: [score], video: [score, video] }[this.#state.afterwards];
  }

  #set(name, value) {
    this.#state[name] = value;
    this.#edited();
  }

  #edited() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#ask(), ASK_AFTER_MS);
  }

  #render() {
    const cards = this.#presets.map((preset) => h("label", { class: "dk-preset", data: { wrong: preset.problem ? "yes" : "no" } },
      h("input", { type: "radio", name: "preset", value: preset.name, checked: preset.name === this.#state.preset, disabled: Boolean(preset.problem),
        on: { change: () => this.#set("preset", preset.name) } }),
      h("b", {}, preset.name), h("span", { class: "dk-quiet" }, preset.problem ? "" : counted(preset.total_steps, "step")),
      h("span", { class: "dk-preset-about" }, (preset.problem || preset.about).replaceAll("`", ""))));
    this.#presetChoices.replaceChildren(...cards);
    this.#basics.replaceChildren(...[
      field("start from", this.#startChoice(), "Weights that the run begins with; a checkpoint brings its own model size."),
      field("optimiser steps", this.#input("steps", { type: "number", min: "1", placeholder: "as the preset says" }), "Its stages are stretched or shrunk to fit."),
      field("name of the run", this.#input("run", { type: "text", placeholder: "chosen for you", maxlength: "96" }), "Letters, digits, '.', '_', '-'; also the folder of its checkpoints."),
      field("device", select([["auto", "the GPU if there is one"], ["cpu", "CPU"], ["cuda", "CUDA GPU"]], this.#state.device, (value) => this.#set("device", value))),
      field("GPUs or processes", this.#input("processes", { type: "number", min: "1", max: "16" }), "More than one: started by Hugging Face Accelerate."),
      field("newest checkpoints to keep", this.#input("keep", { type: "number", min: "1" }), "The promoted one and those that drove episodes stay in any case."),
      field("Weights & Biases", select(WANDB, this.#state.wandb, (value) => { this.#set("wandb", value); this.#render(); }), "Nothing is sent unless it is online."),
      this.#state.wandb !== "off" && field("W&B project", this.#input("wandb_project", { type: "text" })),
      field("when it is done", select(AFTER, this.#state.afterwards, (value) => { this.#set("afterwards", value); this.#render(); }), "With its last checkpoint, also when this page is closed."),
      this.#state.afterwards === "video" && field("one video in", this.#input("every", { type: "number", min: "1" }), "episodes, oldest first"),
    ].filter(Boolean));
  }

  #input(name, attributes) {
    return h("input", { ...attributes, value: this.#state[name], on: { input: (event) => this.#set(name, event.target.value) } });
  }

  #startChoice() {
    const { start } = this.#state;
    const options = [
      ["tiny", "nothing: the tiny model, which trains on a CPU"],
      ["", "what the preset names"],
      ...this.#checkpoints.map((checkpoint) => [checkpoint.id, checkpoint.id + (checkpoint.promoted_s ? "  (promoted)" : "")]),
      [OTHER, "another folder or Hub id"],
    ];
    const isOther = !options.some(([value]) => value === start);
    const text = h("input", { type: "text", placeholder: "/models/pi05 or lerobot/pi05_base", value: isOther ? start : "", hidden: !isOther,
      "aria-label": "folder or Hub id", on: { input: (event) => this.#set("start", event.target.value) } });
    const choice = select(options, isOther ? OTHER : start, (value) => {
      text.hidden = value !== OTHER;
      this.#set("start", value === OTHER ? text.value : value);
    });
    return h("span", { class: "dk-stack" }, choice, text);
  }

  async #ask() {
    const asked = ++this.#asked;
    let preview;
    try {
      preview = await post("/api/training/preview", { params: this.params });
    } catch (refusal) {
      preview = { problem: refusal.message, sources: [], warnings: [], skipped: [], not_counted: [] };
    }
    // An answer to an older question than the last one.
    if (asked !== this.#asked) return;
    if (preview.config) this.#fields.show(preview.config);
    this.#preview.replaceChildren(...[
      preview.sources.length > 0 && sourceTable(preview.sources),
      ...preview.not_counted.map((name) => h("p", { class: "dk-quiet" }, `${name} is counted once it is downloaded.`)),
      warningList(preview.warnings),
      preview.skipped.length > 0 && h("details", {}, h("summary", {}, `${counted(preview.skipped.length, "episode")} left out`),
        h("ul", {}, preview.skipped.map(({ id, reason }) => h("li", {}, h("code", {}, id), ` ${reason}`)))),
    ].filter(Boolean));
    const why = this.#page.rights.refusal("operator", "start a training");
    this.#start.disabled = Boolean(preview.problem || why);
    this.#start.title = why;
    this.#summary.dataset.wrong = preview.problem ? "yes" : "no";
    this.#summary.textContent = preview.problem ? `✗ ${preview.problem}`
      : `${counted(preview.total_steps, "step")} on ${counted(preview.episodes, "episode")}, model ${preview.config.model.size}`
        + (preview.needs_hub ? ". It will download what is named by a Hub id." : "");
  }

  async #submit() {
    this.#start.disabled = true;
    const job = await this.#page.doing(() => startJob("train", this.params, this.then));
    this.#start.disabled = false;
    if (job) {
      this.#state.run = "";
      this.#page.open("run", job.id);
    }
  }
}

function fresh() {
  return {
    preset: "recap", config: null, start: "tiny", steps: "", run: "", device: "auto", keep: 3, processes: 1,
    wandb: "off", wandb_project: "handrail", afterwards: "", every: 1,
  };
}
