// Live pictures of a robot's cameras, each with the part of it that is used.
//
// The server opens the cameras in a process of its own for as long as pictures are asked for, so a
// hidden page lets go of them.

import { make, setShown, setText } from "../live/paint.js";
import { robotAddress, send } from "./api.js";
import { between, isWhole, problemOf, sizeOf } from "./crop.js";

const STATE_EVERY_MS = 1000;
const PICTURE_EVERY_MS = 120;
// Sides in another proportion than what was cut out, by more than rounding to even pixels does.
const STRETCH = 0.03;
const CUT = [["x", 0], ["y", 1], ["width", 2], ["height", 3]];
const SCALED = [["width", 0], ["height", 1]];

class CameraCard {
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

export class CameraPanel {
  #parts;
  #changed;
  #name = "";
  #views = {};
  // The robot whose cameras are open, which a save under another name does not change.
  #watched = "";
  #cards = new Map();
  #timer = 0;

  // `changed(views)` gets all views whenever one is changed here.
  constructor(parts, { changed }) {
    this.#parts = parts;
    this.#changed = changed;
    parts.preview.addEventListener("click", () => (this.#watched ? this.stop() : this.#start()));
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden && this.#watched) this.#start();
    });
  }

  choose(name) {
    if (this.#watched && this.#watched !== name) this.stop();
    this.#name = name;
  }

  // The views of the config as it is saved; open cameras stay open and are shown by them.
  fill(views) {
    this.#views = structuredClone(views);
    this.#clear();
  }

  get problem() {
    for (const [name, card] of this.#cards) if (card.problem) return `${name}: ${card.problem}`;
    return "";
  }

  async stop() {
    const watched = this.#watched;
    this.#watched = "";
    clearTimeout(this.#timer);
    this.#clear();
    this.#say("");
    setText(this.#parts.preview, "See them");
    setShown(this.#parts["preview-problems"], false);
    if (watched) await send("DELETE", `${robotAddress(watched)}/preview`).catch(() => null);
  }

  #clear() {
    this.#cards.clear();
    this.#parts["preview-cameras"].replaceChildren();
  }

  #say(text) {
    setText(this.#parts["preview-state"], text);
  }

  async #start() {
    this.#watched = this.#name;
    setText(this.#parts.preview, "Close them");
    this.#say("Opening the cameras …");
    clearTimeout(this.#timer);
    try {
      await send("POST", `${robotAddress(this.#watched)}/preview`);
      this.#follow(this.#watched);
    } catch (error) {
      await this.stop();
      this.#say(error.message);
    }
  }

  async #follow(robot) {
    if (this.#watched !== robot) return;
    if (!this.#parts.preview.isConnected) return void this.stop();
    if (document.hidden) return;
    try {
      const now = await send("GET", `${robotAddress(robot)}/preview`);
      if (this.#watched !== robot) return;
      if (!this.#show(robot, now)) return;
    } catch (error) {
      this.#say(error.message);
    }
    this.#timer = setTimeout(() => this.#follow(robot), STATE_EVERY_MS);
  }

  // False when it is over.
  #show(robot, { state, cameras, problems, message }) {
    const list = this.#parts["preview-problems"];
    list.replaceChildren(...problems.map((problem) => make("li", "", problem)));
    setShown(list, problems.length > 0);
    if (state === "failed" || state === "off") {
      this.stop();
      this.#say(message || "The cameras were closed: a session or a check needs them.");
      return false;
    }
    const waits = problems.length ? "No picture yet." : "Opening the cameras …";
    this.#say(state === "live" ? "" : waits);
    for (const camera of cameras) {
      if (this.#cards.has(camera.name)) continue;
      const card = new CameraCard({
        name: camera.name,
        view: this.#views[camera.name] ?? {},
        changed: (name, view) => this.#take(name, view),
      });
      this.#cards.set(camera.name, card);
      this.#parts["preview-cameras"].append(card.element);
      this.#watch(robot, camera, card);
    }
    return true;
  }

  #take(name, view) {
    if (isWhole(view)) delete this.#views[name];
    else this.#views[name] = view;
    this.#changed(structuredClone(this.#views));
  }

  async #watch(robot, camera, card) {
    const address = `${robotAddress(robot)}/preview/${encodeURIComponent(camera.name)}.jpg`;
    while (this.#watched === robot && card.element.isConnected) {
      if (!document.hidden) {
        try {
          const reply = await fetch(address);
          if (reply.ok) card.show(await createImageBitmap(await reply.blob()), camera);
        } catch {
          // The state, asked for every second, says what is wrong.
        }
      }
      await new Promise((resolve) => setTimeout(resolve, PICTURE_EVERY_MS));
    }
  }
}
