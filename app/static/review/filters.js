// Which queue: order, search, filters with their counts, and views saved under a name.

import { button, h, select } from "../training/dom.js";
import { OUTCOMES } from "../training/words.js";
import { emptyQueue, FIRST_ORDER, queueOf } from "./address.js";
import { askText } from "./dialogs.js";

const ORDERS = [
  ["unlabeled", "most in need first"], ["disagree", "critic disagrees first"], ["human", "most human first"], ["newest", "newest first"],
  ["oldest", "oldest first"], ["longest", "longest first"], ["shortest", "shortest first"],
];
const FLAGS = {
  unlabeled: "unlabeled", disagree: "critic disagrees", human: "half human or more", excluded: "left out", mistake: "with a mistake", note: "with a note",
};
const SHARES = [["", "any share"], ["0.1", "human 10 % or more"], ["0.5", "human 50 % or more"], ["1", "human only"]];
const LEFT_OUT = [["", "left out or not"], ["false", "in training"], ["true", "left out"]];
const SEARCH_AFTER_MS = 180;
const VIEWS = "handrail-review-views";

export class Filters {
  #root;
  #address;
  #search;
  #rest = h("div", { class: "rv-filter-rest" });
  #order;
  #more;
  #views = h("div", { class: "rv-views" });
  #timer = null;
  #facets = {};
  #unfolded = false;

  constructor({ root, address }) {
    this.#root = root;
    this.#address = address;
    this.#order = h("div");
    this.#search = h("input", { type: "search", placeholder: "search task, robot, operator, id", "aria-label": "search", on: { input: () => this.#typed() } });
    this.#search.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === "Escape") this.#search.blur();
    });
    this.#more = button("Filter", () => { this.#unfolded = !this.#unfolded; this.show(this.#facets); });
    this.#root.replaceChildren(h("div", { class: "rv-filter-line" }, this.#order, this.#more), this.#search, this.#rest, this.#views);
  }

  // `facets`: counts by outcome, task, robot, checkpoint, operator and flag, of everything.
  show(facets) {
    this.#facets = facets;
    const values = this.#address.values;
    const set = (name) => (value) => this.#address.set({ [name]: value });
    const order = select(ORDERS, values.order || FIRST_ORDER, set("order"));
    order.setAttribute("aria-label", "order");
    this.#order.replaceChildren(order);
    if (document.activeElement !== this.#search) this.#search.value = values.q;
    const choice = (name, label, options) => {
      const made = select(options, values[name], set(name));
      made.setAttribute("aria-label", label);
      made.dataset.set = values[name] ? "yes" : "no";
      return made;
    };
    const count = Object.keys(queueOf({ ...values, order: "", q: "" })).length;
    this.#more.replaceChildren(count ? `Filter (${count})` : "Filter");
    this.#more.setAttribute("aria-expanded", String(this.#unfolded));
    this.#more.setAttribute("aria-pressed", String(count > 0));
    this.#rest.hidden = !this.#unfolded;
    const counted = (name, any, words = {}) => optionsOf(facets[name], values[FIELDS[name] ?? name], any, words);
    this.#rest.replaceChildren(
      choice("outcome", "outcome", counted("outcome", "any outcome", OUTCOMES)),
      choice("flag", "flag", counted("flag", "any flag", FLAGS)),
      choice("task", "task", counted("task", "any task")), choice("robot", "robot", counted("robot", "any robot")),
      choice("checkpoint_id", "acting checkpoint", counted("checkpoint", "any policy")), choice("operator", "operator", counted("operator", "any operator")),
      choice("min_human", "human share", SHARES), choice("excluded", "in training", LEFT_OUT),
      choice("scored_by", "scored by", counted("scored_by", "newest scores")),
      ...(count > 0 ? [button("Clear", () => this.#address.set({ ...emptyQueue(), order: values.order, q: values.q }))] : []));
    this.#showViews();
  }

  focus() {
    this.#search.focus();
    this.#search.select();
  }

  get order() {
    return this.#address.values.order || FIRST_ORDER;
  }

  #typed() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#address.set({ q: this.#search.value.trim() }, { replace: true }), SEARCH_AFTER_MS);
  }

  #showViews() {
    const views = savedViews();
    const present = JSON.stringify(this.#address.queue);
    const names = Object.keys(views);
    const chosen = names.find((name) => JSON.stringify(queueOf({ ...emptyQueue(), ...views[name] })) === present) ?? "";
    const list = select([["", names.length ? "saved views" : "no saved view"], ...names.map((name) => [name, name])], chosen, (name) => {
      if (name) this.#address.set({ ...emptyQueue(), ...views[name] });
    });
    list.setAttribute("aria-label", "saved views");
    list.disabled = names.length === 0;
    this.#views.replaceChildren(list,
      chosen ? button("Forget", () => this.#forget(chosen), { title: `forget the view “${chosen}”` })
        : button("Save view", () => this.#save(), { title: "keep this order, search and filter under a name" }));
  }

  async #save() {
    const name = await askText({ title: "Name of this view", about: "Order, search and filters, kept in this browser. The address of the page shares them with others." });
    if (!name) return;
    localStorage.setItem(VIEWS, JSON.stringify({ ...savedViews(), [name]: this.#address.queue }));
    this.#showViews();
  }

  #forget(name) {
    const { [name]: _forgotten, ...left } = savedViews();
    localStorage.setItem(VIEWS, JSON.stringify(left));
    this.#showViews();
  }
}

// Facets are named after what they count, filters after the field.
const FIELDS = { checkpoint: "checkpoint_id" };

// `facet`: counts by value; what is chosen stays an option when nothing has it any more.
export function optionsOf(facet = {}, chosen, any, words = {}) {
  const counts = chosen ? { ...facet, [chosen]: facet[chosen] ?? 0 } : facet;
  return [["", any], ...Object.entries(counts).map(([value, count]) => [value, `${words[value] ?? value} (${count})`])];
}

function savedViews() {
  try {
    return JSON.parse(localStorage.getItem(VIEWS) ?? "{}");
  } catch {
    return {};
  }
}
