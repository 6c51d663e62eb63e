// The command buttons: each with its key and with what it would do now; bright when possible.

import { make, setData, setMarkup, setShown, setText } from "./paint.js";
import { commandLabel, shape } from "./wording.js";

const BUTTONS = [
  { command: "intervene", shape: "person" },
  { command: "start", shape: "ring" },
  { command: "success", shape: "check" },
  { command: "failure", shape: "cross" },
  { command: "abort", shape: "flag" },
  { command: "clear", shape: "octagon" },
];

export class CommandButtons {
  #buttons = [];
  #stop;

  // `press(command)` is the one path of every button.
  constructor({ root, stop, press }) {
    this.#stop = stop;
    for (const { command, shape: name } of BUTTONS) {
      const button = make("button", "command");
      button.type = "button";
      button.dataset.command = command;
      const icon = make("span", "command-icon");
      setMarkup(icon, shape(name));
      const label = make("span", "command-label");
      const key = make("kbd");
      button.append(icon, label, key);
      button.addEventListener("click", () => {
        // Otherwise Space and Enter would press it again.
        button.blur();
        press(button.dataset.does);
      });
      root.append(button);
      this.#buttons.push({ command, button, label, key, icon, name });
    }
    stop.addEventListener("click", () => {
      stop.blur();
      press("stop");
    });
  }

  render(view) {
    for (const { command, button, label, key, icon } of this.#buttons) {
      // Re-recording is ending and starting at once; the profile that has it a key shows it so.
      const does = command === "abort" && view.keys.keyOf.has("rerecord") ? "rerecord" : command;
      const name = view.keys.keyOf.get(does) ?? "";
      const possible = view.mayDrive && view.possible.includes(command);
      setData(button, "does", does);
      setText(label, commandLabel(does, view));
      setText(key, name);
      setShown(key, name !== "");
      setData(button, "possible", possible ? "yes" : "no");
      button.setAttribute("aria-disabled", possible ? "false" : "true");
      button.title = possible ? "" : whyNot(view);
      if (command === "start") setMarkup(icon, shape(view.phase === "held" ? "turn" : "ring"));
    }
    setText(this.#stop.querySelector("kbd"), view.keys.keyOf.get("stop"));
    setData(this.#stop, "latched", view.phase === "stopped" ? "yes" : "no");
  }
}

function whyNot(view) {
  if (view.role === "viewer" || view.role === "labeler") return "You may watch and stop, not drive.";
  if (view.lease.holder !== null && !view.lease.mine) return `${view.lease.holder} drives.`;
  return "Not possible now.";
}
