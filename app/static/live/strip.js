// The strip under the cameras: the critic's value with its spread, and a lane that says who drove.
//
// Drawn by uPlot at frame rate on a fixed range, so that a slope means the same at any moment. The
// axis counts control steps; between two ticks it glides on, so that the curve does not jerk.

import { acting } from "./acting.js";
import { setData, setText } from "./paint.js";
import { StripData, WINDOW_S } from "./strip_data.js";
import { milliseconds, signed } from "./units.js";

// The value lies in [-1, 0]; the room below belongs to the lane.
const VALUE_RANGE = [-1.32, 0.08];
const LANE_PX = 24;
// Values further apart are not joined: nobody judged what lies between.
const JOINED_S = 1;
// Without ticks for so long nothing moves any more, and nothing is drawn.
const STILL_AFTER_S = 2;
const WORDS = { policy: "policy", human: "human", held: "held", stopped: "stopped" };

function colour(name) {
  return getComputedStyle(document.querySelector(".hr-live")).getPropertyValue(name).trim();
}

function readPalette() {
  return {
    ink: colour("--hr-ink"), muted: colour("--hr-muted"), line: colour("--hr-line"),
    panel: colour("--hr-panel"), value: colour("--hr-policy"),
    policy: colour("--hr-policy"), human: colour("--hr-human"), held: colour("--hr-held"),
    stopped: colour("--hr-stopped"), success: colour("--hr-success"),
    failure: colour("--hr-failure"), on: colour("--hr-on"), held_ink: colour("--hr-held-ink"),
    late: colour("--hr-late"),
  };
}

// Why there is no value to show. A checkpoint's id holds its run and step, `run/step`, or the version
// of published weights, `run@version`; the built-in policies have one word.
export function noValue(tick, open) {
  if (!open) return "Value and driver appear here while a session is open.";
  if (tick?.acting) return "No value yet: actions come first.";
  if (/[/@]/.test(tick?.policy ?? "")) return "The critic's value appears here during an attempt.";
  return "No critic is loaded, so there is no value to show; the lane shows who drives.";
}

export class Strip {
  #root;
  #now;
  #acting;
  #data = new StripData();
  #plot = null;
  #palette = null;
  #ticked_at = 0;
  #size = "";

