// The online learner: start it from here (`learner_form.js`), see how far it is and how new the weights are that drive.

import { get, post } from "./answers.js";
import { LearnerForm, ROLE } from "./learner_form.js";
import { make, setData, setShown, setText } from "./paint.js";
import { clock } from "./units.js";
import { sentence } from "./wording.js";

const EVERY_MS = 3000;
const AFTER_ERROR_MS = 30000;
const ACTIVE = new Set(["queued", "running"]);
const RESUMABLE = new Set(["failed", "cancelled"]);
// A learner that failed longer ago is nobody's news.
const NEWS_S = 3600;

export class LearnerPanel {
  #root;
  #notices;
  #form;
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
  #may = false;

  // `mark(failed)` is told whether a learner has failed that nobody looked at yet.
  constructor({ root, notices, mark }) {
    this.#root = root;
    this.#notices = notices;
    this.#mark = mark;
    this.#form = new LearnerForm({ start: (params) => this.#startLearning(params) });
    this.#makeNow();
    root.append(this.#form.root, this.#now);
    this.#showJob();
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
    this.#form.render({ may: this.#may, session_id: view.session?.session_id ?? null });
    this.#stop.disabled = this.#resume.disabled = !this.#may;
    this.#resume.title = this.#may ? "Goes on with the same settings" : ROLE;
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
      if (!this.#root.hidden) await this.#form.fetchChoices();
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

  async #startLearning(params) {
    try {
      this.#job = await post("/api/jobs", { kind: "online", params });
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
    setShown(this.#form.root, !active);
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
