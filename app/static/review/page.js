// The Review page: a queue, a player and labels, driven by the keyboard.

import { mount as mountHeader } from "../header.js";
import { Notices } from "../live/notices.js";
import { partsOf, setShown, setText } from "../live/paint.js";
import { get, query } from "../training/api.js";
import { counted } from "../training/words.js";
import { Address, emptyQueue, FIRST_ORDER, QUEUE } from "./address.js";
import { nothingMatches, nothingRecorded, queueFinished } from "./blank.js";
import { Bundles } from "./bundles.js";
import { Filters } from "./filters.js";
import { Follow } from "./follow.js";
import { openHelp } from "./help.js";
import { actOf, isTyping } from "./keys.js";
import { LabelDesk } from "./label_desk.js";
import { LabelOrders } from "./label_orders.js";
import { LabelPanel } from "./label_panel.js";
import { News } from "./news.js";
import { Outbox } from "./outbox.js";
import { Player } from "./player.js";
import { Queue } from "./queue.js";
import { QueueList } from "./queue_list.js";
import { Showing } from "./showing.js";
import { userOf } from "./whoami.js";


class ReviewPage {
  #element;
  #parts;
  #notices;
  #address;
  #queue;
  #list;
  #bundles;
  #outbox;
  #desk;
  #orders;
  #player;
  #panel;
  #filters;
  #follow;
  #showing;
  #news;
  #facets = {};
  #isAway = false;
  // Episodes that came since the queue was sorted.
  #numNew = 0;
  // Resolves once the queue that was asked for last is there.
  #sorting = null;
  #started_ms = Date.now();
  #leaving = new AbortController();

