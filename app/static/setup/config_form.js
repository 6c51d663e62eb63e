// A robot's config as a form, or as text; saved under a name of its own, never over a shipped one.

import { make, setShown, setText } from "../live/paint.js";
import { count, robotAddress, send } from "./api.js";

const keyOf = (path) => JSON.stringify(path);
const VIEWS = ["cameras_view"];

export class ConfigPanel {
  #parts;
  #saved;
  #problemElsewhere;
  #config = null;
  // Values by path that differ from the saved config.
  #changes = new Map();
  #asText = false;
  // Fields that hold something that is no value.
  #wrong = new Set();

  // `saved(name)` after a save; `problemElsewhere()` says what else keeps it from being saved.
  constructor(parts, { saved, problemElsewhere }) {
    this.#parts = parts;
    this.#saved = saved;
    this.#problemElsewhere = problemElsewhere;
    parts["as-form"].addEventListener("click", () => this.#show(false));
    parts["as-text"].addEventListener("click", () => this.#show(true));
    parts.text.addEventListener("input", () => this.#refresh());
    parts["save-name"].addEventListener("input", () => this.#refresh());
    parts.undo.addEventListener("click", () => this.#saved(this.#config.name));
    parts.save.addEventListener("click", () => this.#save());
  }

  get name() {
    return this.#config?.name ?? "";
  }

  // What is not saved would be lost.
  get isDirty() {
    return this.#changes.size > 0 || this.#isTextChanged;
  }

  async choose(name) {
    this.#config = await send("GET", `${robotAddress(name)}/config`);
    this.#changes.clear();
    this.#wrong.clear();
    const { own, source, text, fields, problem } = this.#config;
    setText(this.#parts.file, source);
    this.#parts["save-name"].value = own ? name : `my_${name.replace(/[^A-Za-z0-9_-]/g, "_")}`;
    this.#parts.text.value = text;
    this.#build(fields);
    setText(this.#parts["config-problem"], problem);
    setShown(this.#parts["config-problem"], Boolean(problem));
    setText(this.#parts.saved, "");
    // What cannot be read has no form.
    this.#show(this.#asText || fields.length === 0);
    return this.#config;
  }

  // What is cut out of the cameras' pictures, chosen elsewhere.
  views(views) {
    this.#change(VIEWS, views, this.#config.views);
  }

  get #isTextChanged() {
    return this.#config !== null && this.#parts.text.value !== this.#config.text;
  }

  #change(path, value, before) {
    if (JSON.stringify(value) === JSON.stringify(before)) this.#changes.delete(keyOf(path));
    else this.#changes.set(keyOf(path), { path, value });
    this.#refresh();
  }

  #show(asText) {
    this.#asText = asText;
    setShown(this.#parts.text, asText);
    setShown(this.#parts.form, !asText);
    this.#refresh();
  }

  #refresh() {
    const parts = this.#parts;
    const text = this.#isTextChanged;
    const number = text ? 1 : this.#changes.size;
    parts["as-form"].setAttribute("aria-pressed", String(!this.#asText));
    parts["as-text"].setAttribute("aria-pressed", String(this.#asText));
    // One way at a time: changes of one are unknown to the other.
    parts["as-form"].disabled = text || this.#config.fields.length === 0;
    parts["as-text"].disabled = this.#changes.size > 0;
    const problem = this.#wrong.size ? "a field holds no number" : this.#problemElsewhere();
    const words = text ? "the text is changed" : count(number, "change");
    setText(parts.changes, number === 0 ? "Nothing changed." : `Not saved: ${words}.${problem ? ` ✗ ${problem}` : ""}`);
    setShown(parts.undo, number > 0);
    const renamed = parts["save-name"].value !== this.#config.name;
    parts.save.disabled = Boolean(problem) || (number === 0 && !renamed) || parts["save-name"].value.trim() === "";
  }

  async #save() {
    const parts = this.#parts;
    const name = parts["save-name"].value.trim();
    const body = this.#isTextChanged
      ? { text: parts.text.value }
      : { base: this.#config.name, changes: [...this.#changes.values()] };
    parts.save.disabled = true;
    setText(parts.saved, "Saving …");
    setShown(parts["config-problem"], false);
    try {
      const saved = await send("PUT", `${robotAddress(name)}/config`, body);
      await this.#saved(name);
      setText(parts.saved, `✓ Saved as ${saved.source}`);
    } catch (error) {
      setText(parts.saved, "");
      setText(parts["config-problem"], `✗ ${error.message}`);
      setShown(parts["config-problem"], true);
      this.#refresh();
    }
  }

  #build(fields) {
    const groups = new Map();
    for (const field of fields) {
      if (!groups.has(field.group)) groups.set(field.group, []);
      groups.get(field.group).push(this.#row(field));
    }
    const open = ["Session"];
    this.#parts.form.replaceChildren(
      ...[...groups].map(([title, rows]) => {
        const group = make("details", "setup-group");
        group.open = open.includes(title);
        const summary = make("summary", "", title);
        summary.append(make("span", "hr-quiet", count(rows.length, "value")));
        group.append(summary, ...rows);
        return group;
      }),
    );
  }

  #row(field) {
    const row = make("div", "setup-field");
    const label = make("label", "setup-label", field.label);
    const control = make("div", "setup-control");
    const inputs = this.#inputs(field);
    const id = `setup-${field.path.join("-").replace(/[^A-Za-z0-9_-]/g, "_")}`;
    inputs[0].id = id;
    label.htmlFor = id;
    control.append(...inputs);
    if (field.unit) control.append(make("span", "setup-unit", field.unit));
    if (field.default !== null) control.append(make("span", "hr-quiet", `default ${field.default}`));
    row.append(label, control);
    if (field.about) row.append(make("p", "setup-about", field.about));
    return row;
  }

  #inputs(field) {
    const values = field.kind === "range" ? field.value : [field.value];
    const inputs = values.map((value, place) => {
      const input = make("input");
      input.type = { text: "text", boolean: "checkbox" }[field.kind] ?? "number";
      if (input.type === "number") input.step = field.kind === "integer" ? "1" : "any";
      if (field.kind === "boolean") input.checked = value;
      else input.value = value;
      if (field.kind === "range") input.setAttribute("aria-label", `${field.label}, ${place ? "highest" : "lowest"}`);
      return input;
    });
    for (const input of inputs) {
      input.addEventListener("input", () => {
        const given = inputs.map((one) => valueOf(one, field.kind));
        const isWrong = given.some((value) => value === null);
        (isWrong ? this.#wrong.add(field) : this.#wrong.delete(field));
        input.toggleAttribute("aria-invalid", valueOf(input, field.kind) === null);
        if (isWrong) this.#refresh();
        else this.#change(field.path, field.kind === "range" ? given : given[0], field.value);
      });
    }
    return inputs;
  }
}

// Null for what is no value of its kind.
function valueOf(input, kind) {
  if (kind === "boolean") return input.checked;
  if (kind === "text") return input.value;
  return input.value === "" || !Number.isFinite(input.valueAsNumber) ? null : input.valueAsNumber;
}
