// The advantage histogram of a run with the word edges drawn on it, and a threshold to drag.
//
// Dragging asks nobody: the bins are here, see advantage_counts.js. The shares now and under the
// dragged threshold stand beside each other, with the setting that a next run would need.

import { binsOf, nearestEdge, positiveShares, settingFor } from "./advantage_counts.js";
import { button, h, select } from "./dom.js";
import { number, percent } from "./words.js";

const HEIGHT_PX = 210;
const AXIS_PX = 20;

export class AdvantageView {
  #canvas = h("canvas", {
    class: "dk-histogram", tabindex: "0", role: "slider",
    "aria-label": "threshold of the advantage; arrow keys move it",
  });
  #table = h("div");
  #title = h("span", { class: "dk-plot-title" }, "Advantages");
  #tasks = h("span");
  #setting = h("div", { class: "dk-setting" });
  #advantages = null;
  #task = null;
  // Bin edge that was dragged to; null: as labelled.
  #edge = null;
  #dragging = false;
  #useSetting;
  #width = 0;

  // `useSetting(name, value)` starts a new run's form with it.
  constructor({ useSetting }) {
    this.#useSetting = useSetting;
    this.element = h("section", { class: "dk-panel dk-advantages", hidden: true },
      h("div", { class: "dk-panel-head" }, this.#title, this.#tasks),
      h("div", { class: "dk-advantage-grid" },
        h("div", {}, this.#canvas), h("div", {}, this.#table, this.#setting)));
    const canvas = this.#canvas;
    canvas.addEventListener("pointerdown", (event) => {
      this.#dragging = true;
      canvas.setPointerCapture(event.pointerId);
      this.#dragTo(event);
    });
    canvas.addEventListener("pointermove", (event) => this.#dragging && this.#dragTo(event));
    canvas.addEventListener("pointerup", () => { this.#dragging = false; });
    canvas.addEventListener("keydown", (event) => this.#key(event));
  }

  show(advantages) {
    const before = this.#advantages;
    this.#advantages = advantages;
    this.element.hidden = advantages === null || advantages.mode === "none";
    if (this.element.hidden) return;
    // Other bins: the dragged edge means another advantage.
    if (before && this.#edge !== null) {
      this.#edge = nearestEdge(advantages.bin_edges, before.bin_edges[this.#edge]);
    }
    const tasks = [...new Set(advantages.groups.map((group) => group.task))];
    if (!tasks.includes(this.#task)) this.#task = null;
    const choices = [["", "all tasks"], ...tasks.map((task) => [task, task])];
    this.#tasks.replaceChildren(tasks.length > 1
      ? select(choices, this.#task ?? "", (task) => { this.#task = task || null; this.#render(); }) : "");
    this.#render();
  }

  fit() {
    const width = this.#canvas.parentElement.clientWidth;
    if (!this.element.hidden && width !== this.#width) this.#draw();
  }

  draw() {
    if (!this.element.hidden) this.#draw();
  }

  #render() {
    this.#draw();
    this.#tell();
  }

  get #x() {
    const edges = this.#advantages.bin_edges;
    const [low, high] = [edges[0], edges.at(-1)];
    return (advantage) => ((advantage - low) / (high - low)) * this.#width;
  }

  #dragTo(event) {
    const edges = this.#advantages.bin_edges;
    const share = (event.clientX - this.#canvas.getBoundingClientRect().left) / this.#width;
    this.#moveTo(nearestEdge(edges, edges[0] + share * (edges.at(-1) - edges[0])));
  }

  #moveTo(edge) {
    const edges = this.#advantages.bin_edges;
    // Five words are cut symmetrically around 0, so their last edge lies above it.
    const lowest = this.#advantages.mode === "five" ? edges.findIndex((value) => value > 0) : 1;
    this.#edge = Math.min(edges.length - 2, Math.max(lowest, edge));
    this.#render();
  }

  #key(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1, PageDown: -10, PageUp: 10 }[event.key];
    if (event.key === "Escape") {
      this.#edge = null;
      this.#render();
    } else if (step) {
      event.preventDefault();
      this.#moveTo((this.#edge ?? this.#startEdge()) + step);
    }
  }

  #startEdge() {
    const marks = this.#marks();
    return nearestEdge(this.#advantages.bin_edges, marks.at(-1)?.at ?? 0);
  }

  // Where the words change now.
  #marks() {
    const { mode, words, word_edges: edges, thresholds } = this.#advantages;
    if (mode === "five") return edges.map((at, index) => ({ at, label: words[index + 1] }));
    return Object.entries(thresholds)
      .filter(([task]) => this.#task === null || task === this.#task)
      .map(([task, at]) => ({ at, label: this.#task === null && Object.keys(thresholds).length > 1 ? task : "positive" }));
  }

  #draw() {
    const canvas = this.#canvas;
    const ratio = window.devicePixelRatio || 1;
    this.#width = canvas.parentElement.clientWidth;
    if (this.#width < 40) return;
    canvas.width = this.#width * ratio;
    canvas.height = HEIGHT_PX * ratio;
    canvas.style.height = `${HEIGHT_PX}px`;
    const style = getComputedStyle(canvas);
    const colour = (name) => style.getPropertyValue(`--hr-${name}`).trim();
    const ctx = canvas.getContext("2d");
    ctx.scale(ratio, ratio);
    const { bin_edges: edges, groups } = this.#advantages;
    const bins = binsOf(groups, this.#task);
    const most = Math.max(1, ...bins);
    const floor = HEIGHT_PX - AXIS_PX;
    const cuts = this.#edge === null ? this.#marks().map((mark) => mark.at) : [edges[this.#edge]];
    const cut = Math.max(...(cuts.length ? cuts : [Infinity]));
    bins.forEach((count, bin) => {
      const left = this.#x(edges[bin]);
      const right = this.#x(edges[bin + 1]);
      // A root scale lets the thin tails be seen.
      const height = Math.sqrt(count / most) * (floor - 22);
      ctx.fillStyle = edges[bin] >= cut - 1e-9 ? colour("success") : colour("late");
      ctx.fillRect(left, floor - height, Math.max(1, right - left - 0.5), height);
    });
    this.#drawAxis(ctx, colour, floor);
    this.#drawMarks(ctx, colour, floor);
    const at = this.#edge === null ? this.#startEdge() : this.#edge;
    canvas.setAttribute("aria-valuenow", edges[at].toFixed(4));
    canvas.setAttribute("aria-valuemin", edges[0].toFixed(4));
    canvas.setAttribute("aria-valuemax", edges.at(-1).toFixed(4));
  }

  #drawAxis(ctx, colour, floor) {
    const edges = this.#advantages.bin_edges;
    ctx.fillStyle = colour("line-strong");
    ctx.fillRect(0, floor, this.#width, 1);
    ctx.fillStyle = colour("muted");
    ctx.font = "11px system-ui, sans-serif";
    ctx.textBaseline = "top";
    for (let tick = 0; tick <= 4; tick += 1) {
      const value = edges[0] + (tick / 4) * (edges.at(-1) - edges[0]);
      ctx.textAlign = tick === 0 ? "left" : tick === 4 ? "right" : "center";
      ctx.fillText(number(Number(value.toPrecision(2))), (tick / 4) * this.#width, floor + 5);
    }
  }

  #drawMarks(ctx, colour, floor) {
    ctx.font = "600 11px system-ui, sans-serif";
    ctx.textBaseline = "top";
    const marks = this.#marks().sort((a, b) => a.at - b.at);
    // Words of edges that lie close together stand below each other.
    let [row, before] = [0, -Infinity];
    for (const { at, label } of marks) {
      const x = this.#x(at);
      row = x - before < ctx.measureText(label).width + 20 ? row + 1 : 0;
      before = x;
      ctx.fillStyle = colour("ink");
      ctx.setLineDash([4, 3]);
      ctx.strokeStyle = colour("ink");
      ctx.beginPath();
      ctx.moveTo(x, 2);
      ctx.lineTo(x, floor);
      ctx.stroke();
      ctx.setLineDash([]);
      const right = x + ctx.measureText(label).width + 8 > this.#width;
      ctx.textAlign = right ? "right" : "left";
      ctx.fillText(label, right ? x - 6 : x + 6, 2 + 13 * row);
    }
    if (this.#edge === null) return;
    const x = this.#x(this.#advantages.bin_edges[this.#edge]);
    ctx.fillStyle = colour("policy");
    ctx.fillRect(x - 1.5, 0, 3, floor);
    ctx.beginPath();
    ctx.arc(x, 30, 8, 0, 2 * Math.PI);
    ctx.fill();
    ctx.fillStyle = colour("on");
    ctx.textAlign = "center";
    ctx.textBaseline = "middle";
    ctx.fillText("↔", x, 30);
  }

  #tell() {
    const { groups, bin_edges: edges, step } = this.#advantages;
    const now = positiveShares(groups, null);
    const then = this.#edge === null ? null : positiveShares(groups, this.#edge, this.#task);
    const best = this.#advantages.words.at(-1);
    this.#title.textContent = `Advantages of step ${step}: ${percent(now.all)} ${best}`;
    const row = (name, share, other) => h("tr", {},
      h("td", {}, name), h("td", {}, percent(share, 1)), h("td", {}, then ? percent(other, 1) : ""));
    this.#table.replaceChildren(h("table", { class: "dk-table dk-narrow" },
      h("thead", {}, h("tr", {}, h("th", {}, `share of ‘${best}’`), h("th", {}, "now"),
        h("th", {}, then ? `at ${number(Number(edges[this.#edge].toPrecision(3)))}` : ""))),
      h("tbody", {},
        row("all steps", now.all, then?.all),
        Object.keys(now.byTask).length > 1 && Object.keys(now.byTask).map((task) => row(`task: ${task}`, now.byTask[task], then?.byTask[task])),
        Object.keys(now.bySource).map((source) => row(`source: ${source}`, now.bySource[source], then?.bySource[source])))));
    this.#tellSetting(then);
  }

  #tellSetting(then) {
    if (then === null) {
      this.#setting.replaceChildren(h("p", { class: "dk-quiet" },
        "Drag in the histogram to try another threshold. Human steps keep the best word."));
      return;
    }
    const { name, value } = settingFor(this.#advantages, this.#edge, this.#task);
    const rounded = value === null ? null : Number(value.toPrecision(3));
    const warning = then.all < 0.02 || then.all > 0.98;
    this.#setting.replaceChildren(...[
      h("p", {}, "That is ", h("code", {}, `${name} = ${rounded ?? "–"}`), " in a next run."),
      warning && h("p", { class: "dk-wrong" }, "⚠ So close to 0 or 100 % the word carries no news."),
      h("div", { class: "dk-actions" },
        rounded > 0 && rounded !== 1 && button("Use in a new run", () => this.#useSetting(name, rounded)),
        button("Back to what was used", () => { this.#edge = null; this.#render(); })),
    ].filter(Boolean));
  }
}
