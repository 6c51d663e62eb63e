// Where in an episode to look: dips of the value, steps where two critics differ, spans of a column.

// A fall counts when value is lost by this share of the critic's range, and comes back by it or the
// episode ends.
const DIP_SHARE = 0.12;
const DIFFER_SHARE = 0.2;

// The lowest steps of every fall, first to last. `values` may hold nulls; `support` is [low, high].
export function dips(values, support) {
  const least = (support[1] - support[0]) * DIP_SHARE;
  const found = [];
  let high = -Infinity;
  let low = Infinity;
  let lowAt = -1;
  let falling = false;
  values.forEach((value, step) => {
    if (value === null) return;
    if (falling) {
      if (value < low) [low, lowAt] = [value, step];
      if (value > low + least) {
        found.push(lowAt);
        [falling, high] = [false, value];
      }
    } else if (value > high) high = value;
    else if (value < high - least) [falling, low, lowAt] = [true, value, step];
  });
  if (falling) found.push(lowAt);
  return found;
}

// Spans [start, end) in which two critics, each by its own range, differ by a fifth or more.
export function differences(a, b, supportA, supportB) {
  const share = (value, [low, high]) => (value - low) / (high - low || 1);
  const differs = a.map((value, step) => {
    const other = b[step];
    if (value === null || other === null || other === undefined) return false;
    return Math.abs(share(value, supportA) - share(other, supportB)) >= DIFFER_SHARE;
  });
  return spansOf(differs, true);
}

// Spans [start, end) in which a column has this value.
export function spansOf(column, wanted) {
  const spans = [];
  column.forEach((value, step) => {
    if (value !== wanted) return;
    const last = spans.at(-1);
    if (last && last[1] === step) last[1] = step + 1;
    else spans.push([step, step + 1]);
  });
  return spans;
}

// The place after (or before) a step; undefined when there is none on that side.
export function nextPlace(places, step, direction) {
  return direction > 0 ? places.find((place) => place > step) : places.findLast((place) => place < step);
}
