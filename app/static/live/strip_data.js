// The last twenty seconds of ticks as columns for the strip, and as spans and marks to shade.

export const WINDOW_S = 20;

export class StripData {
  #fps = 10;
  // uPlot's columns: control step, value, value - spread, value + spread, value that came late.
  columns = [[], [], [], [], []];
  // What the driver lane shows of every position: "policy", "human", "held", "stopped" or "".
  lane = [];
  // {x, kind, text}: starts and ends of attempts.
  marks = [];
  #episode = null;

  setRate(fps) {
    if (fps > 0) this.#fps = fps;
  }

  get window() {
    return Math.round(WINDOW_S * this.#fps);
  }

  // Control steps a second on the axis.
  get fps() {
    return this.#fps;
  }

  get last() {
    return this.columns[0].at(-1) ?? 0;
  }

  // The axis counts the robot's control steps; a tick that was missed leaves a gap.
  add(tick) {
    if (tick.step === this.last) return;
    if (tick.step < this.last) this.#startOver();
    this.columns[0].push(tick.step);
    for (const column of this.columns.slice(1)) column.push(null);
    this.#judge(tick);
    this.lane.push(laneOf(tick));
    this.#markEpisode(tick);
    this.#forget();
  }

  // A value belongs to the tick whose pictures it judges, which may be some ticks ago.
  #judge({ step, value, spread, value_step, value_late }) {
    if (value === null || value === undefined) return;
    const [x, values, low, high, late] = this.columns;
    const index = x.lastIndexOf(value_step ?? step);
    if (index < 0 || values[index] !== null || late[index] !== null) return;
    if (value_late) {
      late[index] = value;
    } else {
      values[index] = value;
      low[index] = value - (spread ?? 0);
      high[index] = value + (spread ?? 0);
    }
  }

  // The grade of the attempt that ended last.
  grade(outcome) {
    const ends = this.marks.filter((mark) => mark.kind === "end");
    const mark = ends.at(-1);
    if (mark === undefined) return;
    mark.kind = outcome;
    mark.text = outcome === "success" ? "✓ success" : "✗ failure";
  }

  // The robot was opened anew.
  #startOver() {
    for (const column of this.columns) column.length = 0;
    this.lane.length = 0;
    this.marks.length = 0;
    this.#episode = null;
  }

  #markEpisode(tick) {
    const number = tick.episode?.number ?? null;
    if (number === this.#episode) return;
    if (number !== null) {
      const version = versionName(tick.policy);
      const text = version ? `episode ${number} · ${version}` : `episode ${number}`;
      this.marks.push({ x: tick.step, kind: "start", text });
    }
    else this.marks.push({ x: tick.step, kind: "end", text: "ended" });
    this.#episode = number;
  }

  #forget() {
    const oldest = this.last - this.window - 2;
    let stale = 0;
    while (stale < this.lane.length - 1 && this.columns[0][stale] < oldest) stale += 1;
    if (stale > 0) {
      for (const column of this.columns) column.splice(0, stale);
      this.lane.splice(0, stale);
    }
    while (this.marks.length && this.marks[0].x < oldest) this.marks.shift();
  }

  // Runs of one kind in the lane: {kind, from, to} on the axis.
  spans() {
    const spans = [];
    const x = this.columns[0];
    this.lane.forEach((kind, index) => {
      const previous = spans.at(-1);
      const joins = previous && previous.kind === kind && x[index] - previous.to <= this.#fps;
      if (joins) previous.to = x[index];
      else {
        if (previous && x[index] - previous.to <= this.#fps) previous.to = x[index];
        spans.push({ kind, from: x[index], to: x[index] });
      }
    });
    return spans;
  }
}

// A checkpoint or published weights; built-in policies need no name on the strip.
function versionName(policy) {
  return /[/@]/.test(policy ?? "") ? policy : "";
}

function laneOf(tick) {
  if (tick.phase === "held" || tick.phase === "stopped") return tick.phase;
  if (tick.phase === "policy" || tick.phase === "human") return tick.phase;
  return "";
}
