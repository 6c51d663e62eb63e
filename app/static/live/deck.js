// The panel below the pictures: keys, statistics or the learner, one at a time, always of one height.
//
// Whoever drives needs the keys: they come forward when a human takes over from this page, and what
// was there before comes back when the policy drives again.

import { make, setData, setShown } from "./paint.js";

const TABS = [["keys", "Keys"], ["statistics", "Statistics"], ["learner", "Learner"]];

export class Deck {
  #panels;
  #buttons = new Map();
  #chosen = "keys";
  #shown = "";
  #driving = false;
  #changed;

  // `panels` are the elements with a data-tab; `changed(tab)` is told what comes to the front.
  constructor({ tabs, panels, changed }) {
    this.#panels = panels;
    this.#changed = changed;
    for (const [name, words] of TABS) {
      const button = make("button", "tab", words);
      button.type = "button";
      button.role = "tab";
      button.dataset.tab = name;
      button.addEventListener("click", () => {
        button.blur();
        this.#chosen = name;
        this.#show(name);
      });
      this.#buttons.set(name, button);
      tabs.append(button);
    }
    this.#show("keys");
  }

  // Something behind this tab wants to be looked at.
  mark(name, wanted) {
    setData(this.#buttons.get(name), "alert", wanted ? "yes" : "no");
    this.#buttons.get(name).title = wanted ? "Something here wants to be looked at" : "";
  }

  get shown() {
    return this.#shown;
  }

  render(view) {
    const driving = view.phase === "human" && view.lease.mine;
    if (driving !== this.#driving) this.#show(driving ? "keys" : this.#chosen);
    this.#driving = driving;
  }

  #show(name) {
    if (name === this.#shown) return;
    this.#shown = name;
    for (const panel of this.#panels) setShown(panel, panel.dataset.tab === name);
    for (const [tab, button] of this.#buttons) {
      setData(button, "chosen", tab === name ? "yes" : "no");
      button.setAttribute("aria-selected", tab === name ? "true" : "false");
    }
    this.#changed(name);
  }
}
