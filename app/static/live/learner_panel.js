// The online learner: start it from here, see how far it is and how new the weights are that drive.

import { answerOf } from "./answers.js";
import { make, setData, setShown, setText } from "./paint.js";
import { clock } from "./units.js";
import { sentence } from "./wording.js";

const EVERY_MS = 3000;
const AFTER_ERROR_MS = 30000;
const ACTIVE = new Set(["queued", "running"]);
const RESUMABLE = new Set(["failed", "cancelled"]);
const NO_OFFLINE = "none";
const RECORDED = "recorded";
const USUAL_PRESET = "online";
// A learner that failed longer ago is nobody's news.
const NEWS_S = 3600;

export class LearnerPanel {
  #root;
  #notices;
  #form;
  #preset;
  #start;
  #offline;
  #share;
  #after;
  #every;
  #begin;
  #now;
  #state;
  #weights;
  #message;
  #bar;
  #stop;
  #resume;
  #mark;
  #job = null;
  // The first answer has come.
  #known = false;
  #opened = false;
  // The end of the newest learner was looked at, by its id.
  #seen = "";
  #asked_at = -Infinity;
  #choices = false;
  #may = false;
  #session_id = null;

  // `mark(failed)` is told whether a learner has failed that nobody looked at yet.
  constructor({ root, notices, mark }) {
    this.#root = root;
    this.#notices = notices;
    this.#mark = mark;
    this.#makeForm();
    this.#makeNow();
    root.append(this.#form, this.#now);
    this.#showJob();
  }

  #makeForm() {
    this.#form = make("form", "learner-form");
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
      this.#form.append(label);
    }
    this.#form.append(this.#begin);
    this.#offline.addEventListener("change", () => this.#fitShare());
    for (const select of [this.#preset, this.#start, this.#offline]) {
      // Or else the driving keys would go on choosing in the list.
      select.addEventListener("change", () => select.blur());
    }
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#begin.blur();
      this.#startLearning();
    });
  }

  #makeNow() {
    this.#now = make("div", "learner-now");
    this.#state = make("strong");
    this.#message = make("span", "learner-message");
    this.#weights = make("span", "learner-weights");
    this.#bar = make("progress");
    this.#bar.max = 1;
    const follow = make("a", "", "Curves and log");
    follow.href = "/training";
    this.#stop = make("button", "small", "Stop learning");
    this.#stop.type = "button";
    this.#stop.addEventListener("click", () => {
      this.#stop.blur();
      this.#cancel();
    });
    this.#resume = make("button", "small", "Resume");
    this.#resume.type = "button";
    this.#resume.addEventListener("click", () => {
      this.#resume.blur();
      this.#goOn();
    });
    const buttons = make("div", "learner-buttons");
    buttons.append(follow, this.#stop, this.#resume);
    this.#now.append(this.#state, this.#message, this.#bar, this.#weights, buttons);
  }

  get #active() {
    return this.#job !== null && ACTIVE.has(this.#job.state);
  }

  // Four times a second. Asks the server while it is looked at or while something learns.
  render(view) {
    this.#may = view.mayOperate && view.linked;
    this.#session_id = view.session?.session_id ?? null;
    this.#begin.disabled = !this.#may || this.#preset.options.length === 0;
    this.#begin.title = this.#may ? "" : "Your role may watch, not start jobs.";
    this.#stop.disabled = this.#resume.disabled = !this.#may;
    this.#resume.title = this.#may ? "Goes on with the same settings" : "Your role may watch, not start jobs.";
    this.#markFailed(view.serverNow_s);
    setText(this.#weights, weightsNote(view));
    if (!this.#root.hidden && !this.#opened) {
      this.#opened = true;
      this.#asked_at = -Infinity;
    }
    const due = performance.now() - this.#asked_at > EVERY_MS;
    if (view.linked && due && (!this.#root.hidden || this.#active || !this.#known)) this.#ask();
  }

  #markFailed(now_s) {
    const job = this.#job;
    const failed = job?.state === "failed" && now_s - job.ended_s < NEWS_S;
    if (failed && !this.#root.hidden) this.#seen = job.id + job.ended_s;
    this.#mark(failed && this.#seen !== job.id + job.ended_s);
  }

  async #ask() {
    this.#asked_at = performance.now();
    try {
      if (!this.#choices && !this.#root.hidden) await this.#fetchChoices();
      const found = await get("/api/jobs?kind=online&limit=1");
      const learned = this.#active;
      this.#job = found.items[0] ?? null;
      this.#known = true;
      if (learned && this.#job?.state === "failed") this.#sayFailed();
      this.#showJob();
    } catch (error) {
      this.#asked_at += AFTER_ERROR_MS;
      this.#say(error);
    }
  }

  async #fetchChoices() {
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

  async #startLearning() {
    this.#begin.disabled = true;
    try {
      this.#job = await post("/api/jobs", { kind: "online", params: this.#params });
      this.#notices.toast("info", "The learner starts.", { hint: "It waits for the first episodes; newer weights come by themselves." });
      this.#showJob();
    } catch (error) {
      this.#say(error);
    }
  }

  async #cancel() {
    try {
      this.#job = await post(`/api/jobs/${this.#job.id}/cancel`, {});
      this.#notices.toast("info", "The learner stops after saving.", { hint: "What drives the robot goes on driving." });
      this.#showJob();
    } catch (error) {
      this.#say(error);
    }
  }

  async #goOn() {
    try {
      this.#job = await post(`/api/jobs/${this.#job.id}/resume`, {});
      this.#notices.toast("info", "The learner goes on.", { hint: "It loads its last checkpoint and takes in what was recorded meanwhile." });
      this.#showJob();
    } catch (error) {
      this.#say(error);
    }
  }

  #sayFailed() {
    const actions = this.#may ? [{ label: "Resume", does: () => this.#goOn() }] : [];
    this.#notices.toast("error", `The learner has ended: ${this.#job.message}`, {
      hint: "The robot goes on with what drives it, and nothing that is recorded is lost.", key: "learner-ended", actions,
    });
  }

  #say(error) {
    this.#notices.toast("warning", error.message, { hint: error.hint ?? "", key: "learner" });
  }

  #showJob() {
    const active = this.#active;
    const job = this.#job;
    setShown(this.#form, !active);
    setShown(this.#now, active || job !== null);
    setShown(this.#stop, active);
    const resumable = !active && RESUMABLE.has(job?.state);
    setShown(this.#resume, resumable);
    // How it ended needs the room.
    setShown(this.#weights, !resumable);
    setData(this.#now, "state", job?.state ?? "none");
    if (job === null) return;
    setText(this.#state, active ? { queued: "Waiting to learn", running: "Learning" }[job.state] : `Last learner: ${job.state}`);
    const message = active ? job.message : endNote(job);
    setText(this.#message, message);
    this.#message.title = message;
    // Learning that has no end has no share of it.
    setShown(this.#bar, active && job.progress > 0);
    this.#bar.value = job.progress;
  }
}

// How a learner ended, and what becomes of it when it is resumed.
export function endNote({ state, message, result }) {
  if (!RESUMABLE.has(state)) return message;
  const ended = state === "cancelled" ? "Stopped." : sentence(message);
  const from = result?.checkpoint ? `goes on from ${result.checkpoint}` : "begins again";
  return `${ended} Resume ${from} and takes in what was recorded meanwhile.`;
}

// How new the weights are that drive, and which come next.
export function weightsNote(view) {
  const promoted = view.session?.promoted ?? null;
  if (promoted === null) return "No weights are promoted yet.";
  const age = clock(Math.max(0, view.serverNow_s - promoted.promoted_s));
  if (view.policy === promoted.policy) return `${promoted.policy} drives, published ${age} ago.`;
  return `${promoted.policy}, published ${age} ago, comes with the next attempt; ${view.policy || "nothing"} drives.`;
}

function number({ value, min, max, step }) {
  const input = make("input");
  Object.assign(input, { type: "number", value, min, max, step, required: true });
  return input;
}

function fill(select, choices) {
  select.replaceChildren(...choices.map(([value, words]) => new Option(words, value)));
}

async function get(path) {
  return answerOf(await fetch(path));
}

async function post(path, body) {
  return answerOf(await fetch(path, {
    method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body),
  }));
}
