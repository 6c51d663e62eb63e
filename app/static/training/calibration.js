// Whether the critic's values mean what they say: mean return over mean value, on the diagonal if so.

import { h } from "./dom.js";
import { number } from "./words.js";

const SIZE_PX = 210;
const PAD = { left: 44, right: 10, top: 10, bottom: 34 };

export class CalibrationView {
  #canvas = h("canvas", { class: "dk-calibration", role: "img" });
  #points = [];

  constructor() {
    this.element = h("section", { class: "dk-panel dk-calibration-panel", hidden: true },
      h("div", { class: "dk-panel-head" },
        h("span", { class: "dk-plot-title", title: "A point is a tenth of the values; its size says how many steps." }, "Calibration of values")),
      this.#canvas);
  }

  show(points) {
    this.#points = points;
    this.element.hidden = points.length === 0;
    this.draw();
  }

  draw() {
    if (this.element.hidden) return;
    const canvas = this.#canvas;
    const ratio = window.devicePixelRatio || 1;
    const width = canvas.parentElement.clientWidth - 24;
    if (width < 60) return;
    canvas.width = width * ratio;
    canvas.height = SIZE_PX * ratio;
    canvas.style.width = `${width}px`;
    canvas.style.height = `${SIZE_PX}px`;
    const all = this.#points.flatMap((point) => [point.value, point.returned]);
    const room = (Math.max(...all) - Math.min(...all)) * 0.06 || 0.1;
    const [low, high] = [Math.min(...all) - room, Math.max(...all) + room];
    const x = (value) => PAD.left + ((value - low) / (high - low)) * (width - PAD.left - PAD.right);
    const y = (value) => PAD.top + ((high - value) / (high - low)) * (SIZE_PX - PAD.top - PAD.bottom);
    const style = getComputedStyle(canvas);
    const colour = (name) => style.getPropertyValue(`--hr-${name}`).trim();
    const ctx = canvas.getContext("2d");
    ctx.scale(ratio, ratio);
    ctx.font = "11px system-ui, sans-serif";
    ctx.strokeStyle = colour("line-strong");
    ctx.setLineDash([5, 4]);
    ctx.beginPath();
    ctx.moveTo(x(low), y(low));
    ctx.lineTo(x(high), y(high));
    ctx.stroke();
    ctx.setLineDash([]);
    ctx.fillStyle = colour("muted");
    for (const share of [0, 0.5, 1]) {
      const value = low + share * (high - low);
      const text = number(Number(value.toFixed(2)));
      ctx.textAlign = share === 0 ? "left" : share === 1 ? "right" : "center";
      ctx.fillText(text, x(value), SIZE_PX - 19);
      ctx.textAlign = "right";
      ctx.fillText(text, PAD.left - 6, y(value) + 4);
    }
    ctx.textAlign = "center";
    ctx.fillText("→ value said   ↑ return that came true", (width + PAD.left) / 2, SIZE_PX - 4);
    const most = Math.max(...this.#points.map((point) => point.count));
    ctx.fillStyle = colour("policy");
    for (const { value, returned, count } of this.#points) {
      ctx.beginPath();
      ctx.arc(x(value), y(returned), 3 + 6 * Math.sqrt(count / most), 0, 2 * Math.PI);
      ctx.fill();
    }
    const said = this.#points.map((p) => `${number(p.value)}: ${number(p.returned)}`).join(", ");
    canvas.setAttribute("aria-label", `mean return by mean value: ${said}`);
  }
}
