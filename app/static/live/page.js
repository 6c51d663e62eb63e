// The Live page: connects the two sockets, the keys and the panels, and tears all of it down.
//
// Three rhythms: sockets and keys act at once, pictures and curves follow the screen, and numbers
// are written four times a second so that they can be read.

import { Cameras } from "./cameras.js";
import { CommandButtons } from "./command_buttons.js";
import { Deck } from "./deck.js";
import { Drive } from "./drive.js";
import { GamepadReader } from "./gamepad.js";
import { Help } from "./help.js";
import { JogPanel } from "./jog_panel.js";
import { Keyboard } from "./keyboard.js";
import { keyboardLayout } from "./layout.js";
import { LearnerPanel } from "./learner_panel.js";
import { Line } from "./line.js";
import { Notices } from "./notices.js";
import { OperatorDesk } from "./operator_desk.js";
import { Overlays } from "./overlays.js";
import { partsOf } from "./paint.js";
import { Panels } from "./panels.js";
import { chosenProfile, chooseProfile, indexed } from "./profiles.js";
import { ServerClock } from "./server_clock.js";
import { SessionPanel } from "./session_panel.js";
import { Sounds } from "./sounds.js";
import { StatisticsPanel } from "./statistics_panel.js";
import { Strip } from "./strip.js";
import { UploadsPanel } from "./uploads_panel.js";
import { View } from "./view.js";

const NUMBERS_EVERY_MS = 250;

class LivePage {
  #ending = new AbortController();
  #clock = new ServerClock();
  #view = new View();
  #profile = chosenProfile();
  #layout = new Map();

  constructor(element) {
    const parts = partsOf(element);
    const signal = this.#ending.signal;
    this.element = element;
    this.parts = parts;
    this.notices = new Notices({ toasts: parts.toasts, banner: parts.banner });
    this.overlays = new Overlays(parts);
    this.strip = new Strip({
      root: parts["strip-plot"], now: parts["strip-now"], acting: parts["strip-acting"],
    });
    this.cameras = new Cameras({
      root: parts.cams, empty: parts["cams-empty"], clock: this.#clock,
      acknowledge: (camera) => this.live.send(new Uint8Array([camera])),
    });
    this.panels = new Panels(parts, element);
    this.drive = new Drive({ clock: this.#clock, on: {
      changed: () => this.#changed(),
      answered: (command, answer) => this.#answered(command, answer),
      undelivered: (command) => {
        if (command === "stop") this.overlays.stopUndelivered();
        else this.desk.undelivered(command);
      },
    } });
    this.desk = new OperatorDesk({
      view: this.#view, drive: this.drive, notices: this.notices, task: parts.task,
    });
    const command = (name, params) => this.desk.command(name, params);
    this.live = new Line("/ws/live", {
      opened: () => this.cameras.forgive(),
      closed: () => this.#lost(),
      received: (data) => this.#received(data),
    });
    this.buttons = new CommandButtons({
      root: parts.commands, stop: parts.stop, press: command,
    });
    this.session = new SessionPanel({
      openRoot: parts["cams-empty"], closeRoot: parts.session,
      open: (params) => command("open", params),
      close: () => command("close"),
    });
    this.help = new Help({ root: parts.help, choose: (name) => this.#chooseProfile(name) });
    this.jog = new JogPanel({
      root: parts.jog, note: parts["deck-note"], signal, touch: (codes) => this.#hold("touch", codes),
    });
    this.uploads = new UploadsPanel({ root: parts.uploads, notices: this.notices });
    this.statistics = new StatisticsPanel({ root: parts.statistics });
    this.learner = new LearnerPanel({
      root: parts.learner, notices: this.notices, mark: (failed) => this.deck.mark("learner", failed),
    });
    this.deck = new Deck({
      tabs: parts["deck-tabs"], panels: [parts.jog, parts.statistics, parts.learner],
      changed: () => this.jog.releaseAll(),
    });
    this.sounds = new Sounds({ button: parts.sound, signal });
    this.keyboard = new Keyboard({ keys: this.#view.keys, signal, on: {
      held: (codes) => this.#hold("keyboard", codes),
      command,
      enlarge: () => this.cameras.cycle(),
      undo: () => this.desk.undo(),
      help: () => this.help.toggle(this.#view.keys),
      escape: () => this.#escape(),
      focus: (focused) => this.#focus(focused),
    } });
    this.pad = new GamepadReader({ signal, on: {
      axes: (axes) => this.#unmute(() => this.drive.setAxes(axes)),
      command,
      unplugged: () => this.#unplugged(),
    } });
    this.#wireFields(signal);
    this.drive.focused = document.hasFocus();
    this.#fetchRobots();
    this.#readLayout();
    this.timer = setInterval(() => this.#render(), NUMBERS_EVERY_MS);
    requestAnimationFrame(() => this.#frame());
    this.#changed();
  }

  // --- what arrives

  #received(data) {
    if (data instanceof ArrayBuffer) {
      this.cameras.receive(data);
      return;
    }
    const messages = JSON.parse(data);
    for (const message of Array.isArray(messages) ? messages : [messages]) this.#message(message);
  }

  #message(message) {
    if (message.type === "tick") {
      this.#view.setTick(message);
      this.strip.add(message);
      if (this.drive.phase !== this.#view.phase) this.#changed();
    } else if (message.type === "hello") {
      this.#clock.arrived(message.server_ms);
      const graded = this.#view.setHello(message);
      if (graded !== null) this.strip.grade(graded);
      this.#useKeys();
      this.strip.setRate(message.session.fps);
      this.cameras.setCameras(message.session.cameras, message.session.fps);
      this.#changed();
    } else if (message.type === "event") {
      this.#notice(message);
    }
  }

  #notice({ level, code, message }) {
    // The phase bar says it already, and for as long as it lasts.
    if (code === "held") return;
    if (code !== "lease_asked") {
      this.notices.toast(level, message, { key: code });
    } else if (this.drive.lease.mine) {
      this.notices.toast("warning", message, { key: code, actions: [
        { label: "Hand over", does: () => this.drive.release() },
      ] });
    }
  }

  #answered(command, answer) {
    if (command === "open") this.session.answered();
    this.desk.answered(command, answer);
    this.#changed();
  }

