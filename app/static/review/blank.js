// What the middle shows instead of an episode, with what to do next.

import { button, h } from "../training/dom.js";
import { counted, span } from "../training/words.js";

function blank(title, lines, actions) {
  return [h("h2", {}, title), ...lines.filter(Boolean).map((line) => h("p", {}, line)), h("div", { class: "dk-actions" }, actions)];
}

export function nothingRecorded() {
  return blank("Nothing to review yet", [
    "No attempt was recorded. Open a session on the Live page, or bring in a dataset on the Data page; its episodes appear here.",
  ], [h("a", { class: "primary", href: "/" }, "Go to Live"), h("a", { class: "small", href: "/data" }, "Go to Data")]);
}

export function nothingMatches(clear) {
  return blank("No episode matches", ["No episode has everything that search and filter ask for."], [button("Clear search and filter", clear, { kind: "primary" })]);
}

// What was done since the page was opened, when the queue has come to its end.
export function queueFinished({ tally, started_ms, now_ms, left, unlabeled, again }) {
  const judged = tally.success + tally.failure + tally.none;
  const took_s = (now_ms - started_ms) / 1000;
  const undone = tally.undone > 0 && `${counted(tally.undone, "act")} undone.`;
  return blank("The queue is finished", [
    judged
      ? `You judged ${counted(judged, "episode")} (✓ ${tally.success}, ✗ ${tally.failure}) in ${span(took_s)}: ${span(took_s / judged)} each.`
      : "You came to its end without judging an episode.",
    [tally.skipped && `${tally.skipped} skipped.`, tally.other && `${counted(tally.other, "other label")}.`, undone].filter(Boolean).join(" "),
    left > 0 ? `${counted(left, "episode")} in all are still without a grade.` : "Every episode has a grade.",
  ], [
    left > 0 && button("Go on with the unlabeled", unlabeled, { kind: "primary" }), button("Sort anew and begin again", again),
    h("a", { class: "small", href: "/training" }, "Go to Training"),
  ].filter(Boolean));
}

export function cannotRead(refusal, again) {
  return blank("This episode cannot be shown", [refusal.message, refusal.hint], [button("Try again", again, { kind: "primary" })]);
}
