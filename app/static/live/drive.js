// This page's hand on the robot: the control socket, the lease, what is held, and commands.
//
// What is held travels as a level, thirty times a second and at once on every change, never as
// edges: a lost message cannot leave a key stuck. When the page must not drive (no focus while a
// human drives, hidden tab, unplugged gamepad) it falls silent, and the robot's side holds.

import { Line } from "./line.js";

const KEEP_EVERY_MS = 33;
const PROBE_EVERY_MS = 2000;
const SILENT_AFTER_MS = 3000;
const STOP_PATIENCE_MS = 300;
const ASKED_FOR_MS = 60000;
const MOST_HELD = 16;
const PHASES_OF_A_DRIVER = new Set(["human", "held", "stopped"]);

// crypto.randomUUID exists on secure origins only; a robot's address on the LAN is none.
export function makeId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export class Drive {
  #line;
  #clock;
  #on;
  #seq = 0;
  #sentAt = new Map();
  #acked_at = 0;
  #sent_at = -Infinity;
  #waiting = new Map();
  #asked_at = null;
  #wanted = false;
  #sources = new Map();
  #axes = [];
  #timer;
  phase = "closed";
  focused = true;
  // Why nothing may be driven although the page has focus, for people; empty when it may.
  muted = "";
  lease = { holder: null, mine: false, you: "" };

  // `on` has changed() and answered(command, answer), and undelivered(command).
  constructor({ clock, on }) {
    this.#clock = clock;
    this.#on = on;
    this.#line = new Line("/ws/control", {
      opened: () => this.#opened(),
      closed: () => this.#closed(),
      received: (data) => this.#received(JSON.parse(data)),
    });
    this.#timer = setInterval(() => this.#beat(), KEEP_EVERY_MS);
  }

  get connected() {
    return this.#line.open;
  }

  close() {
    clearInterval(this.#timer);
    this.#line.close();
  }

  // --- the lease

  take() {
    this.#wanted = true;
    this.#send({ type: "take" });
  }

  release() {
    this.#wanted = false;
    this.releaseAll();
    this.#send({ type: "release" });
  }

  ask() {
    this.#asked_at = performance.now();
    this.#send({ type: "ask" });
  }

  // --- what is held

  // The wire codes that one source (keyboard, touch) holds now.
  hold(source, codes) {
    this.#sources.set(source, [...codes]);
    this.#keep();
  }

  setAxes(axes) {
    this.#axes = axes;
    this.#keep();
  }

  releaseAll() {
    const held = this.held.length > 0 || this.#axes.some((value) => value !== 0);
    this.#sources.clear();
    this.#axes = [];
    // Said once even when the page falls silent next: the motion ends now, not after the timeout.
    if (held && this.lease.mine) this.#sendKeep();
  }

  get held() {
    return [...new Set([...this.#sources.values()].flat())].slice(0, MOST_HELD);
  }

  get axes() {
    return this.#axes;
  }

  // May this page's keys move the robot right now?
  get active() {
    return this.focused && !document.hidden && this.muted === "";
  }

  #keep() {
    if (this.lease.mine && this.active) this.#sendKeep();
  }

  #beat() {
    if (!this.#mayBeat()) return;
    this.#sendKeep();
    // Refreshes that nobody acknowledges go into a dead connection.
    const oldest = this.#sentAt.values().next().value;
    if (oldest !== undefined && Date.now() - Math.max(oldest, this.#acked_at) > SILENT_AFTER_MS) {
      this.#line.restart();
    }
  }

  #mayBeat() {
    if (document.hidden) return false;
    // A viewer's refresh moves nothing: its answer tells the time and that the link is alive.
    if (!this.lease.mine) return performance.now() - this.#sent_at > PROBE_EVERY_MS;
    return this.muted === "" && (this.focused || !PHASES_OF_A_DRIVER.has(this.phase));
  }

  #sendKeep() {
    this.#sent_at = performance.now();
    this.#seq += 1;
    const sent_ms = this.#clock.certain();
    if (this.#send({ type: "keep", seq: this.#seq, held: this.held, axes: this.#axes, sent_ms })) {
      this.#sentAt.set(this.#seq, Date.now());
    }
  }

  // --- commands

  // Send a command; the lease is taken first when nobody has it. Returns the command's id.
  command(command, params = {}) {
    const command_id = makeId();
    if (command !== "stop" && this.lease.holder === null) this.take();
    const message = { type: "command", command, command_id, params };
    if (command !== "stop") message.sent_ms = this.#clock.certain();
    this.#waiting.set(command_id, command);
    const sent = this.#send(message);
    if (command === "stop") this.#insist(command_id, sent);
    else if (!sent) this.#undelivered(command_id);
    return command_id;
  }

  // A stop that is not answered at once goes a second way; the same id makes it one stop.
  async #insist(command_id, sent) {
    if (sent) {
      await new Promise((done) => setTimeout(done, STOP_PATIENCE_MS));
      if (!this.#waiting.has(command_id)) return;
    }
    try {
      const reply = await fetch("/api/session/command", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ command: "stop", command_id }),
      });
      const body = await reply.json();
      if (!this.#waiting.has(command_id)) return;
      this.#answered({ command_id, accepted: reply.ok, phase: body.phase, error: body.error ?? null });
    } catch {
      if (this.#waiting.has(command_id)) this.#undelivered(command_id);
    }
  }

  #undelivered(command_id) {
    const command = this.#waiting.get(command_id);
    this.#waiting.delete(command_id);
    this.#on.undelivered(command);
  }

  #answered(answer) {
    const command = this.#waiting.get(answer.command_id);
    if (command === undefined) return;
    this.#waiting.delete(answer.command_id);
    this.#on.answered(command, answer);
  }

  // --- the socket

  #send(message) {
    return this.#line.send(JSON.stringify(message));
  }

  #opened() {
    this.#sentAt.clear();
    this.#acked_at = Date.now();
    this.#sendKeep();
    // Who drove before the link broke goes on, if nobody else took over.
    if (this.#wanted) this.#send({ type: "take" });
    this.#on.changed();
  }

  #closed() {
    this.#sent_at = -Infinity;
    this.#sources.clear();
    this.#sentAt.clear();
    this.#clock.forget();
    this.lease = { ...this.lease, holder: null, mine: false };
    for (const command_id of [...this.#waiting.keys()]) {
      if (this.#waiting.get(command_id) !== "stop") this.#undelivered(command_id);
    }
    this.#on.changed();
  }

  #received(message) {
    if (message.type === "ack") {
      const sent_ms = this.#sentAt.get(message.seq);
      if (sent_ms !== undefined) this.#clock.answered(message.server_ms, sent_ms);
      for (const seq of this.#sentAt.keys()) {
        if (seq > message.seq) break;
        this.#sentAt.delete(seq);
      }
      this.#acked_at = Date.now();
    } else if (message.type === "lease") {
      this.lease = { holder: message.holder, mine: message.mine, you: message.you };
      this.#takeWhatWasAskedFor();
      this.#on.changed();
    } else if (message.type === "answer") {
      this.#answered(message);
    }
  }

  #takeWhatWasAskedFor() {
    if (this.lease.mine) {
      this.#asked_at = null;
      this.#wanted = true;
    } else if (this.lease.holder !== null) {
      this.#wanted = false;
    } else if (this.#asked_at !== null && performance.now() - this.#asked_at < ASKED_FOR_MS) {
      this.take();
    }
  }
}
