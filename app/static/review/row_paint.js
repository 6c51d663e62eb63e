// Paints one row of the timeline into a canvas. Steps go from left to right, half a step of room at both ends.

import { number } from "../training/words.js";

const WORDS_PX = 6;
const MARKS_PX = 4;

// `ctx` is moved to the row's corner; `x(step)` gives the middle of a step; `colour(name)` a CSS colour.
export function paintRow(ctx, row, { width, height, x, colour }) {
  const bottom = height - (row.words ? WORDS_PX + 2 : 0) - (row.marks?.length ? MARKS_PX + 2 : 0) - 3;
  const [low, high] = row.range;
  const y = (value) => bottom - ((Math.min(high, Math.max(low, value)) - low) / (high - low || 1)) * (bottom - 4);
  const scale = { x, y, width, stepWidth: Math.max(1, x(1) - x(0)) };
  ctx.lineWidth = 1;
  ctx.strokeStyle = colour("line");
  if (low < 0 && high > 0) level(ctx, width, y(0), []);
  for (const band of row.bands ?? []) paintBand(ctx, band, scale, colour(band.colour));
  if (row.bars) paintBars(ctx, row.bars, scale, colour);
  if (Number.isFinite(row.level ?? NaN)) {
    ctx.strokeStyle = colour("muted");
    level(ctx, width, y(row.level), [4, 3]);
  }
  for (const line of row.lines) paintLine(ctx, line, scale, colour(line.colour));
  if (row.words) paintWords(ctx, row, scale, height - WORDS_PX - 1, colour);
  ctx.fillStyle = colour("ink");
  for (const step of row.dips ?? []) triangle(ctx, x(step), 1);
  for (const [start, end] of row.marks ?? []) {
    ctx.fillStyle = colour("held");
    ctx.fillRect(x(start - 0.5), height - MARKS_PX - 1, x(end - 0.5) - x(start - 0.5), MARKS_PX);
  }
  paintRange(ctx, row, { bottom, width, colour });
}

function paintRange(ctx, { range: [low, high], titleInside }, { bottom, width, colour }) {
  ctx.font = "9.5px system-ui, sans-serif";
  ctx.textBaseline = "alphabetic";
  ctx.fillStyle = colour("muted");
  ctx.fillText(number(Number(high.toPrecision(2))), 3, 10);
  ctx.fillText(number(Number(low.toPrecision(2))), 3, bottom);
  if (titleInside) {
    ctx.font = "600 11px system-ui, sans-serif";
    const wide = ctx.measureText(titleInside).width;
    ctx.fillStyle = colour("sunken");
    ctx.fillRect(width - wide - 9, 0, wide + 9, 16);
    ctx.fillStyle = colour("muted");
    ctx.fillText(titleInside, width - wide - 5, 12);
  }
}

function level(ctx, width, y, dash) {
  ctx.setLineDash(dash);
  ctx.beginPath();
  ctx.moveTo(0, Math.round(y) + 0.5);
  ctx.lineTo(width, Math.round(y) + 0.5);
  ctx.stroke();
  ctx.setLineDash([]);
}

// Points down at what lies below it.
function triangle(ctx, x, top) {
  ctx.beginPath();
  ctx.moveTo(x - 4, top);
  ctx.lineTo(x + 4, top);
  ctx.lineTo(x, top + 6);
  ctx.fill();
}

function paintLine(ctx, { values, dashed }, { x, y }, stroke) {
  ctx.strokeStyle = stroke;
  ctx.lineWidth = 1.6;
  ctx.lineJoin = "round";
  ctx.setLineDash(dashed ? [5, 3] : []);
  ctx.beginPath();
  let drawing = false;
  values.forEach((value, step) => {
    if (value === null) drawing = false;
    else if (drawing) ctx.lineTo(x(step), y(value));
    else {
      ctx.moveTo(x(step), y(value));
      drawing = true;
    }
  });
  ctx.stroke();
  ctx.setLineDash([]);
}

function paintBand(ctx, { low, high }, { x, y, stepWidth }, fill) {
  ctx.fillStyle = fill;
  ctx.globalAlpha = 0.16;
  low.forEach((bottom, step) => {
    if (bottom === null) return;
    const top = y(high[step]);
    ctx.fillRect(x(step) - stepWidth / 2, top, stepWidth, y(bottom) - top);
  });
  ctx.globalAlpha = 1;
}

function paintBars(ctx, { values, colours }, { x, y, stepWidth }, colour) {
  const zero = y(0);
  ctx.globalAlpha = 0.55;
  values.forEach((value, step) => {
    if (!value) return;
    const at = y(value);
    ctx.fillStyle = colour(colours[step]);
    ctx.fillRect(x(step) - stepWidth / 2, Math.min(at, zero), Math.max(1, stepWidth - (stepWidth > 4 ? 1 : 0)), Math.max(1, Math.abs(at - zero)));
  });
  ctx.globalAlpha = 1;
}

// Good words fill the strip, bad ones its lower half, neutral ones a line: not told by colour alone.
function paintWords(ctx, { words, bars }, { x, stepWidth }, top, colour) {
  const shapes = { positive: [0, 1], negative: [0.5, 0.5], neutral: [0.4, 0.2] };
  words.forEach((word, step) => {
    const shape = shapes[word.split(" ").at(-1)];
    if (!shape) return;
    ctx.globalAlpha = word.startsWith("very") ? 1 : 0.75;
    ctx.fillStyle = colour(bars.colours[step]);
    ctx.fillRect(x(step) - stepWidth / 2, top + shape[0] * WORDS_PX, stepWidth + 0.5, shape[1] * WORDS_PX);
  });
  ctx.globalAlpha = 1;
}
