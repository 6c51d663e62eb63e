// Live pictures of a robot's cameras, each with the part of it that is used.
//
// The server opens the cameras in a process of its own for as long as pictures are asked for, so a
// hidden page lets go of them.

import { make, setShown, setText } from "../live/paint.js";
import { robotAddress, send } from "./api.js";
import { CameraCard } from "./camera_card.js";
import { isWhole } from "./crop.js";

const STATE_EVERY_MS = 1000;
const PICTURE_EVERY_MS = 120;

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
