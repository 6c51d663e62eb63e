// What a label event says, in words.

import { OUTCOMES } from "../training/words.js";

const UNDOES = { undo: "took back", redo: "said again", revert: "went back to", erase: "removed" };

// `event`: a line of the label log, with the steps it speaks of.
export function saidWords(event) {
  const { kind, new: said = {}, start_step: start, end_step: end } = event;
  switch (kind) {
    case "outcome":
      return OUTCOMES[said.outcome];
    case "exclude":
      return said.excluded ? `left out of training${said.reason ? `: ${said.reason}` : ""}` : "back in training";
    case "note":
      return said.note ? `note: ${said.note}` : "note removed";
    case "terminal":
      return said.step === null ? "ends where the recording does" : `success at frame ${said.step + 1}`;
    case "undo":
    case "redo":
    case "revert":
    case "erase":
      return `${UNDOES[kind]} ${event.target_id ? `event ${event.target_id}` : "the beginning"}`;
    default:
      return `${said.text ? `${kind} “${said.text}”` : kind}, frames ${start + 1}–${end}`;
  }
}

// What held before: only where a single thing was replaced.
export function beforeWords(event) {
  const { kind, old = {} } = event;
  if (kind === "outcome") return OUTCOMES[old.outcome];
  if (kind === "exclude") return old.excluded ? "left out" : "in training";
  if (kind === "note") return old.note ? `“${old.note}”` : "no note";
  if (kind === "terminal") return (old.step ?? null) === null ? "recording’s end" : `frame ${old.step + 1}`;
  return "";
}

// All that holds for an episode, in one line.
export function inForceWords({ outcome, excluded, exclude_reason: reason, note, terminal_step: step = null, ranges = [] }) {
  return [
    OUTCOMES[outcome],
    excluded && `left out of training${reason ? `: ${reason}` : ""}`,
    step !== null && `success at frame ${step + 1}`,
    ranges.length > 0 && `${ranges.length} range${ranges.length === 1 ? "" : "s"}`,
    note && `note: ${note}`,
  ].filter(Boolean).join(" · ");
}

// Flags of a row after a label; whether the critic disagrees is known when the queue is sorted anew.
export function flagsAfter(flags, { outcome, excluded, note, ranges = [] }) {
  const holds = {
    unlabeled: outcome === "none", excluded, note: Boolean(note), mistake: ranges.some(({ kind }) => kind === "mistake"),
  };
  return [
    ...flags.filter((flag) => !(flag in holds)),
    ...Object.keys(holds).filter((flag) => holds[flag]),
  ];
}
