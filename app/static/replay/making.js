// Makes critic videos on demand: scores what is not scored yet, then has the videos drawn.
//
// Both are ordered at once; the server lets the second wait for the first, also without this page.

import { get, post, startJob } from "../training/api.js";
import { h } from "../training/dom.js";
import { JobLines } from "../training/job_lines.js";
import { isOver } from "../training/words.js";
import { RECORDED } from "./address.js";

const EVERY_MS = 1000;
const SHOWN_S = 120;

export class Making {
  #root;
  #tell;
  #finished;
  #timer = null;
  #over = null;
  #panel = h("div", { class: "dk-panel", hidden: true });
  #lines = new JobLines({ act: (job, what) => this.#act(job, what), withCheckpoint: true });

  // `tell(level, message, hint)` says something; `finished()` after a job of this page's kind ended.
  constructor({ root, tell, finished }) {
    this.#root = root;
    this.#tell = tell;
    this.#finished = finished;
    this.#panel.append(this.#lines.element);
    root.append(this.#panel);
  }

  // Videos of these entries of the list by this critic.
  async make(checkpoint, videos) {
    const episodes = videos.map((video) => video.episode.id);
    const unscored = checkpoint === RECORDED ? [] : videos.filter((video) => !video.is_scored).map((video) => video.episode.id);
    const params = checkpoint === RECORDED ? { episodes } : { checkpoint, episodes };
    try {
      if (unscored.length) {
        await startJob("score", { checkpoint, episodes: unscored }, [{ kind: "video", params }]);
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
    } catch {
      // The wall says that the server is gone.
    }
    this.#show(jobs);
    const over = jobs.filter(isOver).map((job) => job.id).sort().join();
    if (this.#over !== null && over !== this.#over) this.#finished();
    this.#over = over;
    this.#timer = setTimeout(() => this.look(), jobs.some((job) => !isOver(job)) ? EVERY_MS : 5 * EVERY_MS);
  }

  #show(jobs) {
    const now_s = Date.now() / 1000;
    const shown = jobs.filter((job) => !isOver(job) || (job.state !== "done" && now_s - (job.ended_s ?? 0) < SHOWN_S));
    this.#lines.show(shown);
    this.#panel.hidden = shown.length === 0;
  }

  #act(job, what) {
    return post(`/api/jobs/${job.id}/${what}`).then(() => this.look(), (refusal) => this.#tell("error", refusal.message, refusal.hint));
  }
}
