// The rows of the timeline, made from a review: which lines, bars and words, over which range.
//
// A row: {name, title, height_px, range: [low, high], lines: [{name, colour, values, dashed}],
// bands: [{low, high, colour}], bars: {values, colours}, marks: [[start, end), …], dips: [step, …], level,
// words, readouts: what is told as numbers at the cursor, the lines unless it says otherwise}. `values` hold
// a number or null a step; a row with many readouts has its title inside. Nothing is painted here.

import { differences, dips } from "./places.js";

const JOINT_COLOURS = 8;
const WORD_COLOURS = {
  "very positive": "success", positive: "success", neutral: "late", negative: "failure", "very negative": "failure",
};
export const LABEL_COLOURS = { mistake: "failure", recovery: "held", correction: "policy", subtask: "late" };

export function rowsOf(review) {
  const [a, b] = review.curves ?? [];
  return [
    a && valueRow(a, b),
    a && hasNumbers(a.advantage) && advantageRow(a, b),
    returnRow(review),
    jointRow("action", "actions", review.columns.action, review.columns.action_names),
    jointRow("state", "states", review.columns.state, review.columns.state_names),
  ].filter(Boolean);
}

function valueRow(a, b) {
  const bands = a.spread && hasNumbers(a.spread) ? [{
    colour: "policy",
    low: a.value.map((value, step) => minus(value, a.spread[step])),
    high: a.value.map((value, step) => minus(value, a.spread[step], -1)),
  }] : [];
  return {
    name: "value", title: "value", height_px: 92, bands,
    range: b ? [Math.min(a.support[0], b.support[0]), Math.max(a.support[1], b.support[1])] : a.support,
    lines: [
      { name: a.checkpoint_id, colour: "policy", values: a.value },
      ...(b ? [{ name: b.checkpoint_id, colour: "rv-second", values: b.value, dashed: true }] : []),
    ],
    marks: b ? differences(a.value, b.value, a.support, b.support) : [],
    dips: dips(a.value, a.support),
  };
}

function advantageRow(a, b) {
  return {
    name: "advantage", title: "advantage", height_px: 62, range: around(0, a.advantage, b?.advantage),
    bars: { values: a.advantage, colours: a.words.map((word) => WORD_COLOURS[word] ?? "late") },
    words: a.words,
    level: a.threshold ?? null,
    lines: b ? [{ name: b.checkpoint_id, colour: "rv-second", values: b.advantage, dashed: true }] : [],
    readouts: [
      { name: "advantage", colour: "policy", values: a.advantage },
      ...(b ? [{ name: "of the second", colour: "rv-second", values: b.advantage }] : []),
    ],
  };
}

// The reward of a failure is far below every return: its bar ends where the row does.
function returnRow({ rewards, returns }) {
  return {
    name: "return", title: "reward, return", height_px: 54, range: hasNumbers(returns) ? around(0, returns) : around(0, rewards),
    bars: { values: rewards, colours: rewards.map((reward) => (reward < 0 ? "failure" : "success")) },
    lines: [{ name: "return", colour: "ink", values: returns }],
    readouts: [{ name: "return", colour: "ink", values: returns }, { name: "reward", colour: "success", values: rewards }],
  };
}

function jointRow(name, title, vectors, names) {
  if (!names?.length || !vectors.length) return null;
  const lines = names.map((joint, index) => ({
    name: joint.replace(/\.pos$/, ""), colour: `rv-${(index % JOINT_COLOURS) + 1}`, values: vectors.map((vector) => vector[index]),
  }));
  return { name, title, titleInside: title, height_px: 74, range: around(null, ...lines.map((line) => line.values)), lines };
}

function minus(value, spread, sign = 1) {
  return value === null || spread === null ? null : value - sign * spread;
}

function hasNumbers(column) {
  return column?.some((value) => value !== null) ?? false;
}

// Lowest and highest of all columns, with room; `level` is inside unless it is null.
export function around(level, ...columns) {
  let [low, high] = level === null ? [Infinity, -Infinity] : [level, level];
  for (const column of columns) {
    for (const value of column ?? []) {
      if (value === null) continue;
      if (value < low) low = value;
      if (value > high) high = value;
    }
  }
  if (low > high) return [0, 1];
  const room = (high - low) * 0.06 || Math.abs(high) * 0.1 || 0.5;
  return [low - room, high + room];
}
