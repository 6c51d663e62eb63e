// Every field of a learner's config with its meaning; what is changed by hand becomes an override.

import { button, h, select } from "./dom.js";
import { flattened } from "./orders.js";

export class FieldTable {
  #changed;
  #fields = [];
  #config = new Map();
  #overrides = {};
  #rows = new Map();
  #search = h("input", { type: "search", placeholder: "search fields", "aria-label": "search fields" });
  #count = h("span", { class: "dk-quiet" });
  #groups = h("div");

  constructor({ changed }) {
    this.#changed = changed;
    this.#search.addEventListener("input", () => this.#filter());
    this.element = h("div", { class: "dk-fields" },
      h("div", { class: "dk-panel-head" }, this.#search, this.#count), this.#groups);
  }

  know(fields) {
    this.#fields = fields;
    this.#build();
  }

  fill(overrides) {
    this.#overrides = { ...overrides };
    this.#refresh();
  }

  get overrides() {
    return this.#overrides;
  }

  // The whole config as the server understands the form: what the fields hold.
  show(config) {
    this.#config = new Map(flattened(config));
    this.#nested = config;
    this.#refresh();
  }

  #nested = {};

  #build() {
    this.#rows.clear();
    const groups = new Map();
    for (const field of this.#fields) {
      const group = field.name.includes(".") ? field.name.split(".")[0] : "run";
      if (!groups.has(group)) groups.set(group, []);
      groups.get(group).push(this.#row(field));
    }
    this.#groups.replaceChildren(...[...groups].map(([group, rows]) => h("section", { data: { group } },
      h("h3", {}, group), h("div", { class: "dk-field-rows" }, rows))));
    this.#refresh();
  }

  #row(field) {
    const control = controlOf(field);
    control.addEventListener("change", () => this.#edited(field, control));
    const back = button("as before", () => {
      delete this.#overrides[field.name];
      this.#refresh();
      this.#changed();
    }, { kind: "link", title: "Take what preset and start say" });
    const row = h("div", { class: "dk-field-row" },
      h("label", {}, h("code", {}, field.name.split(".").slice(-1)[0]), control),
      h("span", { class: "dk-field-about" }, field.about || "", " ", back));
    this.#rows.set(field.name, { row, control, back, field });
    return row;
  }

  #edited(field, control) {
    const value = valueOf(field, control.value);
    if (value === undefined) {
      control.setCustomValidity(`a ${field.kind}`);
      control.reportValidity();
      return;
    }
    control.setCustomValidity("");
    this.#overrides[field.name] = value;
    this.#refresh();
    this.#changed();
  }

  #valueFor(name) {
    if (name in this.#overrides) return this.#overrides[name];
    if (this.#config.has(name)) return this.#config.get(name);
    return name.split(".").reduce((inner, part) => inner?.[part], this.#nested);
  }

  #refresh() {
    for (const [name, { row, control, back }] of this.#rows) {
      const changed = name in this.#overrides;
      row.dataset.changed = changed ? "yes" : "no";
      back.hidden = !changed;
      if (document.activeElement !== control) control.value = textOf(this.#valueFor(name));
    }
    const count = Object.keys(this.#overrides).length;
    this.#count.textContent = count ? `${count} changed by hand` : "";
  }

  #filter() {
    const wanted = this.#search.value.trim().toLowerCase();
    for (const { row, field } of this.#rows.values()) {
      row.hidden = !`${field.name} ${field.about}`.toLowerCase().includes(wanted);
    }
    for (const section of this.#groups.children) {
      section.hidden = ![...section.querySelectorAll(".dk-field-row")].some((row) => !row.hidden);
    }
  }
}

function controlOf(field) {
  const none = field.optional ? [["", "none"]] : [];
  if (field.kind === "choice") return select([...none, ...field.choices.map((choice) => [choice, choice])], "", () => {});
  if (field.kind === "boolean") return select([...none, ["true", "yes"], ["false", "no"]], "", () => {});
  const isNumber = ["integer", "number"].includes(field.kind);
  return h("input", {
    type: isNumber ? "number" : "text", step: field.kind === "integer" ? "1" : "any",
    placeholder: field.optional ? "none" : "", spellcheck: "false",
  });
}

function textOf(value) {
  if (value === null || value === undefined) return "";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

// What the field means as JSON; undefined when it is none.
export function valueOf(field, text) {
  const words = text.trim();
  if (words === "") return field.optional ? null : undefined;
  if (field.kind === "boolean") return words === "true";
  if (field.kind === "integer") return /^-?\d+$/.test(words) ? Number(words) : undefined;
  if (field.kind === "number") return Number.isFinite(Number(words)) ? Number(words) : undefined;
  if (field.kind === "text" || field.kind === "choice") return words;
  try {
    return JSON.parse(words);
  } catch {
    return field.kind === "list" && !/[[\]{}]/.test(words) ? words.split(",").map((part) => part.trim()) : undefined;
  }
}
