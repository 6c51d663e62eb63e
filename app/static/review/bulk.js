// One label for all episodes of a filter: first what it would do, then, if that still holds, the deed.

import { post } from "../training/api.js";
import { button, h, select } from "../training/dom.js";
import { counted, OUTCOMES } from "../training/words.js";
import { showSheet } from "./dialogs.js";
import { newEventId } from "./outbox.js";

const KINDS = [
  ["success", "success"], ["failure", "failure"], ["none", "no grade"], ["out", "leave out of training"], ["in", "take back into training"], ["note", "a note"],
];

// What `choice` and its text say, as a label.
export function labelOf(choice, text) {
  if (choice === "out") return { kind: "exclude", new: { excluded: true, reason: text } };
  if (choice === "in") return { kind: "exclude", new: { excluded: false } };
  if (choice === "note") return { kind: "note", new: { note: text } };
  return { kind: "outcome", new: { outcome: choice } };
}

// `filter`: the queue's words. `done(answer)` is called after the deed.
export function openBulk({ filter, done, tell }) {
  const text = h("input", { "aria-label": "reason or note", placeholder: "reason", hidden: true, maxlength: "4000" });
  const preview = h("div", { class: "rv-bulk-preview", role: "status" });
  const deed = button("Look first", () => {}, { kind: "primary", disabled: true });
  let asked = 0;
  let expected = null;
  let eventId = null;
  const choice = select([["", "choose …"], ...KINDS], "", () => {
    text.hidden = !["out", "note"].includes(choice.value);
    text.placeholder = choice.value === "note" ? "the note" : "reason";
    look();
  });
  choice.setAttribute("aria-label", "what to say");
  text.addEventListener("input", () => look());
  deed.addEventListener("click", () => apply());
  const words = Object.entries(filter).map(([name, value]) => `${name.replace("_", " ")} ${value}`).join(", ");
  const sheet = showSheet("Change all of this filter",
    h("p", {}, words ? `Episodes with ${words}.` : "All episodes: no filter is set."),
    h("div", { class: "rv-bulk-what" }, h("span", {}, "Say of every one:"), choice, text), preview,
    h("p", { class: "dk-quiet" }, "Every episode gets an event of its own, all in one go; one Undo takes all of them back."),
    h("div", { class: "dk-actions" }, deed));
  choice.focus();

  function body(dryRun) {
    return { filter, ...labelOf(choice.value, text.value.trim()), dry_run: dryRun, ...(dryRun ? {} : { expected, event_id: eventId }) };
  }

  async function look() {
    const turn = ++asked;
    deed.disabled = true;
    deed.textContent = "Look first";
    if (!choice.value || (choice.value === "note" && !text.value.trim())) {
      preview.replaceChildren();
      return;
    }
    try {
      const plan = await post("/api/labels/bulk", body(true));
      if (turn !== asked) return;
      show(plan);
    } catch (refusal) {
      if (turn === asked) preview.replaceChildren(h("p", { class: "dk-wrong" }, refusal.message, " ", refusal.hint));
    }
  }

  function show(plan) {
    eventId = newEventId();
    expected = { count: plan.matched, newest: plan.newest };
    const now = Object.entries(plan.outcomes).filter(([, number]) => number > 0).map(([outcome, number]) => `${number} ${OUTCOMES[outcome]}`);
    preview.replaceChildren(
      h("p", {}, h("strong", {}, counted(plan.would_change, "episode")), ` would change, ${counted(plan.already, "episode")} `,
        plan.already === 1 ? "says so already." : "say so already."),
      h("p", { class: "dk-quiet" }, `Matched: ${plan.matched}; now ${now.join(", ") || "none"}.`),
      plan.ids.length > 0 && h("p", { class: "dk-quiet" }, "Among them ", plan.ids.slice(0, 8).map((id) => h("code", {}, `${id.slice(0, 8)} `))));
    deed.disabled = plan.would_change === 0;
    deed.textContent = plan.would_change ? `Change ${counted(plan.would_change, "episode")}` : "Nothing to change";
  }

  async function apply() {
    deed.disabled = true;
    try {
      const answer = await post("/api/labels/bulk", body(false));
      sheet.close();
      done(answer);
    } catch (refusal) {
      tell("error", refusal.message, refusal.hint);
      look();
    }
  }
}
