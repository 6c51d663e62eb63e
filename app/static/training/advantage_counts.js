// Counts what another threshold would call positive, from bins that the server counted.
//
// A threshold lies on an edge of the bins, where the count is exact.

const ATANH_EDGE = Math.atanh(0.8);

// Position of the bin edge nearest to an advantage.
export function nearestEdge(edges, advantage) {
  let best = 0;
  edges.forEach((edge, index) => {
    if (Math.abs(edge - advantage) < Math.abs(edges[best] - advantage)) best = index;
  });
  return best;
}

const sum = (numbers) => numbers.reduce((total, each) => total + each, 0);

// All steps: those that the threshold judges, and those whose word is settled without it.
const stepsOf = (group) => sum(group.counts) + group.num_forced + (group.num_worst ?? 0);

// What holds now, without a threshold of the page's own.
function inForce(group) {
  return { best: group.num_best, steps: stepsOf(group) };
}

function above(group, edge) {
  return { best: sum(group.counts.slice(edge)) + group.num_forced, steps: stepsOf(group) };
}

function shares(groups, keyOf, count) {
  const totals = new Map();
  for (const group of groups) {
    const total = totals.get(keyOf(group)) ?? { best: 0, steps: 0 };
    const { best, steps } = count(group);
    total.best += best;
    total.steps += steps;
    totals.set(keyOf(group), total);
  }
  return Object.fromEntries([...totals].map(([key, { best, steps }]) => [key, steps ? best / steps : null]));
}

// Shares of the steps with the best word: of all, by task, by source. `edge` null: as labelled.
// Groups of tasks other than `task` (null: every task) keep what they have.
export function positiveShares(groups, edge, task = null) {
  const moved = (group) => edge !== null && (task === null || group.task === task);
  const count = (group) => (moved(group) ? above(group, edge) : inForce(group));
  return {
    all: shares(groups, () => "all", count).all ?? null,
    byTask: shares(groups, (group) => group.task, count),
    bySource: shares(groups, (group) => group.source, count),
  };
}

// The setting of the next run that this threshold amounts to.
export function settingFor(advantages, edge, task = null) {
  if (advantages.mode === "five") {
    return { name: "words.scaling", value: advantages.bin_edges[edge] / ATANH_EDGE };
  }
  const groups = advantages.groups.filter((group) => task === null || group.task === task);
  const judged = sum(groups.map((group) => sum(group.counts)));
  const best = sum(groups.map((group) => sum(group.counts.slice(edge))));
  return { name: "words.positive_fraction", value: judged ? best / judged : null };
}

// All judged steps of the chosen task, a number a bin.
export function binsOf(groups, task = null) {
  const chosen = groups.filter((group) => task === null || group.task === task);
  return (groups[0]?.counts ?? []).map((_count, bin) => sum(chosen.map((group) => group.counts[bin])));
}
