// Every row of an episode under one cursor: labels, value, advantage, return, actions, states.
//
// Painted once for each episode, width and colour scheme; the cursor alone moves. A click or drag
// seeks, with Shift it marks a range.

import { h } from "../training/dom.js";
import { number } from "../training/words.js";
import { paintRow } from "./row_paint.js";
import { LABEL_COLOURS, rowsOf } from "./tracks.js";

const LABELS_PX = 44;
const GAP_PX = 5;
// Readouts that fit one below the other.
const MOST_BELOW = 6;

export class Timeline {
  #root;
  #desk;
  #canvas = h("canvas", { class: "rv-canvas", role: "img" });
  #cursor = h("div", { class: "rv-cursor" });
  #gutter = h("div", { class: "rv-gutter" });
  #body = h("div", { class: "rv-rows", tabindex: "0", role: "slider", "aria-label": "frame", "aria-valuemin": "1" }, this.#canvas, this.#cursor);
  #review = null;
  #rows = [];
  #readouts = [];
  #word = null;
  #marks = { start: null, end: null };
  #painted = "";
  #shownFrame = -1;
  #dragFrom = null;

  // `desk` has seek(frame), mark({start, end}) and critic(review, at): the element that chooses one.
  constructor({ root, desk }) {
    this.#root = root;
    this.#desk = desk;
    this.#root.replaceChildren(this.#gutter, this.#body);
    this.#body.addEventListener("pointerdown", (event) => this.#down(event));
    this.#body.addEventListener("pointermove", (event) => this.#move(event));
    this.#body.addEventListener("pointerup", () => { this.#dragFrom = null; });
  }

  // `review` is null while there is none.
  show(review) {
    this.#review = review;
    this.#rows = review ? rowsOf(review) : [];
    this.#painted = "";
    this.#shownFrame = -1;
    this.#body.setAttribute("aria-valuemax", String(review?.episode.num_steps ?? 1));
    this.#canvas.setAttribute("aria-label", this.#rows.map((row) => row.title).join(", "));
    this.#readouts = this.#rows.map((row) => readoutsOf(row).map(() => h("b")));
    this.#word = h("span", { class: "rv-word" });
    const unscored = review !== null && !review.curves?.length;
    this.#gutter.replaceChildren(
      h("div", { class: "rv-row-head", style: `height: ${LABELS_PX}px` }, h("span", { class: "rv-row-title" }, "labels", unscored && h("span", { class: "dk-quiet", title: "no critic has scored this episode" }, " · not scored")), h("span", { class: "rv-human-key" }, "a person drove")),
      ...this.#rows.map((row, index) => this.#head(row, this.#readouts[index])));
  }

