// The camera tiles: newest picture wins, each with its age and rate, grey when it stands still.
//
// Every frame is acknowledged once it was drawn, or when a newer one replaced it; the server keeps at
// most two unacknowledged a camera. A hidden page owes its acknowledgements until it is seen again,
// so the server stops sending to it by itself.

import { make, setData, setText } from "./paint.js";
import { milliseconds } from "./units.js";

const HEADER_BYTES = 16;
const FRAME_KIND = 1;
const FROZEN_AFTER_MS = 300;
const RATE_WINDOW_MS = 2000;

export class Cameras {
  #root;
  #empty;
  #acknowledge;
  #clock;
  #tiles = [];
  #shape = "";
  #enlarged = null;
  #fps = 0;

  // `acknowledge(camera)` tells the server that one frame was dealt with.
  constructor({ root, empty, acknowledge, clock }) {
    this.#root = root;
    this.#empty = empty;
    this.#acknowledge = acknowledge;
    this.#clock = clock;
    document.addEventListener("visibilitychange", () => this.#payDebts());
  }

  // Make tiles for the robot's cameras; the same cameras keep theirs.
  setCameras(infos, fps) {
    this.#fps = fps;
    const shape = JSON.stringify(infos);
    if (shape === this.#shape) return;
    this.#shape = shape;
    for (const tile of this.#tiles) tile.element.remove();
    this.#tiles = infos.map((info, index) => this.#makeTile(info, index));
    this.#empty.hidden = infos.length > 0;
    const columns = infos.length <= 3 ? infos.length : Math.ceil(infos.length / 2);
    this.#root.style.setProperty("--columns", String(Math.max(1, columns)));
    this.enlarge(null);
  }

  #makeTile(info, index) {
    const element = make("figure", "cam");
    element.title = "Click or press Z to enlarge";
    const canvas = make("canvas");
    canvas.width = info.width;
    canvas.height = info.height;
    canvas.dataset.camera = info.name;
    const name = make("figcaption", "cam-name", info.name);
    const numbers = make("span", "cam-numbers");
    const age = make("span", "cam-age", "– ms");
    const rate = make("span", "cam-rate", "– fps");
    numbers.append(age, rate);
    const frozen = make("span", "cam-frozen");
    element.append(canvas, name, numbers, frozen);
    element.addEventListener("click", () => {
      this.enlarge(this.#enlarged === index ? null : index);
    });
    this.#root.append(element);
    return {
      element, canvas, age, rate, frozen,
      context: canvas.getContext("2d", { alpha: false }),
      waiting: null, decoding: false, owed: 0, drawn: 0,
      captured_ms: null, age_ms: null, advanced_at: null, arrivals: [],
    };
  }

  // Show one camera large, or all alike with null.
  enlarge(index) {
    this.#enlarged = index;
    setData(this.#root, "enlarged", index === null ? "no" : "yes");
    this.#root.style.setProperty("--small-rows", String(Math.max(1, this.#tiles.length - 1)));
    this.#tiles.forEach((tile, at) => setData(tile.element, "big", at === index ? "yes" : "no"));
  }

  // All alike, then each camera in turn.
  cycle() {
    if (this.#tiles.length === 0) return;
    const next = this.#enlarged === null ? 0 : this.#enlarged + 1;
    this.enlarge(next < this.#tiles.length ? next : null);
  }

  receive(buffer) {
    const header = new DataView(buffer);
    if (buffer.byteLength <= HEADER_BYTES || header.getUint8(0) !== FRAME_KIND) return;
    const camera = header.getUint8(1);
    const tile = this.#tiles[camera];
    if (tile === undefined) {
      this.#acknowledge(camera);
      return;
    }
    const captured_ms = header.getFloat64(8, true);
    if (captured_ms !== tile.captured_ms) {
      tile.captured_ms = captured_ms;
      tile.advanced_at = performance.now();
      tile.arrivals.push(tile.advanced_at);
    }
    if (tile.waiting !== null) this.#settle(tile, camera);
    tile.waiting = { captured_ms, jpeg: new Uint8Array(buffer, HEADER_BYTES) };
    if (!tile.decoding) this.#draw(tile, camera);
  }

  async #draw(tile, camera) {
    tile.decoding = true;
    while (tile.waiting !== null) {
      const { captured_ms, jpeg } = tile.waiting;
      tile.waiting = null;
      try {
        const picture = await createImageBitmap(new Blob([jpeg], { type: "image/jpeg" }));
        if (tile.canvas.width !== picture.width || tile.canvas.height !== picture.height) {
          tile.canvas.width = picture.width;
          tile.canvas.height = picture.height;
        }
        tile.context.drawImage(picture, 0, 0);
        picture.close();
        tile.drawn += 1;
        tile.canvas.dataset.frames = String(tile.drawn);
        const now_ms = this.#clock.now();
        tile.age_ms = now_ms === null ? null : now_ms - captured_ms;
      } catch {
        // A torn picture: the next one replaces it, and "frozen" tells when none does.
      }
      this.#settle(tile, camera);
    }
    tile.decoding = false;
  }

  #settle(tile, camera) {
    if (document.hidden) tile.owed += 1;
    else this.#acknowledge(camera);
  }

  #payDebts() {
    if (document.hidden) return;
    this.#tiles.forEach((tile, camera) => {
      for (; tile.owed > 0; tile.owed -= 1) this.#acknowledge(camera);
    });
  }

  // A new connection owes nothing.
  forgive() {
    for (const tile of this.#tiles) tile.owed = 0;
  }

  // Four times a second: ages, rates, and which pictures stand still.
  render() {
    const now = performance.now();
    const period_ms = this.#fps > 0 ? 1000 / this.#fps : 0;
    for (const tile of this.#tiles) {
      const still_ms = tile.advanced_at === null ? null : now - tile.advanced_at;
      const frozen = still_ms !== null && still_ms > FROZEN_AFTER_MS + period_ms;
      while (tile.arrivals.length && now - tile.arrivals[0] > RATE_WINDOW_MS) tile.arrivals.shift();
      const span_ms = tile.arrivals.length > 1 ? tile.arrivals.at(-1) - tile.arrivals[0] : 0;
      const rate = span_ms > 0 ? ((tile.arrivals.length - 1) * 1000) / span_ms : null;
      setData(tile.element, "state", still_ms === null ? "waiting" : frozen ? "frozen" : "live");
      setText(tile.frozen, frozen ? `frozen ${milliseconds(still_ms)}` : "");
      setText(tile.age, milliseconds(frozen ? still_ms : tile.age_ms));
      setText(tile.rate, frozen || rate === null ? "– fps" : `${rate.toFixed(0)} fps`);
    }
  }
}
