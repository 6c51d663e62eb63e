// Makes critic videos on demand: scores what is not scored yet, then has the videos drawn.
//
// The second job is ordered when the first is done. What waits is kept in this browser, so a closed
// page orders it when it is opened again.

import { get, post, startJob } from "../training/api.js";
import { button, h } from "../training/dom.js";
import { progressBar, stateChip } from "../training/runs.js";
import { chosenEpisodes, isOver } from "../training/words.js";
import { RECORDED } from "./address.js";

const WAITING = "handrail.videos-after-scoring";
const EVERY_MS = 1000;
const SHOWN_S = 120;

export class Making {
  #root;
  #tell;
  #finished;
  #timer = null;
  #over = null;

  // `tell(level, message, hint)` says something; `finished()` after a job of this page's kind ended.
  constructor({ root, tell, finished }) {
    this.#root = root;
    this.#tell = tell;
    this.#finished = finished;
  }

  // Videos of these entries of the list by this critic.
  async make(checkpoint, videos) {
    const episodes = videos.map((video) => video.episode.id);
    const unscored = checkpoint === RECORDED ? [] : videos.filter((video) => !video.is_scored).map((video) => video.episode.id);
    const params = checkpoint === RECORDED ? { episodes } : { checkpoint, episodes };
    try {
      if (unscored.length) {
        const job = await startJob("score", { checkpoint, episodes: unscored });
        remember({ ...waiting(), [job.id]: params });
        this.#tell("info", "Scoring first, then the videos.", "Progress is shown above the wall.");
      } else {
        await startJob("video", params);
      }
    } catch (refusal) {
      this.#tell("error", refusal.message, refusal.hint);
    }
    await this.look();
  }

  async look() {
    clearTimeout(this.#timer);
    if (!this.#root.isConnected) return;
    let jobs = [];
    try {
      const lists = await Promise.all(["score", "video"].map((kind) => get("/api/jobs", { kind, limit: 20 })));
      jobs = lists.flatMap((list) => list.items);
      await this.#goOn(jobs);
    } catch {
      // The wall says that the server is gone.
    }
    this.#show(jobs);
    const over = jobs.filter(isOver).map((job) => job.id).sort().join();
    if (this.#over !== null && over !== this.#over) this.#finished();
    this.#over = over;
    const busy = jobs.some((job) => !isOver(job)) || Object.keys(waiting()).length > 0;
    this.#timer = setTimeout(() => this.look(), busy ? EVERY_MS : 5 * EVERY_MS);
  }

  async #goOn(jobs) {
    for (const [id, params] of Object.entries(waiting())) {
      const job = jobs.find((each) => each.id === id) ?? await get(`/api/jobs/${id}`).catch(() => null);
      if (job !== null && !isOver(job)) continue;
      const { [id]: _done, ...rest } = waiting();
      remember(rest);
      if (job?.state === "done") jobs.push(await startJob("video", params));
      else this.#tell("error", `No videos: the scoring ${job?.state ?? "is gone"}.`, job?.message ?? "");
    }
  }

  #show(jobs) {
    const now_s = Date.now() / 1000;
    const shown = jobs.filter((job) => !isOver(job) || (job.state !== "done" && now_s - (job.ended_s ?? 0) < SHOWN_S));
    const words = JSON.stringify(shown.map((job) => [job.id, job.state, job.progress, job.message]));
    if (this.#root.shownWords === words) return;
    this.#root.shownWords = words;
    this.#root.replaceChildren(...(shown.length ? [h("div", { class: "dk-panel dk-jobs" }, shown.map((job) => this.#line(job)))] : []));
  }

  #line(job) {
    const cancel = () => post(`/api/jobs/${job.id}/cancel`).then(() => this.look(), (refusal) => this.#tell("error", refusal.message, refusal.hint));
    return h("div", { class: "dk-job" }, h("b", {}, job.kind === "score" ? "scoring" : "videos"),
      h("span", {}, chosenEpisodes(job.params.episodes), " ", h("code", {}, job.params.checkpoint ?? "as recorded")),
      stateChip(job), progressBar(job), h("span", { class: "dk-quiet" }, job.message),
      isOver(job) ? h("span") : button("Cancel", cancel));
  }
}

function waiting() {
  try {
    return JSON.parse(localStorage.getItem(WAITING) ?? "{}");
  } catch {
    return {};
  }
}

function remember(orders) {
  localStorage.setItem(WAITING, JSON.stringify(orders));
}