  #head(row, readouts) {
    const told = readoutsOf(row);
    return h("div", { class: "rv-row-head", style: `height: ${row.height_px}px`, data: { row: row.name } },
      h("span", { class: "rv-row-title" }, row.title, row.marks?.length > 0 && h("span", { class: "rv-differ" }, "▬ they differ"), row.words && this.#word),
      h("div", { class: "rv-readouts", data: { many: told.length > MOST_BELOW ? "yes" : "no" } },
        told.map((line, at) => h("span", { title: line.name },
          h("i", { style: `background: var(--${css(line.colour)})` }),
          row.name === "value" ? this.#desk.critic(this.#review, at) : h("em", {}, line.name), readouts[at])),
        row.name === "value" && told.length === 1 && this.#review.scored_by.length > 1
          && h("span", {}, h("i", { style: "background: var(--rv-second)" }), this.#desk.critic(this.#review, 1))));
  }

  mark(marks) {
    this.#marks = marks;
    this.#painted = "";
  }

  // Once a picture of the page.
  draw(frame) {
    const width = Math.floor(this.#body.clientWidth);
    if (!this.#review || width < 80) return;
    const dark = document.body.classList.contains("dark");
    const state = `${width} ${dark}`;
    if (state !== this.#painted) {
      this.#painted = state;
      this.#paint(width);
      this.#shownFrame = -1;
    }
    if (frame === this.#shownFrame) return;
    this.#shownFrame = frame;
    this.#cursor.style.transform = `translateX(${this.#x(frame, width)}px)`;
    this.#body.setAttribute("aria-valuenow", String(frame + 1));
    this.#rows.forEach((row, index) => readoutsOf(row).forEach((line, at) => {
      this.#readouts[index][at].textContent = number(line.values[frame]);
    }));
    this.#word.textContent = this.#rows.find((row) => row.words)?.words[frame] ?? "";
  }

  #x(step, width) {
    return ((step + 0.5) / this.#review.episode.num_steps) * width;
  }

  #paint(width) {
    const height = LABELS_PX + this.#rows.reduce((sum, row) => sum + row.height_px + GAP_PX, 0);
    const ratio = window.devicePixelRatio || 1;
    Object.assign(this.#canvas, { width: width * ratio, height: height * ratio });
    Object.assign(this.#canvas.style, { width: `${width}px`, height: `${height}px` });
    const ctx = this.#canvas.getContext("2d");
    const style = getComputedStyle(this.#root);
    const colour = (name) => style.getPropertyValue(`--${css(name)}`).trim();
    const x = (step) => this.#x(step, width);
    ctx.scale(ratio, ratio);
    ctx.fillStyle = colour("human");
    ctx.globalAlpha = 0.15;
    const human = this.#review.human_spans;
    for (const [start, end] of human) ctx.fillRect(x(start - 0.5), 0, x(end - 0.5) - x(start - 0.5), height);
    ctx.globalAlpha = 1;
    for (const [start, end] of human) ctx.fillRect(x(start - 0.5), LABELS_PX - 4, x(end - 0.5) - x(start - 0.5), 4);
    this.#paintLabels(ctx, x, colour, height);
    ctx.save();
    ctx.translate(0, LABELS_PX + GAP_PX);
    for (const row of this.#rows) {
      ctx.fillStyle = colour("sunken");
      ctx.globalAlpha = 0.5;
      ctx.fillRect(0, 0, width, row.height_px);
      ctx.globalAlpha = 1;
      paintRow(ctx, row, { width, height: row.height_px, x, colour });
      ctx.translate(0, row.height_px + GAP_PX);
    }
    ctx.restore();
  }

  #paintLabels(ctx, x, colour, height) {
    ctx.font = "600 11px system-ui, sans-serif";
    ctx.textBaseline = "middle";
    const lanes = [];
    for (const range of this.#review.labels.ranges ?? []) {
      const [from, to] = [x(range.start_step - 0.5), x(range.end_step - 0.5)];
      let lane = lanes.findIndex((end) => end <= from);
      if (lane < 0) lane = lanes.length < 2 ? lanes.length : 1;
      lanes[lane] = to;
      const top = 2 + lane * 18;
      ctx.fillStyle = colour(LABEL_COLOURS[range.kind]);
      ctx.globalAlpha = 0.3;
      ctx.fillRect(from, top, to - from, 16);
      ctx.globalAlpha = 1;
      ctx.fillRect(from, top, 3, 16);
      ctx.save();
      ctx.beginPath();
      ctx.rect(from, top, Math.max(0, to - from), 16);
      ctx.clip();
      ctx.fillStyle = colour("ink");
      ctx.fillText(range.text || range.kind, from + 7, top + 8);
      ctx.restore();
    }
    const end = this.#review.labels.terminal_step ?? null;
    if (end !== null) {
      ctx.fillStyle = colour("ground");
      ctx.globalAlpha = 0.66;
      ctx.fillRect(x(end + 0.5), 0, x(this.#review.episode.num_steps) - x(end + 0.5), height);
      ctx.globalAlpha = 1;
      ctx.fillStyle = colour("success");
      ctx.fillRect(x(end + 0.5) - 1, 0, 2, height);
      ctx.textAlign = x(end) > 120 ? "right" : "left";
      ctx.fillText("success here", x(end) + (x(end) > 120 ? -4 : 8), 10);
      ctx.textAlign = "left";
    }
    const { start, end: stop } = this.#marks;
    ctx.fillStyle = colour("ink");
    if (start !== null) ctx.fillText("[", x(start - 0.5) - 1, 10);
    if (stop !== null) ctx.fillText("]", x(stop - 0.5) - 2, 10);
    if (start !== null && stop !== null) {
      ctx.globalAlpha = 0.12;
      ctx.fillRect(x(start - 0.5), 0, x(stop - 0.5) - x(start - 0.5), height);
      ctx.globalAlpha = 1;
    }
  }

  #down(event) {
    if (!this.#review || event.button !== 0) return;
    const frame = this.#frameAt(event);
    this.#dragFrom = { frame, marks: event.shiftKey };
    this.#body.setPointerCapture(event.pointerId);
    this.#desk.seek(frame);
  }

  #move(event) {
    if (this.#dragFrom === null) return;
    const frame = this.#frameAt(event);
    this.#desk.seek(frame);
    const from = this.#dragFrom.frame;
    if (this.#dragFrom.marks) this.#desk.mark({ start: Math.min(from, frame), end: Math.max(from, frame) + 1 });
  }

  #frameAt(event) {
    const box = this.#canvas.getBoundingClientRect();
    const steps = this.#review.episode.num_steps;
    return Math.max(0, Math.min(steps - 1, Math.floor(((event.clientX - box.left) / box.width) * steps)));
  }
}

function readoutsOf(row) {
  return row.readouts ?? row.lines;
}

function css(colour) {
  return colour.startsWith("rv-") ? colour : `hr-${colour}`;
}