  constructor(element) {
    this.#element = element;
    this.#parts = partsOf(element);
    this.#notices = new Notices({ toasts: this.#parts.toasts, banner: null });
    this.#address = new Address((changed) => this.#changed(changed));
    this.#queue = new Queue({
      list: (params) => get(`/api/episodes${query(params)}&state=finished&state=recovered`),
      changed: () => this.#list.show(),
    });
    this.#bundles = new Bundles({ critics: () => [this.#address.values.critic, this.#address.values.compare].filter(Boolean) });
    this.#outbox = new Outbox({ tell: {
      changed: () => this.#showState(),
      answered: (entry, answer) => this.#desk.answered(entry, answer),
      refused: (entry, refusal) => this.#desk.refused(entry, refusal),
    } });
    this.#desk = new LabelDesk({ outbox: this.#outbox, page: {
      refuse: (message, hint) => this.tell("warning", message, hint),
      failed: ({ code, message, hint }, { words }) => this.tell(code === "nothing" ? "info" : "error", code === "nothing" ? message : `Not saved: ${words}. ${message}`, hint),
      heard: (id, answer, entry) => this.#news.heard(id, answer, entry),
    } });
    this.#list = new QueueList({ root: this.#parts.list, queue: this.#queue, open: (id) => this.open(id), stateOf: (id) => this.#desk.stateOf(id) });
    this.#player = new Player({ parts: this.#parts, desk: {
      critic: (name, id) => this.#address.set({ [name]: id, ...(name === "critic" && id === this.#address.values.compare && { compare: "" }) }),
      marked: () => this.#showState(),
      tell: (...words) => this.tell(...words),
    } });
    this.#showing = new Showing({ parts: this.#parts, queue: this.#queue, bundles: this.#bundles, player: this.#player, page: {
      begun: (episode) => this.#begun(episode),
      read: () => this.#showAll(),
    } });
    this.#news = new News({ queue: this.#queue, showing: this.#showing, bundles: this.#bundles, page: {
      open: (id) => this.open(id),
      sortAnew: () => this.#begin(),
      changed: () => this.#showState(),
      offerRefresh: () => this.#offerRefresh(),
      tell: (...words) => this.tell(...words),
    } });
    this.#orders = new LabelOrders({ desk: this.#desk, page: {
      episode: () => this.#showing.episode,
      labels: () => this.#showing.review?.labels,
      player: this.#player,
      filter: () => this.#address.queue,
      tell: (...words) => this.tell(...words),
      undo: () => this.#undo("undo"),
      changedAll: () => { this.#bundles.allStale(); this.#begin({ keep: false }); },
    } });
    this.#panel = new LabelPanel({ root: this.#parts.panel, desk: {
      act: (act) => this.act(act),
      erase: (range) => this.#desk.say(this.#showing.episode.id, "erase", {}, { target_id: range.id }),
      revert: (revision) => this.#desk.revert(this.#showing.episode.id, revision),
      seek: (frame) => this.#player.seek(frame),
    } });
    this.#filters = new Filters({ root: this.#parts.filters, address: this.#address });
    this.#follow = new Follow({ heard: (events) => this.#news.others(events, this.#follow.myName), grown: (by) => this.#grown(by), lost: (is) => { this.#isAway = is; this.#showState(); } });
    const { signal } = this.#leaving;
    addEventListener("popstate", () => this.#address.reread(), { signal });
    addEventListener("keydown", (event) => this.#key(event), { signal });
    // A button that was clicked gives the keys back to the page.
    element.addEventListener("click", (event) => { if (event.detail > 0) event.target.closest?.("button")?.blur(); }, { signal });
    this.#parts.refresh.addEventListener("click", () => this.#begin());
    this.#filters.show({});
    this.#outbox.begin();
    this.#follow.begin();
    this.#begin();
    userOf().then(({ role, name }) => {
      this.#desk.mayLabel = role !== "viewer";
      this.#follow.myName = name;
      this.#showState();
    });
    requestAnimationFrame(() => this.#frame());
  }

  tell(level, message, hint = "", actions = []) {
    this.#notices.toast(level, message, { hint, actions });
  }

  // --- the queue

  // `keep`: the episode on the screen stays, wherever it is in the queue now.
  async #begin({ keep = true } = {}) {
    if (!keep) this.#address.set({ episode: "", frame: "" }, { replace: true });
    this.#askFacets();
    try {
      const wanted = { ...this.#address.queue, order: this.#address.values.order || FIRST_ORDER };
      this.#sorting = this.#queue.begin(wanted);
      if (!await this.#sorting) return;
    } catch (refusal) {
      this.tell("error", refusal.message, refusal.hint);
      return;
    }
    this.#list.reset();
    this.#numNew = 0;
    setShown(this.#parts.refresh, false);
    const { episode } = this.#address.values;
    if (episode) await this.open(episode);
    else if (this.#queue.loaded) await this.open(this.#queue.at(0).id, { replace: true });
    else this.#showing.blank(Object.keys({ ...this.#address.queue, order: "" }).length > 1 ? nothingMatches(() => this.#address.set(emptyQueue())) : nothingRecorded());
  }

  #grown(by) {
    if (this.#queue.total === 0) this.#begin();
    else {
      this.#numNew += by;
      this.#offerRefresh();
    }
  }

  #offerRefresh() {
    const what = this.#numNew ? counted(this.#numNew, "new episode") : "labels changed";
    setText(this.#parts.refresh, `${what}: sort anew (R)`);
    setShown(this.#parts.refresh, true);
  }

  async #askFacets() {
    try {
      this.#facets = await get("/api/episodes/facets?state=finished&state=recovered");
      this.#filters.show(this.#facets);
    } catch (refusal) {
      this.tell("error", refusal.message, refusal.hint);
    }
  }

  #changed(changed) {
    if (QUEUE.some((name) => changed.has(name))) {
      this.#filters.show(this.#facets);
      this.#begin({ keep: changed.has("episode") && this.#address.values.episode !== "" });
      return;
    }
    const { episode, frame } = this.#address.values;
    const critics = changed.has("critic") || changed.has("compare");
    if (critics) this.#bundles.allStale();
    if (episode && (critics || !this.#showing.shows(episode))) this.#showing.show(episode, Number(frame) || 0);
    else if (changed.has("frame")) this.#player.seek(Number(frame) || 0);
  }

  // --- the episode

  async open(id, { replace = false } = {}) {
    if (this.#showing.shows(id)) await this.#showing.show(id, this.#player.frame);
    else if (id === this.#address.values.episode) await this.#showing.show(id, Number(this.#address.values.frame) || 0);
    else this.#address.set({ episode: id, frame: "" }, { replace });
  }

  #begun(episode) {
    this.#desk.seen(episode.id, episode.label_revision);
    this.#list.choose(episode.id);
    this.#showAll();
  }

  async #go(step) {
    // A step is one of the queue that was asked for, even while the server still sorts it.
    await this.#sorting?.catch(() => {});
    const { episode } = this.#showing;
    const at = episode ? this.#queue.indexOf(episode.id) : -1;
    // Back from the end of the queue is where one came from.
    const to = this.#showing.isBlank && step < 0 ? at : at + step;
    await this.#queue.reach(to);
    const next = this.#queue.at(to);
    if (next) await this.open(next.id);
    else if (step > 0) await this.#finish();
  }

  async #finish() {
    await this.#askFacets();
    const left = this.#facets.flag?.unlabeled ?? 0;
    this.#showing.blank(queueFinished({
      tally: this.#desk.tally, started_ms: this.#started_ms, now_ms: Date.now(), left,
      unlabeled: () => this.#address.set({ ...emptyQueue(), flag: "unlabeled", order: "oldest" }),
      again: () => this.#begin({ keep: false }),
    }));
  }

  // --- what a key or a button asks for

  act(act) {
    const { name } = act;
    const acts = {
      help: () => openHelp(), search: () => this.#filters.focus(), refresh: () => this.#begin(), undo: () => this.#undo("undo"),
      redo: () => this.#undo("redo"), next: () => this.#go(1), previous: () => this.#go(-1), bulk: () => this.#orders.bulk(),
      "copy-link": () => this.#copyLink(), escape: () => this.#player.mark({ start: null, end: null }),
    };
    if (name in acts) acts[name]();
    else if (!this.#showing.isBlank) this.#onEpisode(act, this.#showing.episode);
  }

  #onEpisode(act, episode) {
    if (this.#player.act(act)) return;
    const acts = {
      outcome: () => { this.#desk.choose(episode, act.outcome); this.#showState(); },
      save: () => { this.#desk.saveDraft(episode); this.#go(1); },
      skip: () => { this.#desk.skip(episode); this.#go(1); },
    };
    if (act.name in acts) acts[act.name]();
    else this.#orders.act(act);
  }

  // What is not said yet is taken back first.
  #undo(which) {
    const { episode, isBlank } = this.#showing;
    if (which === "undo" && !isBlank && this.#desk.draft(episode.id) !== null) {
      this.#desk.forgetDraft(episode.id);
      this.#showState();
    } else this.#desk.undo(which);
  }

  async #copyLink() {
    try {
      await navigator.clipboard.writeText(this.#address.link);
      this.tell("info", "Link copied: it opens this episode, frame and queue.");
    } catch {
      this.tell("warning", "This browser copies only over https or from localhost.", this.#address.link);
    }
  }

  #key(event) {
    if (isTyping(event.target)) return;
    if (event.target.tagName === "BUTTON" && ["Enter", " "].includes(event.key)) return;
    const act = actOf(event);
    if (act === null) return;
    event.preventDefault();
    this.act(act);
  }

  // --- what is shown

  #showAll() {
    const { episode, review, isBlank } = this.#showing;
    if (review && !isBlank) this.#desk.seen(episode.id, review.labels.revision);
    if (isBlank) this.#panel.clear();
    this.#showState();
    const at = episode && !isBlank ? this.#queue.indexOf(episode.id) : -1;
    setText(this.#parts.place, `${at < 0 ? "–" : at + 1} of ${this.#queue.total.toLocaleString("en-US")}`);
  }

  #showState() {
    const { unsent, waits } = this.#outbox;
    const away = waits && unsent ? `${counted(unsent, "label")} not sent yet, trying again` : this.#isAway ? "the server does not answer" : "";
    setText(this.#parts.away, away);
    this.#list.show();
    const { episode, review, isBlank } = this.#showing;
    if (isBlank) return;
    this.#panel.show({
      episode, review, draft: this.#desk.draft(episode.id), marks: this.#player.marks,
      unsent: this.#outbox.entriesOf(episode.id).length, mayLabel: this.#desk.mayLabel,
    });
  }

  #frame() {
    if (!this.#element.isConnected) {
      this.#close();
      return;
    }
    this.#player.draw();
    if (!this.#showing.isBlank) this.#address.setFrame(this.#player.frame);
    requestAnimationFrame(() => this.#frame());
  }

  #close() {
    this.#leaving.abort();
    this.#follow.close();
    this.#outbox.close();
    this.#list.close();
    this.#bundles.close();
  }
}

export function mount(element) {
  mountHeader(element);
  return new ReviewPage(element);
}
