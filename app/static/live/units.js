// Numbers as people read them: with a unit, and of constant width so that nothing jumps.

const NONE = "–";

export function percent(share) {
  return share === null || share === undefined ? NONE : `${Math.round(share * 100)} %`;
}

export function hertz(hz) {
  return hz ? `${hz.toFixed(1)} Hz` : `${NONE} Hz`;
}

export function milliseconds(ms) {
  if (ms === null || !Number.isFinite(ms)) return `${NONE} ms`;
  return ms < 1000 ? `${Math.round(Math.max(0, ms))} ms` : `${(ms / 1000).toFixed(1)} s`;
}

// 75 seconds are 01:15.
export function clock(seconds) {
  if (seconds === null || seconds === undefined) return NONE;
  const whole = Math.floor(seconds);
  return `${String(Math.floor(whole / 60)).padStart(2, "0")}:${String(whole % 60).padStart(2, "0")}`;
}

// Short times with one decimal and their unit, and the bare number for the ends of a range.
export function seconds(time_s) {
  return time_s === null || time_s === undefined ? NONE : `${minutes(time_s)} s`;
}

export function minutes(time_s) {
  return time_s < 100 ? time_s.toFixed(1) : String(Math.round(time_s));
}

export function bytes(count) {
  if (count === null || count === undefined) return NONE;
  const gigabytes = count / 1e9;
  return gigabytes >= 100 ? `${Math.round(gigabytes)} GB` : `${gigabytes.toFixed(1)} GB`;
}

export function count(number) {
  return number === null || number === undefined ? NONE : number.toLocaleString("en-US");
}

// A signed number with a real minus, two decimals.
export function signed(number) {
  if (number === null || number === undefined) return NONE;
  const size = Math.abs(number).toFixed(2);
  return number < 0 ? `−${size}` : `+${size}`;
}

export function per_hour(rate) {
  return rate === null || rate === undefined ? NONE : rate.toFixed(rate < 10 ? 1 : 0);
}
