// The wall: a card an episode with its first frame, of its critic video or of its cameras; a pointer
// on it plays, a click opens it.

import { h } from "../training/dom.js";
import { percent, when } from "../training/words.js";
import { CAMERAS, cameraUrl, videoUrl } from "./address.js";

// Cameras of one card.
const ON_CARD = 2;
const SHAPES = { success: "✓", failure: "✗", none: "–" };

export class Wall {
  #root;
  #open;
  #cards = new Map();
  // Videos below the fold are not asked for: a browser keeps six connections.
  #seen;

  // `open(episodeId)` shows an episode.
  constructor({ root, open }) {
    this.#root = root;
    this.#open = open;
    this.#seen = new IntersectionObserver((entries) => {
      for (const { isIntersecting, target } of entries) {
        if (!isIntersecting || target.src) continue;
        target.src = target.dataset.src;
        this.#seen.unobserve(target);
      }
    }, { rootMargin: "200px" });
  }

  show(videos, checkpoint, chosen) {
    const known = new Set();
    const cards = videos.map((video) => {
      known.add(video.episode.id);
      return this.#card(video, checkpoint, video.episode.id === chosen);
    });
    for (const id of this.#cards.keys()) if (!known.has(id)) this.#cards.delete(id);
    if (cards.length !== this.#root.children.length || cards.some((card, index) => this.#root.children[index] !== card)) {
      this.#root.replaceChildren(...cards);
    }
  }

  close() {
    this.#seen.disconnect();
  }

  #card(video, checkpoint, isChosen) {
    const words = JSON.stringify([video, checkpoint]);
    let card = this.#cards.get(video.episode.id);
    if (card === undefined || card.shownWords !== words) {
      card = this.#make(video, checkpoint);
      card.shownWords = words;
      this.#cards.set(video.episode.id, card);
    }
    card.setAttribute("aria-current", isChosen);
    return card;
  }

  #make(video, checkpoint) {
    const { episode } = video;
    const seconds = `${(episode.num_steps / episode.fps).toFixed(1)} s`;
    const human = episode.num_steps ? episode.num_human_steps / episode.num_steps : 0;
    return h("button", { type: "button", class: "rp-card", data: { episode: episode.id }, on: { click: () => this.#open(episode.id) } },
      this.#picture(video, checkpoint),
      h("span", { class: "rp-card-head" },
        h("b", { class: "rp-outcome", data: { outcome: episode.outcome } }, `${SHAPES[episode.outcome]} ${episode.outcome === "none" ? "no grade" : episode.outcome}`),
        h("code", {}, episode.id.slice(0, 8))),
      h("span", { class: "dk-ellipsis" }, episode.task),
      h("span", { class: "dk-quiet" }, `${seconds} · human ${percent(human)} · ${when(episode.started_s)}`),
      checkpoint !== CAMERAS && video.is_old && h("span", { class: "rp-old", title: "Its label or its scores changed since: make it again." }, "older than its labels or scores"));
  }

  #picture(video, checkpoint) {
    if (checkpoint === CAMERAS) {
      const { episode } = video;
      if (!episode.cameras.length) return h("span", { class: "rp-picture rp-none" }, "no cameras");
      return this.#playing(episode.cameras.slice(0, ON_CARD).map((camera) => cameraUrl(episode, camera)));
    }
    if (video.made_s === null) return h("span", { class: "rp-picture rp-none" }, "no video yet");
    return this.#playing([videoUrl(video, checkpoint)]);
  }

  // Players side by side that play together while a pointer is on them.
  #playing(urls) {
    const players = urls.map((url) => h("video", { class: "rp-picture", muted: true, preload: "metadata", playsinline: "", loop: "",
      // The fragment makes browsers show the first frame.
      data: { src: `${url}#t=0.001` }, tabindex: "-1" }));
    for (const player of players) this.#seen.observe(player);
    return h("span", { class: "rp-pictures", on: {
      mouseenter: () => { for (const player of players) if (player.src) player.play().catch(() => {}); },
      mouseleave: () => { for (const player of players) { player.pause(); player.currentTime = 0.001; } },
    } }, players);
  }
}
