// The overlay of `?`: every key, what it does, and what a gamepad does.

import { PAD_AXES, PAD_BUTTONS } from "./gamepad.js";
import { make } from "./paint.js";
import { keyName, PROFILES } from "./profiles.js";

const WORDS = {
  intervene: "take over, give back",
  success: "the attempt succeeded",
  failure: "the attempt failed",
  start: "start the next attempt; go on when held",
  rerecord: "end without a grade, then start again",
  stop: "STOP, at any time; it stays stopped until cleared",
};

function row(keys, words) {
  const line = make("div", "help-row");
  const caps = make("span", "help-keys");
  for (const key of keys) caps.append(make("kbd", "", key));
  line.append(caps, make("span", "", words));
  return line;
}

function section(title, rows) {
  const part = make("section");
  part.append(make("h3", "", title), ...rows);
  return part;
}

// All keys of an indexed profile, as sections to append.
export function keySections(keys) {
  const commands = keys.profile.commands.map(({ place, also, does }) => {
    const names = new Set([place, ...also].map((at) => keyName(at, keys.layout)));
    return row([...names], WORDS[does]);
  });
  if (keys.name === "lerobot") commands.push(row(["Ctrl", "Esc"], WORDS.stop));
  return [
    section("Attempt", commands),
    section("Move the robot", keys.profile.jog.map(({ place, does }) => row([keyName(place, keys.layout)], does))),
    section("Page", [
      row(["Z"], "enlarge a camera, the next, all"),
      row(["Ctrl", "Z"], "undo the last grade"),
      row(["?"], "these keys"),
    ]),
    section("Gamepad", [
      ...PAD_BUTTONS.map(({ name, does }) => row([name], WORDS[does])),
      ...PAD_AXES.map(({ name, does }) => row([name], does)),
    ]),
  ];
}

export class Help {
  #root;
  #choose;
  #keys = null;

  // `choose(name)` sets this browser's key profile.
  constructor({ root, choose }) {
    this.#root = root;
    this.#choose = choose;
    root.addEventListener("click", (event) => {
      if (event.target === root) this.close();
    });
  }

  get open() {
    return !this.#root.hidden;
  }

  close() {
    this.#root.hidden = true;
  }

  toggle(keys) {
    if (this.open) this.close();
    else this.show(keys);
  }

  show(keys) {
    if (this.#keys !== keys) {
      this.#keys = keys;
      this.#root.replaceChildren(this.#card(keys));
    }
    this.#root.hidden = false;
  }

  #card(keys) {
    const card = make("div", "help-card");
    const head = make("header");
    head.append(make("h2", "", "Keys"), this.#profileChoice(keys));
    const close = make("button", "small", "Close");
    close.type = "button";
    close.addEventListener("click", () => this.close());
    head.append(close);
    const columns = make("div", "help-columns");
    columns.append(...keySections(keys));
    const note = make("p", "help-note",
      "Keys work while this page has the focus and nobody is typing; STOP works while typing too. " +
      "Let go of everything and the robot stands still. None of this replaces the robot's emergency stop.");
    card.append(head, columns, note);
    return card;
  }

  #profileChoice(keys) {
    const label = make("label", "field inline");
    const select = make("select");
    for (const [name, profile] of Object.entries(PROFILES)) {
      select.append(new Option(`${profile.title} profile`, name, false, name === keys.name));
    }
    select.addEventListener("change", () => this.#choose(select.value));
    label.append(select);
    return label;
  }
}
