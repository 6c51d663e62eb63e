// The right column: what holds for the episode, what may be said of it, and everything that was said.

import { button, h } from "../training/dom.js";
import { OUTCOMES, percent, span, when } from "../training/words.js";
import { beforeWords, saidWords } from "./said.js";

const CHOICES = [["success", "1"], ["failure", "0"]];

export class LabelPanel {
  #root;
  #desk;
  #shown = "";

  // `desk` has act(name), erase(range), revert(event), seek(frame) and kindOf(number).
  constructor({ root, desk }) {
    this.#root = root;
    this.#desk = desk;
  }

  // `review` is null until it has come; `unsent` counts labels of this episode on their way.
  show({ episode, review, draft, marks, unsent, mayLabel }) {
    const words = JSON.stringify([episode, review?.labels, review?.history?.length, draft, marks, unsent, mayLabel]);
    if (words === this.#shown) return;
    this.#shown = words;
    const focus = this.#root.contains(document.activeElement) ? document.activeElement.dataset.act : null;
    this.#root.replaceChildren(
      this.#head(episode, review), this.#outcome(episode, draft, unsent, mayLabel),
      this.#acts(marks, mayLabel), review ? this.#inForce(episode, review.labels) : h("p", { class: "dk-quiet" }, "Reading the episode …"),
      review ? this.#history(review) : "");
    if (focus) this.#root.querySelector(`[data-act="${focus}"]`)?.focus();
  }

  clear() {
    this.#shown = "";
    this.#root.replaceChildren();
  }

  #head(episode, review) {
    const fact = (name, value) => h("div", {}, h("dt", {}, name), h("dd", {}, value));
    const critic = review?.curves?.[0];
    return h("section", { class: "rv-about" },
      h("h2", {}, episode.task || "no task"),
      h("p", { class: "dk-quiet" }, h("code", {}, episode.id.slice(0, 8)), ` · ${when(episode.started_s)}`),
      h("dl", { class: "rv-facts" },
        fact("length", `${span(episode.num_steps / episode.fps)}, ${episode.num_steps} frames`),
        fact("person drove", percent(episode.num_steps ? episode.num_human_steps / episode.num_steps : 0)),
        fact("acted", episode.policy || "–"), fact("operator", episode.operator || "–"),
        fact("robot", episode.robot), critic && fact("critic", critic.checkpoint_id)));
  }

  #outcome(episode, draft, unsent, mayLabel) {
    const chosen = draft ?? episode.outcome;
    const isDraft = draft !== null && draft !== episode.outcome;
    const state = isDraft ? "not saved: Enter saves and goes on"
      : unsent ? "on its way to the server …" : { none: "nobody has judged it yet" }[episode.outcome] ?? "saved";
    return h("section", { class: "rv-judge", "aria-label": "outcome" },
      h("div", { class: "rv-outcomes", role: "radiogroup" }, CHOICES.map(([outcome, key]) =>
        h("button", {
          type: "button", role: "radio", class: "rv-outcome", "aria-checked": String(chosen === outcome), disabled: !mayLabel,
          data: { outcome, act: outcome, draft: isDraft && draft === outcome ? "yes" : "no" },
          on: { click: () => this.#desk.act({ name: "outcome", outcome }) },
        }, OUTCOMES[outcome], h("kbd", {}, key)))),
      h("p", { class: "rv-state", data: { draft: isDraft ? "yes" : "no" } },
        mayLabel ? state : "You may look. Labels take the role labeler."),
      h("div", { class: "rv-go" },
        this.#key("Save & next", "Enter", { name: "save" }, "primary"), this.#key("Skip", "⌫", { name: "skip" })));
  }

  #acts(marks, mayLabel) {
    const { start, end } = marks;
    const marked = start === null ? "no range marked" : end === null ? `from frame ${start + 1} to the cursor` : `frames ${start + 1}–${end}`;
    const key = (...given) => this.#key(...given, "small", !mayLabel);
    return h("section", { class: "rv-acts" },
      h("div", { class: "rv-buttons" }, key("Success here", "T", { name: "terminal" }), key("Leave out", "X", { name: "exclude" }),
        key("Note", "M", { name: "note" }), key("Undo", "U", { name: "undo" }), key("Redo", "⇧U", { name: "redo" })),
      h("div", { class: "rv-marking" }, h("span", { class: "dk-quiet" }, marked),
        h("div", { class: "rv-buttons" },
          key("Start", "[", { name: "range-start" }), key("End", "]", { name: "range-end" }),
          start !== null && [
            key("Mistake", "⇧1", { name: "range-kind", kind: "mistake" }), key("Recovery", "⇧2", { name: "range-kind", kind: "recovery" }),
            key("Correction", "⇧3", { name: "range-kind", kind: "correction" }), key("Subtask", "⇧4", { name: "range-kind", kind: "subtask", number: 4 }),
          ])));
  }

  #key(label, key, act, kind = "small", disabled = false) {
    const made = button([label, " "], () => this.#desk.act(act), { kind, disabled });
    made.replaceChildren(label, " ", h("kbd", {}, key));
    made.dataset.act = act.kind ?? act.name;
    return made;
  }

  #inForce(episode, labels) {
    const end = labels.terminal_step ?? null;
    const facts = [
      labels.excluded && h("li", { data: { kind: "exclude" } }, h("span", {}, `⊘ left out of training${labels.exclude_reason ? `: ${labels.exclude_reason}` : ""}`)),
      end !== null && h("li", { data: { kind: "terminal" } },
        h("button", { type: "button", class: "link", on: { click: () => this.#desk.seek(end) } }, `⚑ success at frame ${end + 1} of ${episode.num_steps}`)),
      labels.note && h("li", {}, `✎ ${labels.note}`),
      ...(labels.ranges ?? []).map((range) => h("li", { data: { kind: range.kind } },
        h("button", { type: "button", class: "link", on: { click: () => this.#desk.seek(range.start_step) } },
          `${range.kind}${range.text ? ` “${range.text}”` : ""} ${range.start_step + 1}–${range.end_step}`),
        button("×", () => this.#desk.erase(range), { title: "remove this range", kind: "rv-remove" }))),
    ].filter(Boolean);
    return h("section", { class: "rv-in-force" }, facts.length > 0 && h("ul", {}, facts));
  }

  #history({ history, labels }) {
    const events = [...history].reverse();
    return h("section", { class: "rv-history", "aria-label": "history" }, h("h3", {}, "History"),
      events.length === 0 && h("p", { class: "dk-quiet" }, "Nothing was said of it yet."),
      h("ol", {}, events.map((event) => {
        const before = beforeWords(event);
        return h("li", { data: { event: event.id } },
          h("p", {}, before && h("span", { class: "rv-before" }, before), before && " → ", h("strong", {}, saidWords(event))),
          h("p", { class: "dk-quiet" }, `${event.author || "nobody"}, ${when(event.created_s)}${event.source === "api" ? "" : ` · by ${event.source}`}`,
            event.id !== labels.revision && h("button", { type: "button", class: "link", title: "bring back what held then", on: { click: () => this.#desk.revert(event.id) } }, "revert to this")));
      })),
      events.length > 0 && h("button", { type: "button", class: "link", on: { click: () => this.#desk.revert(0) } }, "revert to before the first label"));
  }
}
