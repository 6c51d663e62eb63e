// The sheet of `?`: every key and what it does.

import { h } from "../training/dom.js";
import { showSheet } from "./dialogs.js";
import { HELP } from "./keys.js";

export function openHelp() {
  showSheet("Keys of the Review page",
    h("div", { class: "help-columns" }, HELP.map(([title, rows]) => h("section", {}, h("h3", {}, title),
      rows.map(([keys, words]) => h("div", { class: "help-row" },
        h("span", { class: "help-keys" }, keys.map((key) => h("kbd", {}, key))), h("span", {}, words)))))),
    h("p", { class: "dk-quiet" }, "Keys work while nobody is typing. A click on the timeline seeks; with Shift, a drag marks a range."));
}
