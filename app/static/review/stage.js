// The cameras of one episode in step: one clock, frame by frame.
//
// While it plays the first video is the clock and the others follow it. While it stands the frame
// asked for last is the clock: one seek is under way at a time, and whatever was asked for in between
// but the newest is left out, so scrubbing never queues up. An episode without a picture has a clock
// of its own.

export const SPEEDS = [0.25, 0.5, 1, 2, 4];
// A seek that never paints (a damaged file) must not block the next one.
const PAINT_WITHIN_MS = 1500;

export class Stage {
  #videos = [];
  #fps = 10;
  #frames = 1;
  #frame = 0;
  #target = null;
  #seeking = false;
  #playing = false;
  // What is shown next plays by itself, until somebody stops it.
  #playsOn = false;
  #speed = 1;
  #wall = { at_ms: 0, frame: 0 };
  #painted;

  // `painted(frame)` is called when a frame that was asked for is on the screen.
  constructor({ painted = () => {} } = {}) {
    this.#painted = painted;
  }

  // `videos` may be empty; what was shown before is paused. Begins at `frame`.
  show(videos, { fps, frames, frame = 0 }) {
    this.#halt();
    this.#videos = videos;
    this.#fps = fps;
    this.#frames = Math.max(1, frames);
    for (const video of videos) video.playbackRate = this.#speed;
    this.#seeking = false;
    this.seek(frame);
    if (this.#playsOn) this.#play();
  }

  get frame() {
    return this.#frame;
  }

  get frames() {
    return this.#frames;
  }

  get fps() {
    return this.#fps;
  }

  get playing() {
    return this.#playing;
  }

  get speed() {
    return this.#speed;
  }

  set speed(speed) {
    this.#speed = speed;
    this.#wall = { at_ms: performance.now(), frame: this.#frame };
    for (const video of this.#videos) video.playbackRate = speed;
  }

  toggle() {
    if (this.#playing) {
      this.pause();
      return;
    }
    if (this.#frame >= this.#frames - 1) this.seek(0);
    this.#playsOn = true;
    this.#play();
  }

  pause() {
    this.#playsOn = false;
    this.#halt();
  }

  #play() {
    this.#playing = true;
    this.#wall = { at_ms: performance.now(), frame: this.#frame };
    for (const video of this.#videos) video.play().catch(() => {});
  }

  #halt() {
    if (!this.#playing) return;
    this.#playing = false;
    for (const video of this.#videos) video.pause();
    // Where the leader stands is where all stand.
    this.seek(this.#frame);
  }

  // While it plays it goes on from there.
  seek(frame) {
    this.#frame = Math.max(0, Math.min(this.#frames - 1, Math.round(frame)));
    this.#wall = { at_ms: performance.now(), frame: this.#frame };
    this.#target = this.#frame;
    if (!this.#seeking) this.#seekOn();
  }

  step(frames) {
    this.pause();
    this.seek(this.#frame + frames);
  }

  // Once a picture of the page: brings the clock and the followers up to date.
  tick() {
    if (!this.#playing || this.#seeking) return;
    const playable = this.#videos.filter((video) => !video.error);
    const leader = playable[0];
    // Pictures that are still on their way are waited for.
    if (leader && leader.readyState < 2) return;
    const at = leader
      ? Math.floor(leader.currentTime * this.#fps + 0.01)
      : this.#wall.frame + Math.floor(((performance.now() - this.#wall.at_ms) / 1000) * this.#fps * this.#speed);
    this.#frame = Math.min(this.#frames - 1, at);
    if (leader?.ended || this.#frame >= this.#frames - 1) {
      this.#halt();
      return;
    }
    for (const video of playable) {
      if (Math.abs(video.currentTime - leader.currentTime) > 1.5 / this.#fps) video.currentTime = leader.currentTime;
      if (video.paused && !video.ended) video.play().catch(() => {});
    }
  }

  async #seekOn() {
    const videos = this.#videos;
    this.#seeking = true;
    while (this.#target !== null && videos === this.#videos) {
      const frame = this.#target;
      this.#target = null;
      await Promise.all(videos.map((video) => shown(video, frame, this.#fps)));
      if (videos === this.#videos) this.#painted(frame);
    }
    if (videos === this.#videos) this.#seeking = false;
  }
}

// Resolves when the video shows this frame.
function shown(video, frame, fps) {
  if (video.error) return Promise.resolve();
  const stands = Math.floor(video.currentTime * fps + 0.01) === frame && !video.seeking;
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      resolve();
    };
    const timer = video.readyState > 1 ? setTimeout(done, PAINT_WITHIN_MS) : null;
    const painted = () => requestAnimationFrame(() => requestAnimationFrame(done));
    if (stands && video.readyState > 1) {
      painted();
      return;
    }
    // The frame callback may come before or instead of `seeked`; without a new frame only that comes.
    if (video.requestVideoFrameCallback) video.requestVideoFrameCallback(done);
    video.addEventListener(stands || video.readyState < 2 ? "loadeddata" : "seeked", painted, { once: true });
    video.addEventListener("error", done, { once: true });
    // To the middle of a frame: on its edge a browser may show the one before.
    if (!stands) video.currentTime = (frame + 0.5) / fps;
  });
}
