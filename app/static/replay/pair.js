// One or two videos of the same episode, kept in step: the first leads, the second follows.

export class Pair {
  #players = [];
  #fps = 10;
  #frames = 1;

  // The players as they are shown; an episode's videos have one frame a step.
  use(players, { fps, frames }) {
    this.#players = players;
    this.#fps = fps;
    this.#frames = frames;
  }

  get #leader() {
    return this.#players[0];
  }

  get playing() {
    return this.#players.length > 0 && !this.#leader.paused;
  }

  get frame() {
    if (!this.#players.length) return 0;
    return Math.min(this.#frames - 1, Math.floor(this.#leader.currentTime * this.#fps + 0.01));
  }

  set speed(speed) {
    for (const player of this.#players) player.playbackRate = speed;
  }

  toggle() {
    if (this.playing) {
      this.pause();
      return;
    }
    if (this.frame >= this.#frames - 1) this.seek(0);
    for (const player of this.#players) player.play().catch(() => {});
  }

  pause() {
    for (const player of this.#players) player.pause();
    // Where the leader stands is where both stand.
    this.seek(this.frame);
  }

  // To the middle of a frame: on its edge a browser may show the one before.
  seek(frame) {
    const at = (Math.max(0, Math.min(this.#frames - 1, frame)) + 0.5) / this.#fps;
    for (const player of this.#players) player.currentTime = at;
  }

  step(frames) {
    const to = this.frame + frames;
    for (const player of this.#players) player.pause();
    this.seek(to);
  }

  // Once a picture of the page: brings the follower back when it drifts by more than a frame.
  follow() {
    for (const player of this.#players.slice(1)) {
      const drift = player.currentTime - this.#leader.currentTime;
      if (this.playing && Math.abs(drift) > 1 / this.#fps) player.currentTime = this.#leader.currentTime;
      if (this.playing && player.paused && !player.ended) player.play().catch(() => {});
      if (!this.playing && !player.paused) player.pause();
    }
  }
}
