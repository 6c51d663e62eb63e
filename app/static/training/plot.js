// One small chart of a run: lines over optimiser steps, with the numbers under the cursor in its head.
//
// All charts of a run share one cursor. Colours follow the page, light or dark.

import { h } from "./dom.js";
import { number } from "./words.js";

const HEIGHT_PX = 148;

function colourOf(name) {
  return getComputedStyle(document.querySelector(".hr-desk")).getPropertyValue(`--${name}`).trim();
}

export class Plot {
  #spec;
  #plot = null;
  #data = [[]];
  #head;
  #body;
  #shownDark = null;
  #last = 0;
  #zoomed = false;

  // `spec`: {title, about, series: [{name, label, colour}], percent, log, zero}.
  constructor(spec) {
    this.#spec = spec;
    this.#head = spec.series.map((series) => h("b", { data: { colour: series.colour } }, "–"));
    this.#body = h("div", { class: "dk-plot-body" });
    this.element = h("figure", { class: "dk-plot", title: spec.about },
      h("figcaption", {},
        h("span", { class: "dk-plot-title" }, spec.title),
        h("span", { class: "dk-plot-legend" },
          spec.series.map((series, index) => h("span", {},
            h("i", { style: `background: var(--${series.colour})` }), `${series.label} `, this.#head[index])))),
      this.#body);
  }

  // `columns`: steps, then a column a series, null where it has no number. `last` is the run's last
  // step so far: all its charts span the same steps.
  show(columns, last) {
    this.#data = columns;
    this.#last = last;
    this.#words(null);
    const dark = document.body.classList.contains("dark");
    if (this.#plot === null || this.#shownDark !== dark) this.#make(dark);
    else this.#plot.setData(columns, !this.#zoomed);
  }

  fit() {
    const width = Math.floor(this.#body.clientWidth);
    if (this.#plot !== null && width > 60 && width !== this.#plot.width) {
      this.#plot.setSize({ width, height: HEIGHT_PX });
    }
  }

  close() {
    this.#plot?.destroy();
    this.#plot = null;
  }

  #words(index) {
    const columns = this.#data;
    this.#spec.series.forEach((_series, place) => {
      const column = columns[place + 1] ?? [];
      let at = index ?? column.length - 1;
      while (at >= 0 && (column[at] === null || column[at] === undefined)) at -= 1;
      const value = column[at];
      this.#head[place].textContent = this.#spec.percent && value !== undefined && value !== null
        ? `${(value * 100).toFixed(1)} %` : number(value);
    });
  }

  #make(dark) {
    this.#plot?.destroy();
    this.#shownDark = dark;
    const width = Math.max(120, Math.floor(this.#body.clientWidth));
    const muted = colourOf("hr-muted");
    const grid = { stroke: colourOf("hr-line"), width: 1 };
    const font = "11px system-ui, sans-serif";
    const spec = this.#spec;
    const tell = (value) => (spec.percent ? `${Number((value * 100).toFixed(1))} %` : number(value));
    this.#plot = new window.uPlot({
      width, height: HEIGHT_PX,
      legend: { show: false },
      padding: [8, 10, 0, 0],
      cursor: { sync: { key: "handrail-run", setSeries: false }, y: false, points: { size: 6 }, drag: { x: true, y: false } },
      scales: {
        x: { time: false, range: (_plot, low, high) => (this.#zoomed ? [low, high] : [0, this.#last]) },
        y: spec.log ? { distr: 3 } : { range: (_plot, low, high) => this.#range(low, high) },
      },
      axes: [
        { stroke: muted, font, grid: { show: false }, ticks: { show: false }, size: 24, gap: 3 },
        {
          stroke: muted, font, grid, ticks: { show: false }, size: 52, gap: 4,
          values: (_plot, splits) => splits.map((value) => (value === null ? "" : tell(value))),
        },
      ],
      series: [{}, ...spec.series.map((series) => ({
        stroke: colourOf(series.colour), width: 1.8, spanGaps: true,
        dash: series.dashed ? [5, 4] : undefined,
        points: { show: (_plot, index) => this.#data[index].filter((value) => value !== null).length < 3 },
      }))],
      hooks: {
        setSelect: [(plot) => { this.#zoomed = plot.select.width > 0; }],
        setCursor: [(plot) => this.#words(plot.cursor.idx ?? null)],
      },
    }, this.#data, this.#body);
    this.#plot.over.addEventListener("dblclick", () => { this.#zoomed = false; });
  }

  #range(low, high) {
    const { zero = false, range } = this.#spec;
    if (range) return range;
    if (low === null || high === null) return [0, 1];
    const bottom = zero ? Math.min(0, low) : low;
    const room = (high - bottom) * 0.08 || Math.abs(high) * 0.1 || 0.1;
    return [zero && low >= 0 ? 0 : bottom - room, high + room];
  }
}
