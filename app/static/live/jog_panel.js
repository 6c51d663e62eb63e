// The small keyboard: which keys move what, lit while held. Its keys can be pressed by finger too.

import { make, setData, setText } from "./paint.js";

// Groups by wire code, each a column of what it moves.
const GROUPS = [
  { title: "tool", kind: "arrows", codes: ["ArrowUp", "ArrowLeft", "ArrowDown", "ArrowRight"],
    words: ["away", "left", "towards", "right"] },
  { title: "height", kind: "pair", codes: ["KeyR", "KeyF"], words: ["up", "down"] },
  { title: "pitch", kind: "pair", codes: ["KeyT", "KeyG"], words: ["up", "down"] },
  { title: "roll", kind: "pair", codes: ["KeyQ", "KeyE"], words: ["left", "right"] },
  { title: "gripper", kind: "wide", codes: ["Space"], words: [""] },
  { title: "speed", kind: "pair", codes: ["Equal", "Minus"], words: ["faster", "slower"] },
];

export class JogPanel {
  #root;
  #touch;
  #caps = new Map();
  // What each finger, or the mouse, holds down, by its pointer.
  #touched = new Map();
  #gripper;
  #speed;
  #note;

  // `touch(codes)` gets what fingers and mouse hold.
  // `note` is where a sentence about them goes, a line of its own below them if left out.
  constructor({ root, touch, signal, note = null }) {
    this.#root = root;
    this.#touch = touch;
    root.replaceChildren();
    const groups = make("div", "jog-groups");
    for (const group of GROUPS) groups.append(this.#makeGroup(group));
    this.#note = note ?? make("p", "jog-note");
    root.append(groups);
    if (note === null) root.append(this.#note);
    for (const type of ["pointerup", "pointercancel"]) {
      window.addEventListener(type, ({ pointerId }) => this.#lift(pointerId), { signal });
    }
    window.addEventListener("blur", () => this.releaseAll(), { signal });
  }

  #makeGroup({ title, kind, codes, words }) {
    const group = make("div", `jog-group jog-${kind}`);
    const head = make("span", "jog-title", title);
    const caps = make("div", "jog-caps");
    codes.forEach((code, index) => {
      const cap = make("button", "cap");
      cap.type = "button";
      cap.tabIndex = -1;
      cap.dataset.code = code;
      const key = make("kbd", "", "");
      cap.append(key, make("span", "cap-word", words[index]));
      cap.addEventListener("pointerdown", (event) => {
        event.preventDefault();
        this.#touched.set(event.pointerId, code);
        this.#tell();
      });
      cap.addEventListener("pointerleave", ({ pointerId }) => this.#lift(pointerId));
      cap.addEventListener("contextmenu", (event) => event.preventDefault());
      this.#caps.set(code, { cap, key });
      caps.append(cap);
    });
    if (title === "gripper") this.#gripper = this.#caps.get("Space").cap.querySelector(".cap-word");
    if (title === "speed") {
      this.#speed = make("b", "jog-speed", "100 %");
      head.append(" ", this.#speed);
    }
    group.append(head, caps);
    return group;
  }

  releaseAll() {
    if (this.#touched.size === 0) return;
    this.#touched.clear();
    this.#tell();
  }

  #lift(pointerId) {
    if (this.#touched.delete(pointerId)) this.#tell();
  }

  #tell() {
    this.#touch(new Set(this.#touched.values()));
  }

  // At once on every change of what is held.
  light(codes) {
    for (const [code, { cap }] of this.#caps) setData(cap, "held", codes.includes(code) ? "yes" : "no");
  }

  render(view) {
    for (const [code, { key }] of this.#caps) setText(key, view.keys.jogKeyOf.get(code));
    setText(this.#gripper, view.tick?.gripper_closed ? "closed: open it" : "open: close it");
    setText(this.#speed, `${Math.round((view.tick?.jog_speed ?? 1) * 100)} %`);
    setData(this.#root, "live", view.phase === "human" && view.lease.mine ? "yes" : "no");
    setText(this.#note, this.#noteFor(view));
  }

  #noteFor(view) {
    const intervene = view.keys.keyOf.get("intervene");
    const pad = view.pad ? ` Gamepad: ${view.pad}.` : "";
    if (view.phase === "human" && view.lease.mine) return `These keys move the robot now.${pad}`;
    if (view.phase === "human") return `${view.lease.holder ?? "A person"} moves the robot.${pad}`;
    return `These keys move the robot once you have taken over with ${intervene}.${pad}`;
  }
}