  // `now` says the newest value, `acting` how the policy keeps up.
  constructor({ root, now, acting }) {
    this.#root = root;
    this.#now = now;
    this.#acting = acting;
    const dark = new MutationObserver(() => { this.#palette = null; });
    dark.observe(document.body, { attributes: true, attributeFilter: ["class"] });
  }

  setRate(fps) {
    this.#data.setRate(fps);
  }

  add(tick) {
    this.#data.add(tick);
    this.#ticked_at = performance.now();
  }

  grade(outcome) {
    this.#data.grade(outcome);
  }

  // Four times a second: the numbers, or why there are none.
  render(tick, open) {
    const known = tick?.value !== null && tick?.value !== undefined;
    const { text, warns } = acting(tick);
    setText(this.#acting, text);
    setData(this.#acting, "warns", warns ? "yes" : "no");
    setData(this.#now, "known", known ? (tick.value_late ? "late" : "yes") : "no");
    if (known) {
      const spread = tick.spread === null ? "" : ` ± ${tick.spread.toFixed(2)}`;
      const age_ms = ((tick.step - (tick.value_step ?? tick.step)) / this.#data.fps) * 1000;
      const late = tick.value_late ? `   late by ${milliseconds(age_ms)}` : "";
      const advantage = tick.advantage === null || tick.advantage === undefined
        ? "" : `   advantage ${signed(tick.advantage)}`;
      setText(this.#now, `value ${signed(tick.value)}${spread}${advantage}${late}`);
    } else {
      setText(this.#now, noValue(tick, open));
    }
  }

  // Once a frame.
  draw() {
    const box = this.#root.getBoundingClientRect();
    if (box.width < 40 || box.height < 40 || !this.#root.checkVisibility()) return;
    if (this.#palette === null) {
      this.#palette = readPalette();
      this.#plot?.destroy();
      this.#plot = null;
    }
    const size = `${Math.floor(box.width)}x${Math.floor(box.height)}`;
    const drawn = this.#plot !== null && size === this.#size;
    if (this.#plot === null) {
      this.#plot = this.#makePlot(box);
      this.#size = size;
    } else if (size !== this.#size) {
      this.#plot.setSize({ width: Math.floor(box.width), height: Math.floor(box.height) });
      this.#size = size;
    }
    const data = this.#data;
    const since_s = (performance.now() - this.#ticked_at) / 1000;
    if (since_s > STILL_AFTER_S && drawn) return;
    const glide = this.#ticked_at === 0 ? 0 : Math.min(since_s * data.fps, 1.5);
    const right = data.last + glide;
    this.#plot.batch(() => {
      this.#plot.setData(data.columns, false);
      this.#plot.setScale("x", { min: right - data.window, max: right });
    });
  }

  #makePlot(box) {
    const palette = this.#palette;
    const font = "12px system-ui, sans-serif";
    const grid = { stroke: palette.line, width: 1 };
    // What uPlot found without a value, in pixels; only the wide ones stay gaps.
    const joined = (plot, _series, _from, _to, gaps) => {
      const wide_px = (plot.bbox.width / this.#data.window) * this.#data.fps * JOINED_S;
      return gaps.filter(([left, right]) => right - left > wide_px);
    };
    const ticks = { show: false };
    const options = {
      width: Math.floor(box.width), height: Math.floor(box.height),
      legend: { show: false }, cursor: { show: false }, select: { show: false },
      padding: [6, 18, 0, 0],
      scales: { x: { time: false, auto: false }, y: { range: VALUE_RANGE, auto: false } },
      axes: [
        {
          stroke: palette.muted, font, grid: { show: false }, ticks, size: 22, gap: 2,
          splits: (plot) => this.#secondsBack(plot).map((mark) => mark.x),
          values: (plot) => this.#secondsBack(plot).map((mark) => mark.text),
        },
        { stroke: palette.muted, font, grid, ticks, size: 44, gap: 4, splits: () => [-1, -0.5, 0],
          values: () => ["−1", "−0.5", "0"] },
      ],
      series: [
        {},
        { stroke: palette.value, width: 2.5, points: { show: false }, gaps: joined },
        { stroke: "transparent", points: { show: false }, gaps: joined },
        { stroke: "transparent", points: { show: false }, gaps: joined },
        { stroke: palette.late, width: 2, dash: [4, 4], gaps: joined,
          points: { show: true, size: 5, fill: palette.late, stroke: palette.late } },
      ],
      bands: [{ series: [3, 2], fill: `${palette.value}33` }],
      hooks: { drawClear: [(plot) => this.#shade(plot)], draw: [(plot) => this.#drawLane(plot)] },
    };
    return new window.uPlot(options, this.#data.columns, this.#root);
  }

  // Whole steps of five seconds before now, so that the labels stand still while the curve moves.
  #secondsBack(plot) {
    const { max } = plot.scales.x;
    const marks = [];
    for (let back_s = WINDOW_S; back_s >= 0; back_s -= 5) {
      marks.push({ x: max - back_s * this.#data.fps, text: back_s === 0 ? "now" : `−${back_s} s` });
    }
    return marks;
  }

  #shade(plot) {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    for (const { kind, from, to } of this.#data.spans()) {
      if (kind !== "human" && kind !== "held" && kind !== "stopped") continue;
      const left = plot.valToPos(from, "x", true);
      const right = plot.valToPos(to, "x", true);
      ctx.fillStyle = `${this.#palette[kind]}2e`;
      ctx.fillRect(left, bbox.top, right - left, bbox.height);
    }
    ctx.restore();
  }

  #drawLane(plot) {
    const { ctx, bbox } = plot;
    const ratio = window.devicePixelRatio || 1;
    const height = LANE_PX * ratio;
    const top = bbox.top + bbox.height - height;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    ctx.fillStyle = this.#palette.panel;
    ctx.fillRect(bbox.left, top, bbox.width, height);
    ctx.font = `600 ${12 * ratio}px system-ui, sans-serif`;
    ctx.textBaseline = "middle";
    ctx.textAlign = "left";
    for (const { kind, from, to } of this.#data.spans()) {
      if (kind === "") continue;
      const left = Math.max(bbox.left, plot.valToPos(from, "x", true));
      const right = plot.valToPos(to, "x", true);
      ctx.fillStyle = this.#palette[kind];
      ctx.fillRect(left, top + 3 * ratio, right - left, height - 3 * ratio);
      const word = WORDS[kind];
      if (right - left > ctx.measureText(word).width + 14 * ratio) {
        ctx.fillStyle = kind === "held" ? this.#palette.held_ink : this.#palette.on;
        ctx.fillText(word, left + 7 * ratio, top + height / 2 + 2 * ratio);
      }
    }
    this.#drawMarks(plot, top);
    ctx.restore();
  }

  #drawMarks(plot, laneTop) {
    const { ctx, bbox } = plot;
    const ratio = window.devicePixelRatio || 1;
    ctx.font = `500 ${11 * ratio}px system-ui, sans-serif`;
    ctx.textBaseline = "top";
    for (const { x, kind, text } of this.#data.marks) {
      const at = plot.valToPos(x, "x", true);
      ctx.fillStyle = this.#palette[kind] ?? this.#palette.muted;
      ctx.fillRect(at - ratio, bbox.top, kind === "start" ? ratio : 2.5 * ratio, laneTop - bbox.top);
      // Starts are named to the right of their line, ends below that to the left of theirs.
      const starts = kind === "start";
      ctx.textAlign = starts ? "left" : "right";
      ctx.fillText(text, at + (starts ? 5 : -6) * ratio, bbox.top + (starts ? 3 : 17) * ratio);
    }
  }
}
