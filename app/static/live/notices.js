// What a person should read once: refusals and notices as toasts, the grade of an attempt as a banner.

import { make } from "./paint.js";
import { shape } from "./wording.js";

const TOAST_MS = { info: 4000, warning: 7000, error: 12000 };
const BANNER_MS = 1000;
const MOST_TOASTS = 4;
const SHAPES = { info: "flag", warning: "bars", error: "cross" };

export class Notices {
  #toasts;
  #banner;
  #bannerTimer = null;

  constructor({ toasts, banner }) {
    this.#toasts = toasts;
    this.#banner = banner;
  }

  // `actions` are {label, does} buttons; a toast with actions stays until answered or 60 s.
  toast(level, message, { hint = "", key = message, actions = [] } = {}) {
    for (const old of this.#toasts.children) if (old.dataset.key === key) old.remove();
    const toast = make("div", "toast");
    toast.dataset.level = level;
    toast.dataset.key = key;
    const icon = make("span", "toast-icon");
    icon.innerHTML = shape(SHAPES[level]);
    const words = make("span", "toast-words");
    words.append(make("strong", "", message));
    if (hint) words.append(make("span", "", hint));
    toast.append(icon, words);
    for (const { label, does } of actions) {
      const button = make("button", "small", label);
      button.type = "button";
      button.addEventListener("click", () => {
        toast.remove();
        does();
      });
      toast.append(button);
    }
    const close = make("button", "toast-close", "×");
    close.type = "button";
    close.setAttribute("aria-label", "Dismiss");
    close.addEventListener("click", () => toast.remove());
    toast.append(close);
    this.#toasts.append(toast);
    while (this.#toasts.children.length > MOST_TOASTS) this.#toasts.firstChild.remove();
    setTimeout(() => toast.remove(), actions.length ? 60000 : TOAST_MS[level]);
  }

  // The grade, large and for one second, with its undo.
  graded(outcome, episode, undo) {
    const words = make("span", "banner-word", outcome.toUpperCase());
    const icon = make("span", "banner-icon");
    icon.innerHTML = shape(outcome === "success" ? "check" : "cross");
    const what = make("span", "banner-note", episode === null ? "" : `episode ${episode}`);
    const button = make("button", "small", "Undo");
    button.type = "button";
    button.addEventListener("click", undo);
    this.#banner.dataset.outcome = outcome;
    this.#banner.replaceChildren(icon, words, what, button);
    this.#banner.hidden = false;
    clearTimeout(this.#bannerTimer);
    this.#bannerTimer = setTimeout(() => this.hideGrade(), BANNER_MS);
  }

  hideGrade() {
    this.#banner.hidden = true;
  }
}
