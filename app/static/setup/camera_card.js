// One camera on the Setup page: its live picture, the part of it that is used, and what comes out.

import { make, setShown, setText } from "../live/paint.js";
import { between, isWhole, problemOf, sizeOf } from "./crop.js";

// Sides in another proportion than what was cut out, by more than rounding to even pixels does.
const STRETCH = 0.03;
const CUT = [["x", 0], ["y", 1], ["width", 2], ["height", 3]];
const SCALED = [["width", 0], ["height", 1]];

export class CameraCard {
  #name;
  #view;
  #changed;
  #picture = null;
  #drawn = null;
  #seen = make("canvas", "camera-seen");
  #result = make("canvas", "camera-result");
  #caption = make("figcaption", "camera-result-size");
  #problem = make("p", "setup-problem");
  #inputs = new Map();

  constructor({ name, view, changed }) {
    this.#name = name;
    this.#view = structuredClone(view);
    this.#changed = changed;
    this.element = make("article", "camera-card");
    this.#seen.tabIndex = -1;
    this.#seen.setAttribute("role", "img");
    this.#seen.setAttribute("aria-label", `what ${name} sees`);
    const results = make("figure");
    results.append(this.#result, this.#caption);
    const whole = make("button", "check-again", "Whole picture");
    whole.type = "button";
    whole.addEventListener("click", () => this.#set({}));
    const head = make("div", "check-row");
    head.append(make("h4", "", name), whole);
    const pictures = make("div", "camera-pictures");
    pictures.append(this.#seen, results);
    this.#problem.setAttribute("role", "alert");
    this.element.append(head, pictures, this.#numbers("cut out", "crop", CUT), this.#numbers("make it", "resize", SCALED), this.#problem);
    this.#drag();
    this.#fill();
  }

  get problem() {
    return problemOf(this.#view, this.#picture);
  }

  show(bitmap, picture) {
    this.#drawn?.close();
    this.#drawn = bitmap;
    this.#picture = picture;
    this.#draw();
  }

  #numbers(title, key, places) {
    const row = make("div", "camera-numbers");
    row.append(make("span", "", title));
    for (const [word, place] of places) {
      const label = make("label");
      const input = make("input");
      Object.assign(input, { type: "number", min: 0, step: key === "resize" || place > 1 ? 2 : 1 });
      input.setAttribute("aria-label", `${this.#name}: ${title} ${word}, pixels`);
      input.addEventListener("input", () => this.#type(key, places));
      this.#inputs.set(`${key}.${place}`, input);
      label.append(make("span", "", word), input);
      row.append(label);
    }
    row.append(make("span", "camera-unit", "px"));
    return row;
  }

  // Empty fields mean all of it.
  #type(key, places) {
    const given = places.map(([, place]) => this.#inputs.get(`${key}.${place}`).value);
    const view = { ...this.#view };
    if (given.every((text) => text === "")) delete view[key];
    else view[key] = given.map((text) => (text === "" ? NaN : Number(text)));
    this.#set(view, { typing: true });
  }

  #set(view, { typing = false } = {}) {
    this.#view = view;
    if (!typing) this.#fill();
    this.#draw();
    this.#changed(this.#name, view);
  }

  #fill() {
    for (const [key, input] of this.#inputs) {
      const [part, place] = key.split(".");
      input.value = this.#view[part]?.[Number(place)] ?? "";
    }
  }

  #drag() {
    let from = null;
    const at = (event) => {
      const box = this.#seen.getBoundingClientRect();
      return {
        x: ((event.clientX - box.left) / box.width) * this.#picture.width,
        y: ((event.clientY - box.top) / box.height) * this.#picture.height,
      };
    };
    this.#seen.addEventListener("pointerdown", (event) => {
      if (!this.#picture) return;
      event.preventDefault();
      this.#seen.setPointerCapture(event.pointerId);
      from = at(event);
    });
    this.#seen.addEventListener("pointermove", (event) => {
      if (from) this.#set({ ...this.#view, crop: between(from, at(event), this.#picture) });
    });
    for (const type of ["pointerup", "pointercancel"]) {
      this.#seen.addEventListener(type, () => {
        from = null;
      });
    }
  }

  #draw() {
    const problem = this.problem;
    setText(this.#problem, problem);
    setShown(this.#problem, Boolean(problem));
    const picture = this.#picture;
    if (!picture || !this.#drawn) return;
    const scale = this.#drawn.width / picture.width;
    resized(this.#seen, this.#drawn.width, this.#drawn.height);
    const pen = this.#seen.getContext("2d");
    pen.drawImage(this.#drawn, 0, 0);
    if (problem) return;
    const [x, y, width, height] = this.#view.crop ?? [0, 0, picture.width, picture.height];
    if (this.#view.crop) this.#frame(pen, [x, y, width, height].map((pixels) => pixels * scale));
    const [outWidth, outHeight] = sizeOf(this.#view, picture);
    resized(this.#result, outWidth, outHeight);
    this.#result.getContext("2d").drawImage(
      this.#drawn, x * scale, y * scale, width * scale, height * scale, 0, 0, outWidth, outHeight,
    );
    const stretched = Math.abs((outWidth * height) / (outHeight * width) - 1) > STRETCH ? ", stretched" : "";
    const what = isWhole(this.#view) ? "used as it is" : "what is used";
    setText(this.#caption, `${what}, ${outWidth}×${outHeight}${stretched}`);
  }

  #frame(pen, [x, y, width, height]) {
    const { width: all, height: tall } = this.#seen;
    pen.fillStyle = "rgb(0 0 0 / 55%)";
    pen.beginPath();
    pen.rect(0, 0, all, tall);
    pen.rect(x, y, width, height);
    pen.fill("evenodd");
    pen.lineWidth = 2;
    pen.strokeStyle = "#fff";
    pen.strokeRect(x, y, width, height);
  }
}

function resized(canvas, width, height) {
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
}
