// What the page knows right now, in one place: from the newest hello, the newest tick and the lease.

import { indexed } from "./profiles.js";
import { isMoving } from "./wording.js";

const SILENT_AFTER_MS = 1500;

export class View {
  session = null;
  tick = null;
  you = "";
  role = "viewer";
  profile = "seed";
  keys = indexed("seed");
  lease = { holder: null, mine: false, you: "" };
  focused = true;
  muted = "";
  linked = false;
  everLinked = false;
  attempts = 0;
  pad = "";
  // The server's clock, Unix seconds.
  serverNow_s = 0;
  // Number of the attempt that is running or ran last, null before the first.
  lastNumber = null;
  #phase = "unknown";
  #ticked_at = 0;
  // What each phase allows, as the server said when it was last in it.
  #possible = new Map();

  setTick(tick) {
    this.tick = tick;
    if (tick.episode) this.lastNumber = tick.episode.number;
    this.#phase = tick.phase;
    this.#ticked_at = performance.now();
  }

  // Returns the grade that this hello brings news of, or null.
  setHello(hello) {
    const before = this.session?.counts;
    const { counts, phase, possible } = hello.session;
    this.session = hello.session;
    this.you = hello.you;
    this.role = hello.role;
    this.profile = hello.profile;
    this.everLinked = true;
    this.#phase = phase;
    if (phase === "closed") this.tick = null;
    this.#possible.set(phase, possible);
    if (before === undefined) return null;
    if (counts.success > before.success) return "success";
    return counts.failure > before.failure ? "failure" : null;
  }

  // The link broke: what was known is no longer so.
  lose() {
    this.tick = null;
    this.#phase = "unknown";
  }

  get phase() {
    const actor = this.session?.actor.state;
    if (this.session === null || this.#phase === "unknown") return "unknown";
    return actor === "connected" ? this.#phase : "unknown";
  }

  // The robot's side was heard lately.
  get fresh() {
    return this.tick !== null && performance.now() - this.#ticked_at < SILENT_AFTER_MS;
  }

  get moving() {
    return isMoving(this.phase);
  }

  get possible() {
    return this.#possible.get(this.phase) ?? [];
  }

  get actor() {
    return this.session?.actor ?? null;
  }

  get reason() {
    return this.tick?.reason || this.session?.reason || "";
  }

  get came_from() {
    return this.tick?.came_from ?? null;
  }

  get policy() {
    return this.tick?.policy || this.session?.policy || "";
  }

  // Only a simulator knows by itself that the task is done.
  get seesSuccess() {
    return this.tick?.verdict === true;
  }

  get episode() {
    if (this.phase === "unknown") return null;
    return (this.tick ?? this.session)?.episode ?? null;
  }

  get rates() {
    return this.tick?.rates ?? this.session?.rates ?? null;
  }

  get mayOperate() {
    return this.role === "operator" || this.role === "admin";
  }

  get mayLabel() {
    return this.role === "labeler" || this.mayOperate;
  }

  // This page may send commands: it has the lease, or nobody has.
  get mayDrive() {
    return this.mayOperate && this.linked && (this.lease.mine || this.lease.holder === null);
  }
}
