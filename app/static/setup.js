// The key profiles on the Setup page: the same tables as the Live page's `?`, and the choice between them.

import { keySections } from "./live/help.js";
import { make } from "./live/paint.js";
import { chooseProfile, chosenProfile, indexed, PROFILES } from "./live/profiles.js";

export function mount(element, serverProfile) {
  const root = element.querySelector("[data-part=keys]");
  const columns = make("div", "help-columns");
  const show = (name) => columns.replaceChildren(...keySections(indexed(name)));
  const choices = make("div", "hr-choices");
  for (const [name, profile] of Object.entries(PROFILES)) {
    const label = make("label", "hr-choice");
    const radio = make("input");
    radio.type = "radio";
    radio.name = "profile";
    radio.checked = name === (chosenProfile() ?? serverProfile);
    radio.addEventListener("change", () => {
      chooseProfile(name);
      show(name);
    });
    const note = name === serverProfile ? " (this server's default)" : "";
    label.append(radio, ` ${profile.title} profile${note}`);
    choices.append(label);
  }
  show(chosenProfile() ?? serverProfile);
  root.replaceChildren(choices, columns);
}
