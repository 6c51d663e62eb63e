// The numbers of one run, fetched piece by piece: each only once, however long the run.

import { get } from "./api.js";

const PAGE = 10000;

export class Metrics {
  #jobId;
  #cursor = undefined;
  // By name: {steps, values}. A resumed run repeats steps; the newest number of a step holds.
  #byName = new Map();

  constructor(jobId) {
    this.#jobId = jobId;
  }

  get names() {
    return new Set(this.#byName.keys());
  }

  get size() {
    let size = 0;
    for (const { steps } of this.#byName.values()) size += steps.length;
    return size;
  }

  get lastStep() {
    return Math.max(0, ...[...this.#byName.values()].map(({ steps }) => steps.at(-1)));
  }

  newest(name) {
    return this.#byName.get(name)?.values.at(-1);
  }

  // Resolves to whether there was anything new.
  async update() {
    let found = false;
    let page;
    do {
      page = await get(`/api/jobs/${this.#jobId}/metrics`, { limit: PAGE, cursor: this.#cursor });
      this.#cursor = page.end_cursor;
      for (const metric of page.items) this.add(metric);
      found ||= page.items.length > 0;
    } while (page.next_cursor);
    return found;
  }

  add({ name, step, value }) {
    if (!this.#byName.has(name)) this.#byName.set(name, { steps: [], values: [] });
    const { steps, values } = this.#byName.get(name);
    while (steps.length && steps.at(-1) >= step) {
      steps.pop();
      values.pop();
    }
    steps.push(step);
    values.push(value);
  }

  // [steps, column, column, …] for uPlot: one row a step that any of the names has.
  columns(names) {
    const rows = new Map();
    names.forEach((name, place) => {
      const { steps, values } = this.#byName.get(name) ?? { steps: [], values: [] };
      steps.forEach((step, index) => {
        if (!rows.has(step)) rows.set(step, new Array(names.length).fill(null));
        rows.get(step)[place] = values[index];
      });
    });
    const steps = [...rows.keys()].sort((a, b) => a - b);
    return [steps, ...names.map((_name, place) => steps.map((step) => rows.get(step)[place]))];
  }
}
