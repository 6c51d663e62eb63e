// The middle of the page: cameras in step, their controls, and the timeline under the same cursor.

import { button, h, select } from "../training/dom.js";
import { setText } from "../live/paint.js";
import { dips, nextPlace } from "./places.js";
import { SPEEDS, Stage } from "./stage.js";
import { Timeline } from "./timeline.js";

export class Player {
  #parts;
  #desk;
  #stage;
  #timeline;
  #review = null;
  #marks = { start: null, end: null };
  #seen = Promise.withResolvers();
  #play = button("Play", () => this.#stage.toggle(), { kind: "primary", title: "Space" });
  #where = h("span", { class: "rv-frame" });
  #scrub = h("input", { type: "range", min: "0", value: "0", "aria-label": "scrub" });
  #speed;

  // `parts`: cameras, controls, timeline. `desk` has critic(name, id), marked(marks) and tell(…).
  constructor({ parts, desk }) {
    this.#parts = parts;
    this.#desk = desk;
    this.#stage = new Stage({ painted: (frame) => this.#painted(frame) });
    this.#timeline = new Timeline({ root: parts.timeline, desk: {
      seek: (frame) => this.seek(frame), mark: (marks) => this.mark(marks), critic: (review, at) => this.#critic(review, at),
    } });
    this.#scrub.addEventListener("input", () => this.seek(Number(this.#scrub.value)));
    this.#speed = select(SPEEDS.map((speed) => [String(speed), `${speed}×`]), "1", (speed) => { this.#stage.speed = Number(speed); });
    this.#speed.setAttribute("aria-label", "speed");
    parts.controls.replaceChildren(this.#play,
      button("◀", () => this.#stage.step(-1), { title: "a frame back: ←" }), button("▶", () => this.#stage.step(1), { title: "a frame on: →" }),
      this.#scrub, this.#where, this.#speed,
      button("next dip", () => this.dip(1), { title: "N; P goes back" }));
  }

  get frame() {
    return this.#stage.frame;
  }

  get marks() {
    return this.#marks;
  }

  // Resolves when a frame of what is shown is on the screen.
  get seen() {
    return this.#seen.promise;
  }

  // Pictures first; `showReview` follows when it has come.
  show(episode, films, frame) {
    this.#review = null;
    this.#seen.resolve();
    this.#seen = Promise.withResolvers();
    this.mark({ start: null, end: null });
    const { cameras } = this.#parts;
    cameras.dataset.episode = episode.id;
    cameras.dataset.count = films.length;
    cameras.replaceChildren(...films.map(({ camera, element }) => {
      element.onclick = () => this.#stage.toggle();
      const gone = h("span", { class: "rv-gone", hidden: !element.error }, "This video cannot be played: its file is gone or damaged.");
      element.onerror = () => { gone.hidden = false; };
      return h("figure", { class: "rv-camera" }, element, gone, h("figcaption", {}, camera));
    }));
    this.#scrub.max = String(Math.max(0, episode.num_steps - 1));
    this.#stage.show(films.map((film) => film.element), { fps: episode.fps, frames: episode.num_steps, frame });
    this.#timeline.show(null);
  }

  showReview(review) {
    this.#review = review;
    this.#timeline.show(review);
    this.#timeline.mark(this.#marks);
  }

  seek(frame) {
    this.#stage.seek(frame);
  }

  mark(marks) {
    this.#marks = marks;
    this.#timeline.mark(marks);
    this.#desk.marked();
  }

  // Marks include the frame under the cursor; a range turned round is put right.
  markHere(which) {
    const frame = this.frame;
    let { start, end } = this.#marks;
    if (which === "start") {
      start = frame;
      if (end !== null && end <= start) end = null;
    } else {
      end = frame + 1;
      if (start === null || start >= end) start = start === null ? 0 : frame;
    }
    this.mark({ start, end });
  }

  // [start, end) of what is marked; without an end it ends under the cursor. Null when nothing is.
  get range() {
    const { start, end } = this.#marks;
    if (start === null) return null;
    return { start_step: Math.min(start, this.frame), end_step: end ?? Math.max(start, this.frame) + 1, ...(end !== null && { start_step: start }) };
  }

  // Whether the act was one of the player's.
  act(act) {
    const stage = this.#stage;
    const step = act.second ? Math.round(stage.fps) : 1;
    const acts = {
      play: () => stage.toggle(),
      "frame-back": () => stage.step(-step),
      "frame-on": () => stage.step(step),
      "first-frame": () => this.seek(0),
      "last-frame": () => this.seek(stage.frames - 1),
      slower: () => this.#faster(-1),
      faster: () => this.#faster(1),
      "next-dip": () => this.dip(1),
      "previous-dip": () => this.dip(-1),
      "range-start": () => this.markHere("start"),
      "range-end": () => this.markHere("end"),
    };
    acts[act.name]?.();
    return act.name in acts;
  }

  dip(direction) {
    const curve = this.#review?.curves?.[0];
    const places = curve ? dips(curve.value, curve.support) : (this.#review?.human_spans ?? []).map(([start]) => start);
    const place = nextPlace(places, this.frame, direction);
    const what = curve ? "dip of the value" : "moment at which a person took over (no critic has scored this episode)";
    if (place === undefined) this.#desk.tell("info", `No ${what} ${direction > 0 ? "after" : "before"} this frame.`);
    else this.seek(place);
  }

  // Once a picture of the page.
  draw() {
    const stage = this.#stage;
    stage.tick();
    const { frame } = stage;
    setText(this.#where, `frame ${frame + 1} of ${stage.frames} · ${(frame / stage.fps).toFixed(2)} s`);
    if (this.#scrub.value !== String(frame)) this.#scrub.value = String(frame);
    setText(this.#play, stage.playing ? "Pause" : "Play");
    this.#timeline.draw(frame);
  }

  close() {
    this.#stage.pause();
  }

  #painted(frame) {
    const { dataset } = this.#parts.cameras;
    dataset.painted = `${dataset.episode} ${frame}`;
    this.#seen.resolve();
  }

  #faster(direction) {
    const at = SPEEDS.indexOf(this.#stage.speed) + direction;
    if (at < 0 || at >= SPEEDS.length) return;
    this.#stage.speed = SPEEDS[at];
    this.#speed.value = String(SPEEDS[at]);
  }

  // The first critic or the second, which may be none.
  #critic(review, at) {
    const [first, second] = review.curves.map((curve) => curve.checkpoint_id);
    const ids = review.scored_by.filter((id) => at === 0 || id !== first);
    const options = [...(at === 1 ? [["", "+ second critic"]] : []), ...ids.map((id) => [id, id])];
    const made = select(options, (at === 0 ? first : second) ?? "", (id) => this.#desk.critic(at === 0 ? "critic" : "compare", id));
    made.setAttribute("aria-label", at === 0 ? "critic" : "second critic");
    made.title = made.value;
    return made;
  }
}
