// The Replay page: a wall of critic videos or of the cameras, one of them large, or two critics side by
// side in step.

import { mount as mountHeader } from "../header.js";
import { Notices } from "../live/notices.js";
import { partsOf } from "../live/paint.js";
import { get, getAll } from "../training/api.js";
import { Address, CAMERAS, RECORDED } from "./address.js";
import { Bar } from "./bar.js";
import { Making } from "./making.js";
import { Player } from "./player.js";
import { Wall } from "./wall.js";

const PAGE = 60;
const LISTED = ["checkpoint", "outcome", "q", "driven_by", "missing"];
// As many as one job may be asked for by name in one go.
const MOST_AT_ONCE = 500;

class ReplayPage {
  #element;
  #parts;
  #notices;
  #address;
  #checkpoints = [];
  #videos = [];
  #total = 0;
  #toMake = [];
  #cursor = null;
  #asked = 0;
  #leaving = new AbortController();

  constructor(element) {
    this.#element = element;
    this.#parts = partsOf(element);
    this.#notices = new Notices({ toasts: this.#parts.toasts, banner: null });
    this.#address = new Address((changed) => this.#changed(changed));
    const tell = (level, message, hint = "") => this.#notices.toast(level, message, { hint });
    this.bar = new Bar({ root: this.#parts.bar, address: this.#address, makeAll: () => this.#makeAll() });
    this.wall = new Wall({ root: this.#parts.wall, open: (id) => this.#address.set({ episode: id }) });
    this.making = new Making({ root: this.#parts.making, tell, finished: () => this.#begin() });
    this.player = new Player({ root: this.#parts.player, page: {
      close: () => this.#address.set({ episode: "" }),
      next: (step) => this.#next(step),
      linkTo: (id) => this.#address.linkTo(id),
      make: (checkpoint, videos) => this.making.make(checkpoint, videos),
    } });
    this.tell = tell;
    const { signal } = this.#leaving;
    addEventListener("popstate", () => this.#address.reread(), { signal });
    addEventListener("keydown", (event) => this.#key(event), { signal });
    this.#parts.more.addEventListener("click", () => this.#more());
    this.bar.show([]);
    this.#begin();
    this.making.look();
    requestAnimationFrame(() => this.#frame());
  }

  // Everything anew: at the start, and when videos or scores came.
  async #begin() {
    try {
      this.#checkpoints = await getAll("/api/checkpoints");
    } catch (refusal) {
      this.tell("error", refusal.message, refusal.hint);
    }
    if (this.#address.values.checkpoint) {
      this.bar.show(this.#checkpoints);
      await this.#list();
    } else {
      // Nobody said whose: who drives, else the newest that has videos, else the newest.
      const all = this.#checkpoints;
      const critic = all.find((each) => each.promoted_s !== null) ?? all.find((each) => each.num_videos) ?? all[0];
      this.#address.set({ checkpoint: critic?.id ?? CAMERAS }, { replace: true });
    }
  }

  #changed(changed) {
    this.bar.show(this.#checkpoints);
    if (LISTED.some((name) => changed.has(name))) this.#list();
    else this.#show();
    if (changed.has("episode") && this.#address.values.episode) this.#parts.player.scrollIntoView({ block: "nearest" });
  }

  get #wanted() {
    const { checkpoint, outcome, q, driven_by: drivenBy, missing } = this.#address.values;
    // Cameras are there for every episode; the list of critic videos names them all.
    const plain = checkpoint === CAMERAS;
    return { checkpoint: plain ? RECORDED : checkpoint, outcome, q, driven_by: drivenBy, with_missing: plain || missing === "1" };
  }

  async #list() {
    const asked = ++this.#asked;
    try {
      const shown = Math.max(PAGE, this.#videos.length);
      const [page, all] = await Promise.all([
        get("/api/videos", { ...this.#wanted, limit: Math.min(1000, shown) }),
        get("/api/videos", { ...this.#wanted, with_missing: true, limit: MOST_AT_ONCE }),
      ]);
      if (asked !== this.#asked) return;
      this.#videos = page.items;
      this.#cursor = page.next_cursor;
      this.#total = all.total;
      const plain = this.#address.values.checkpoint === CAMERAS;
      this.#toMake = plain ? [] : all.items.filter((video) => video.made_s === null || video.is_old);
      await this.#show();
    } catch (refusal) {
      this.tell("error", refusal.message, refusal.hint);
    }
  }

  async #more() {
    const page = await get("/api/videos", { ...this.#wanted, limit: PAGE, cursor: this.#cursor });
    this.#videos.push(...page.items);
    this.#cursor = page.next_cursor;
    await this.#show();
  }

  async #show() {
    const { checkpoint, episode } = this.#address.values;
    this.wall.show(this.#videos, checkpoint, episode);
    this.bar.tell({ total: this.#total, toMake: this.#toMake.length });
    this.#parts.more.hidden = this.#cursor === null;
    this.#parts.empty.hidden = this.#videos.length > 0;
    this.#parts.empty.textContent = this.#whyEmpty();
    const views = await this.#views();
    if (episode === this.#address.values.episode) this.player.show(views);
  }

  #whyEmpty() {
    const { checkpoint, outcome, q, driven_by: drivenBy } = this.#address.values;
    if (this.#total > 0) {
      return `There is no critic video ${checkpoint === RECORDED ? "of what was recorded" : `by ${checkpoint}`} yet. `
        + "“Make videos” draws them: cameras side by side, value and advantage under them. "
        + "The critic “none: the cameras alone” shows what was recorded at once.";
    }
    if (outcome || q || drivenBy) return "No episode matches this filter.";
    return "Nothing was recorded yet. Open a session on the Live page, or import a dataset on the Data page; "
      + "its episodes appear here.";
  }

  // The chosen episode by the chosen critic, and by the one beside it.
  async #views() {
    const { checkpoint, compare, episode } = this.#address.values;
    if (!episode) return [];
    const critics = [checkpoint, ...(compare && compare !== checkpoint ? [compare] : [])];
    const found = await Promise.all(critics.map(async (critic) => {
      const known = critic === checkpoint && this.#videos.find((video) => video.episode.id === episode);
      const whose = critic === CAMERAS ? RECORDED : critic;
      const video = known || (await get("/api/videos", { checkpoint: whose, with_missing: true, q: episode })).items[0];
      return video && { checkpoint: critic, video };
    })).catch((refusal) => {
      this.tell("error", refusal.message, refusal.hint);
      return [];
    });
    if (found.includes(undefined)) {
      this.tell("error", `There is no finished episode ${episode.slice(0, 8)}.`);
      return [];
    }
    return found;
  }

  #next(step) {
    const at = this.#videos.findIndex((video) => video.episode.id === this.#address.values.episode);
    const next = this.#videos[at + step];
    if (next) this.#address.set({ episode: next.episode.id }, { replace: true });
  }

  #makeAll() {
    this.making.make(this.#address.values.checkpoint, this.#toMake);
  }

  #key(event) {
    const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName) && event.target.type !== "range";
    const onButton = event.code === "Space" && event.target.tagName === "BUTTON";
    if (typing || onButton || event.ctrlKey || event.metaKey || event.altKey) return;
    if (this.player.key(event.code)) event.preventDefault();
  }

  #frame() {
    if (!this.#element.isConnected) {
      this.#leaving.abort();
      this.wall.close();
      return;
    }
    this.player.draw();
    requestAnimationFrame(() => this.#frame());
  }
}

export function mount(element) {
  mountHeader(element);
  return new ReplayPage(element);
}
