// Questions that take an answer: a text, or one of two versions. The keyboard is enough for all.

import { button, h } from "../training/dom.js";
import { when } from "../training/words.js";
import { saidWords } from "./said.js";

function opened(dialog) {
  document.querySelector(".hr-review").append(dialog);
  dialog.showModal();
}

// Resolves to the text, or null when it was given up.
export function askText({ title, about = "", value = "", yes = "Save", suggestions = [] }) {
  return new Promise((resolve) => {
    const answer = (text) => {
      dialog.close();
      dialog.remove();
      resolve(text);
    };
    const input = h("input", { value, maxlength: "4000", "aria-label": title, list: suggestions.length ? "rv-suggestions" : undefined });
    const form = h("form", { on: { submit: (event) => { event.preventDefault(); answer(input.value.trim()); } } },
      h("h2", {}, title), about && h("p", {}, about), input,
      h("datalist", { id: "rv-suggestions" }, suggestions.map((text) => h("option", { value: text }))),
      h("div", { class: "dk-actions" }, button("Cancel", () => answer(null)), h("button", { type: "submit", class: "primary" }, yes)));
    const dialog = h("dialog", { class: "dk-dialog rv-dialog", on: { cancel: (event) => { event.preventDefault(); answer(null); } } }, form);
    opened(dialog);
    input.select();
  });
}

// A label that was made on an outdated view: what the reviewer saw and said, and what holds now.
// Resolves to "mine" or "theirs".
export function chooseVersion({ episode, mine, seen, present, newest }) {
  return new Promise((resolve) => {
    const answer = (which) => {
      dialog.close();
      dialog.remove();
      resolve(which);
    };
    const version = (title, words, facts, does) => h("section", { class: "rv-version" },
      h("h3", {}, title), h("strong", {}, words), h("p", { class: "dk-quiet" }, facts), does);
    const dialog = h("dialog", { class: "dk-dialog rv-conflict", on: { cancel: (event) => { event.preventDefault(); answer("theirs"); } } },
      h("h2", {}, `Somebody was faster: episode ${episode.slice(0, 8)}`),
      h("p", {}, "Your label was not saved, because the episode was labelled since you opened it. If you say yours now, its history has both."),
      h("div", { class: "rv-versions" },
        version("You", mine, seen, button("Say mine now", () => answer("mine"))),
        version(newest ? `${newest.author}, ${when(newest.created_s)}` : "Now", newest ? saidWords(newest) : present, `now: ${present}`,
          button("Keep theirs", () => answer("theirs"), { kind: "primary" }))));
    opened(dialog);
    dialog.querySelector(".primary").focus();
  });
}

// Says something and waits for any answer.
export function showSheet(title, ...content) {
  const dialog = h("dialog", { class: "dk-dialog rv-sheet" });
  const close = () => {
    dialog.close();
    dialog.remove();
  };
  dialog.addEventListener("cancel", (event) => { event.preventDefault(); close(); });
  dialog.append(h("div", { class: "dk-panel-head" }, h("h2", {}, title), button("Close", close)), ...content);
  opened(dialog);
  return { close, dialog };
}