  #lost() {
    this.#view.lose();
    this.#changed();
  }

  // --- what a person does

  #hold(source, codes) {
    this.#unmute(() => this.drive.hold(source, codes));
    this.jog.light(this.drive.held);
  }

  // Whatever moves again after an unplugged gamepad is a driver who is back.
  #unmute(action) {
    this.drive.muted = "";
    action();
  }

  #unplugged() {
    this.drive.releaseAll();
    if (this.#view.phase === "human") this.drive.muted = "The gamepad was unplugged.";
    this.notices.toast("warning", "The gamepad was unplugged: everything is released.", {
      hint: "Press a driving key, or plug it in again, to go on.",
    });
    this.#changed();
  }

  #focus(focused) {
    if (this.drive.focused === focused) return;
    if (!focused) this.drive.releaseAll();
    this.drive.focused = focused;
    this.jog.light(this.drive.held);
    this.#changed();
  }

  #escape() {
    if (!this.help.open) return false;
    this.help.close();
    return !this.#view.moving;
  }

  #chooseProfile(name) {
    this.#profile = name;
    chooseProfile(name);
    this.#useKeys();
    this.help.show(this.#view.keys);
    this.#changed();
  }

  #useKeys() {
    const name = this.#profile ?? this.#view.profile;
    const { keys } = this.#view;
    if (keys.name !== name || keys.layout !== this.#layout) this.#view.keys = indexed(name, this.#layout);
    this.keyboard.setKeys(this.#view.keys);
  }

  #wireFields(signal) {
    const { task, undo, unfocused } = this.parts;
    const lease = this.parts["lease-button"];
    task.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === "Escape") task.blur();
    }, { signal });
    task.addEventListener("input", () => { this.panels.taskEdited = true; }, { signal });
    undo.addEventListener("click", () => this.desk.undo(), { signal });
    unfocused.addEventListener("click", () => { window.focus(); this.#focus(true); }, { signal });
    lease.addEventListener("click", () => {
      lease.blur();
      this.drive[lease.dataset.does]();
      if (lease.dataset.does === "ask") {
        this.notices.toast("info", `${this.drive.lease.holder} was asked.`, {
          hint: "You will drive as soon as the lease is free.",
        });
      }
    }, { signal });
  }

  async #readLayout() {
    this.#layout = await keyboardLayout();
    this.#useKeys();
    this.#changed();
  }

  async #fetchRobots() {
    try {
      const reply = await fetch("/api/robots");
      if (reply.ok) this.session.setRobots((await reply.json()).items);
    } catch {
      // The lost link shows itself; the list comes with the next page load.
    }
  }

  // --- what is shown

  #changed() {
    const before = this.drive.phase;
    this.drive.phase = this.#view.phase;
    if (before !== this.#view.phase) this.desk.phaseChanged();
    this.sounds.entered(this.#view.phase);
    this.#render();
  }

  #render() {
    const view = this.#view;
    view.lease = this.drive.lease;
    view.focused = this.drive.focused;
    view.muted = this.drive.muted;
    view.linked = this.live.open && this.drive.connected;
    view.attempts = Math.max(this.live.attempts, this.drive.connected ? 0 : 1);
    view.pad = this.pad?.name ?? "";
    this.panels.render(view);
    this.buttons.render(view);
    this.session.render(view);
    view.serverNow_s = this.#clock.now() / 1000;
    this.deck.render(view);
    this.jog.render(view);
    this.uploads.render(view);
    this.statistics.render(view);
    this.learner.render(view);
    this.cameras.render();
    this.strip.render(view.tick, view.phase !== "closed");
    this.overlays.render(view);
  }

  #frame() {
    if (!this.element.isConnected) {
      this.close();
      return;
    }
    this.pad.poll();
    this.strip.draw();
    requestAnimationFrame(() => this.#frame());
  }

  // Safe to repeat.
  close() {
    this.#ending.abort();
    clearInterval(this.timer);
    this.sounds.close();
    this.drive.close();
    this.live.close();
  }
}

export function mount(element) {
  return new LivePage(element);
}
