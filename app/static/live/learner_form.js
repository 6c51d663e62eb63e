// What an online learner should learn from, and how: the form of the Live page.

import { get } from "./answers.js";
import { make } from "./paint.js";

const NO_OFFLINE = "none";
const RECORDED = "recorded";
const USUAL_PRESET = "online";
export const ROLE = "Your role may watch, not start jobs.";

export class LearnerForm {
  #preset;
  #start;
  #offline;
  #share;
  #after;
  #every;
  #begin;
  #choices = false;
  #session_id = null;

  // `start(params)` is told what somebody wants.
  constructor({ start }) {
    this.root = make("form", "learner-form");
    this.#preset = make("select");
    this.#start = make("select");
    this.#offline = make("select");
    this.#share = number({ value: 50, min: 5, max: 95, step: 5 });
    this.#after = number({ value: 3, min: 1, max: 1000, step: 1 });
    this.#every = number({ value: 120, min: 5, max: 3600, step: 5 });
    this.#begin = make("button", "primary", "Start learning");
    this.#begin.type = "submit";
    for (const [name, words, control, about] of [
      ["preset", "preset", this.#preset, "How it learns; the Training page explains each"],
      ["start", "start from", this.#start, "The checkpoint whose weights it goes on with"],
      ["offline", "learn from, too", this.#offline, "Episodes from before, mixed into every batch"],
      ["share", "their share, %", this.#share, "Of each batch; the rest is from this session on"],
      ["after", "after episodes", this.#after, "It waits until so many episodes are finished"],
      ["every", "weights every, s", this.#every, "How often the robot gets newer weights, between two attempts"],
    ]) {
      const label = make("label", "field");
      label.title = about;
      control.name = name;
      label.append(make("span", "", words), control);
      this.root.append(label);
    }
    this.root.append(this.#begin);
    this.#offline.addEventListener("change", () => this.#fitShare());
    for (const select of [this.#preset, this.#start, this.#offline]) {
      // Or else the driving keys would go on choosing in the list.
      select.addEventListener("change", () => select.blur());
    }
    this.root.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#begin.blur();
      this.#begin.disabled = true;
      start(this.#params);
    });
  }

  render({ may, session_id }) {
    this.#session_id = session_id;
    this.#begin.disabled = !may || this.#preset.options.length === 0;
    this.#begin.title = may ? "" : ROLE;
  }

  // What there is to choose from; asked once.
  async fetchChoices() {
    if (this.#choices) return;
    const [presets, checkpoints, sources] = await Promise.all([
      get("/api/training/presets"), get("/api/checkpoints?limit=50"), get("/api/training/sources"),
    ]);
    const usable = presets.items.filter((preset) => !preset.problem).map((preset) => preset.name);
    fill(this.#preset, usable.map((name) => [name, name]));
    if (usable.includes(USUAL_PRESET)) this.#preset.value = USUAL_PRESET;
    fill(this.#start, [["", "the preset's own"], ...checkpoints.items.map(({ id }) => [id, id])]);
    const promoted = checkpoints.items.find((checkpoint) => checkpoint.promoted_s);
    this.#start.value = (promoted ?? checkpoints.items[0])?.id ?? "";
    const offline = sources.items.filter((source) => !source.problem && source.num_steps > 0);
    fill(this.#offline, [[NO_OFFLINE, "nothing else"], ...offline.map((source) => (
      source.kind === "store" ? [RECORDED, "all recorded episodes"] : [source.repo_id, source.repo_id]
    ))]);
    this.#fitShare();
    this.#choices = true;
  }

  #fitShare() {
    this.#share.disabled = this.#offline.value === NO_OFFLINE;
  }

  get #params() {
    const params = {
      preset: this.#preset.value,
      start_after_episodes: Number(this.#after.value),
      publish_every_s: Number(this.#every.value),
    };
    if (this.#start.value) params.start = this.#start.value;
    // What this session has recorded so far counts as well.
    if (this.#session_id) params.session_id = this.#session_id;
    if (this.#offline.value !== NO_OFFLINE) {
      params.sources = [this.#offline.value === RECORDED
        ? { kind: "store", episodes: "all" }
        : { kind: "dataset", repo_id: this.#offline.value }];
      params.online_share = 1 - Number(this.#share.value) / 100;
    }
    return params;
  }
}

function number({ value, min, max, step }) {
  const input = make("input");
  Object.assign(input, { type: "number", value, min, max, step, required: true });
  return input;
}

function fill(select, choices) {
  select.replaceChildren(...choices.map(([value, words]) => new Option(words, value)));
}
