// How the session goes: success rate by version as a small plot, and what stands behind it.
//
// Fetched when it is looked at and a count has changed; the plot is SVG, each version a mark with its
// 95 % interval, all in the order in which they first drove.

import { make, setText } from "./paint.js";
import { minutes, per_hour, percent, seconds } from "./units.js";

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 460;
const HEIGHT = 104;
const LEFT = 38;
const BOTTOM = 18;
const TOP = 8;
// More would not be told apart; the newest are shown.
const MOST_VERSIONS = 12;

export class StatisticsPanel {
  #root;
  #facts = new Map();
  #plot = document.createElementNS(SVG, "svg");
  #empty;
  #body;
  #known = "";
  #fetching = false;

  constructor({ root }) {
    this.#root = root;
    this.#body = make("div", "statistics-body");
    const facts = make("dl", "statistics-facts");
    for (const [name, words, about] of [
      ["rate", "success", "of the graded attempts; in square brackets the 95 % interval"],
      ["alone", "without help", "successes in which nobody took over"],
      ["intervened", "with help", "attempts in which a person drove"],
      ["time", "time to success", "median; in brackets where the middle half lies"],
      ["pace", "attempts/h", "while somebody works: waits count, breaks over five minutes do not"],
    ]) {
      const box = make("div");
      const value = make("dd", "", "–");
      box.title = about;
      box.append(make("dt", "", words), value);
      facts.append(box);
      this.#facts.set(name, value);
    }
    this.#plot.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
    this.#plot.setAttribute("role", "img");
    this.#empty = make("p", "deck-empty", "No attempt is finished yet. Start one; grade it when it ends.");
    this.#body.append(facts, this.#plot);
    root.append(this.#empty, this.#body);
    this.#show(null);
  }

  // Four times a second; asks the server only when there is something new to see.
  render(view) {
    const { session } = view;
    if (session === null || this.#root.hidden || this.#fetching) return;
    const { success, failure, unlabeled } = session.counts;
    const known = `${session.session_id} ${success} ${failure} ${unlabeled} ${view.policy}`;
    if (known !== this.#known) this.#fetch(known);
  }

  async #fetch(known) {
    this.#fetching = true;
    try {
      const reply = await fetch("/api/statistics?session_id=latest");
      if (reply.ok) {
        this.#show(await reply.json());
        this.#known = known;
      }
    } catch {
      // The lost link shows itself; the numbers stay as they were.
    } finally {
      this.#fetching = false;
    }
  }

  #show(statistics) {
    const none = !statistics || statistics.versions.length === 0;
    this.#empty.hidden = !none;
    this.#body.hidden = none;
    if (none) return;
    const { summary, versions } = statistics;
    const write = (name, text) => setText(this.#facts.get(name), text);
    write("rate", summary.rate === null ? "–" : `${percent(summary.rate)} ${interval(summary)}`);
    write("alone", `${summary.alone} of ${summary.success}`);
    write("intervened", percent(summary.intervened_share));
    write("time", summary.success_s === null ? "–"
      : `${seconds(summary.success_s)} (${minutes(summary.success_low_s)}–${minutes(summary.success_high_s)})`);
    write("pace", per_hour(summary.attempts_per_hour));
    this.#draw(versions.slice(-MOST_VERSIONS));
  }

  #draw(versions) {
    const y = (share) => TOP + (1 - share) * (HEIGHT - TOP - BOTTOM);
    const step = (WIDTH - LEFT - 8) / versions.length;
    const parts = [];
    for (const share of [0, 0.5, 1]) {
      parts.push(line({ x1: LEFT, x2: WIDTH - 4, y1: y(share), y2: y(share), class: "grid" }));
      parts.push(text(`${share * 100} %`, { x: LEFT - 5, y: y(share) + 4, "text-anchor": "end" }));
    }
    versions.forEach(({ version, summary }, index) => {
      const x = LEFT + step * (index + 0.5);
      parts.push(text(shortName(version, step), { x, y: HEIGHT - 4, "text-anchor": "middle" }, about(version, summary)));
      if (summary.rate === null) return;
      const whisker = { x1: x, x2: x, y1: y(summary.rate_low), y2: y(summary.rate_high), class: "whisker" };
      const mark = element("circle", { cx: x, cy: y(summary.rate), r: 5, class: "mark" });
      mark.append(element("title", {}, about(version, summary)));
      parts.push(line(whisker), mark);
    });
    this.#plot.replaceChildren(...parts);
    this.#plot.setAttribute("aria-label", versions.map(({ version, summary }) => about(version, summary)).join("; "));
  }
}

function interval({ rate_low, rate_high }) {
  return `[${Math.round(rate_low * 100)}–${Math.round(rate_high * 100)}]`;
}

function about(version, summary) {
  const graded = summary.success + summary.failure;
  if (graded === 0) return `${version}: nothing graded`;
  return `${version}: ${summary.success} of ${graded}, ${percent(summary.rate)} ${interval(summary)}`;
}

// `run@000012` is v12, `run/000500` is 500; as much as there is room for.
export function shortName(version, width_px) {
  const published = version.match(/@0*(\d+)$/);
  const saved = version.match(/\/0*(\d+)$/);
  const name = published ? `v${published[1]}` : saved ? saved[1] : version;
  const most = Math.max(3, Math.floor(width_px / 7));
  return name.length > most ? `${name.slice(0, most - 1)}…` : name;
}

function element(tag, attributes, words) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (words !== undefined) made.textContent = words;
  return made;
}

function line(attributes) {
  return element("line", attributes);
}

function text(words, attributes, hint) {
  const made = element("text", attributes, words);
  if (hint) made.append(element("title", {}, hint));
  return made;
}
