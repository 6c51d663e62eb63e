// The chosen episode, large: one video or two side by side, or its cameras, played, stepped and
// scrubbed together.

import { button, copyButton, h, select } from "../training/dom.js";
import { OUTCOMES } from "../training/words.js";
import { CAMERAS, cameraUrl, RECORDED, videoUrl } from "./address.js";
import { Pair } from "./pair.js";

const SPEEDS = [["0.25", "0.25×"], ["0.5", "0.5×"], ["1", "1×"], ["2", "2×"], ["4", "4×"]];

export class Player {
  #root;
  #page;
  #pair = new Pair();
  #shown = "";
  #speed = "1";
  #play = button("Play", () => this.#pair.toggle(), { kind: "primary" });
  #frame = h("span", { class: "rp-frame" });
  #scrub = h("input", { type: "range", min: "0", value: "0", "aria-label": "frame" });
  #frames = 1;

  // `page` has close(), next(step), linkTo(id) and make(checkpoint, ids).
  constructor({ root, page }) {
    this.#root = root;
    this.#page = page;
    this.#scrub.addEventListener("input", () => this.#pair.seek(Number(this.#scrub.value)));
  }

  get open() {
    return !this.#root.hidden;
  }

  // `views`: [{checkpoint, video}], one or two, of the same episode; none closes.
  show(views) {
    const words = JSON.stringify(views);
    if (words === this.#shown) return;
    this.#shown = words;
    this.#root.hidden = views.length === 0;
    if (!views.length) {
      this.#pair.use([], { fps: 10, frames: 1 });
      this.#root.replaceChildren();
      return;
    }
    const { episode } = views[0].video;
    const boxes = views.map((view) => this.#box(view));
    const players = boxes.flatMap((box) => [...box.querySelectorAll("video")]);
    this.#frames = episode.num_steps;
    this.#scrub.max = String(episode.num_steps - 1);
    this.#pair.use(players, { fps: episode.fps, frames: episode.num_steps });
    this.#pair.speed = Number(this.#speed);
    this.#root.replaceChildren(h("div", { class: "dk-panel rp-player" },
      h("div", { class: "dk-panel-head" },
        h("h2", {}, episode.task), h("span", {}, OUTCOMES[episode.outcome]), h("code", {}, episode.id.slice(0, 8)),
        copyButton(() => this.#page.linkTo(episode.id), "Copy link"),
        button("Previous", () => this.#page.next(-1), { title: "P" }), button("Next", () => this.#page.next(1), { title: "N" }),
        button("Close", () => this.#page.close(), { title: "Esc" })),
      h("div", { class: "rp-boxes", data: { count: boxes.length } }, boxes),
      players.length > 0 && this.#controls()));
    if (players.length) players[0].addEventListener("loadeddata", () => this.#pair.toggle(), { once: true });
  }

  // Once a picture of the page.
  draw() {
    if (!this.open) return;
    this.#pair.follow();
    const frame = this.#pair.frame;
    // As the picture itself counts.
    const words = `step ${frame} of ${this.#frames}`;
    if (this.#frame.textContent !== words) this.#frame.textContent = words;
    if (document.activeElement !== this.#scrub || this.#pair.playing) this.#scrub.value = String(frame);
    const does = this.#pair.playing ? "Pause" : "Play";
    if (this.#play.textContent !== does) this.#play.textContent = does;
  }

  // Whether the key meant something here.
  key(code) {
    if (!this.open) return false;
    const acts = {
      Space: () => this.#pair.toggle(),
      ArrowLeft: () => this.#pair.step(-1),
      ArrowRight: () => this.#pair.step(1),
      Home: () => this.#pair.seek(0),
      KeyN: () => this.#page.next(1),
      KeyP: () => this.#page.next(-1),
      Escape: () => this.#page.close(),
    };
    acts[code]?.();
    return code in acts;
  }

  #controls() {
    const speed = select(SPEEDS, this.#speed, (value) => { this.#speed = value; this.#pair.speed = Number(value); });
    speed.setAttribute("aria-label", "speed");
    return h("div", { class: "rp-controls" }, this.#play,
      button("◀", () => this.#pair.step(-1), { title: "one frame back: ←" }), button("▶", () => this.#pair.step(1), { title: "one frame on: →" }),
      this.#scrub, this.#frame, speed);
  }

  #box({ checkpoint, video }) {
    if (checkpoint === CAMERAS) return this.#cameras(video.episode);
    const name = checkpoint === RECORDED ? "as recorded" : checkpoint;
    const makes = button("Make it", () => this.#page.make(checkpoint, [video]), { kind: "primary" });
    const makesAgain = button("Make it again", () => this.#page.make(checkpoint, [video]));
    return h("figure", { class: "rp-box" },
      h("figcaption", {}, h("b", {}, name),
        checkpoint !== RECORDED && !video.is_scored && h("span", { class: "dk-quiet" }, "has not scored this episode"),
        video.is_old && h("span", { class: "rp-old" }, "older than its labels or scores"), video.is_old && makesAgain,
        video.made_s !== null && h("a", { href: videoUrl(video, checkpoint, { download: true }), download: "" }, "Download")),
      video.made_s === null
        ? h("div", { class: "rp-none rp-missing" }, h("p", {}, checkpoint === RECORDED ? "There is no video of what the acting critic said yet." : `There is no video by ${name} yet.`), makes)
        : h("video", { src: videoUrl(video, checkpoint), muted: true, playsinline: "", preload: "auto", on: { click: () => this.#pair.toggle() } }));
  }

  // What was recorded, all cameras in step.
  #cameras(episode) {
    return h("figure", { class: "rp-box" },
      h("figcaption", {}, h("b", {}, "cameras"), h("span", { class: "rp-downloads" }, episode.cameras.map((camera) => h("a", { href: cameraUrl(episode, camera), download: `${episode.id}-${camera}.mp4` }, `Download ${camera}`)))),
      h("div", { class: "rp-cameras", data: { count: episode.cameras.length } }, episode.cameras.map((camera) => h("video", {
        src: cameraUrl(episode, camera), muted: true, playsinline: "", preload: "auto", title: camera, "aria-label": camera, on: { click: () => this.#pair.toggle() },
      }))));
  }
}
