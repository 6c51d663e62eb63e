// The Review page: a queue, a player and labels, driven by the keyboard.

import { mount as mountHeader } from "../header.js";
import { Notices } from "../live/notices.js";
import { partsOf, setShown, setText } from "../live/paint.js";
import { get, query } from "../training/api.js";
import { counted } from "../training/words.js";
import { Address, emptyQueue, FIRST_ORDER, QUEUE } from "./address.js";
import { cannotRead, nothingMatches, nothingRecorded, queueFinished } from "./blank.js";
import { Bundles } from "./bundles.js";
import { Filters } from "./filters.js";
import { Follow } from "./follow.js";
import { openHelp } from "./help.js";
import { actOf, isTyping } from "./keys.js";
import { LabelDesk } from "./label_desk.js";
import { LabelOrders } from "./label_orders.js";
import { LabelPanel } from "./label_panel.js";
import { Outbox } from "./outbox.js";
import { Player } from "./player.js";
import { Queue } from "./queue.js";
import { QueueList } from "./queue_list.js";
import { flagsAfter } from "./said.js";
import { roleOfUser } from "./whoami.js";

const FETCHED_AHEAD = 2;
const LIST_FACTS = ["outcome", "excluded", "exclude_reason", "note", "terminal_step"];

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
  #states = new Map();
  #episode = null;
  #review = null;
  #facets = {};
  #finished = false;
  #started_ms = Date.now();
  #leaving = new AbortController();

  constructor(element) {
    this.#element = element;
    this.#parts = partsOf(element);
    this.#notices = new Notices({ toasts: this.#parts.toasts, banner: null });
    this.#address = new Address((changed) => this.#changed(changed));
    this.#queue = new Queue({
      list: (params) => get(`/api/episodes${query(params)}&state=finished&state=recovered`),
      changed: () => this.#list?.show(),
    });
    this.#bundles = new Bundles({ critics: () => [this.#address.values.critic, this.#address.values.compare].filter(Boolean) });
    this.#outbox = new Outbox({ tell: {
      changed: () => this.#showState(),
      answered: (entry, answer) => this.#desk.answered(entry, answer),
      refused: (entry, refusal) => this.#desk.refused(entry, refusal),
    } });
    this.#desk = new LabelDesk({ outbox: this.#outbox, page: {
      refuse: (message, hint) => this.tell("warning", message, hint),
      failed: (refusal, entry) => this.tell("error", `Not saved: ${entry.words}. ${refusal.message}`, refusal.hint),
      heard: (id, answer, entry) => this.#heard(id, answer, entry),
    } });
    this.#list = new QueueList({ root: this.#parts.list, queue: this.#queue, open: (id) => this.open(id), stateOf: (id) => this.#stateOf(id) });
    this.#player = new Player({ parts: this.#parts, desk: {
      critic: (name, id) => this.#address.set({ [name]: id, ...(name === "critic" && id === this.#address.values.compare && { compare: "" }) }),
      marked: () => this.#showState(),
      tell: (...words) => this.tell(...words),
    } });
    this.#orders = new LabelOrders({ desk: this.#desk, page: {
      episode: () => this.#episode,
      labels: () => this.#review?.labels,
      player: this.#player,
      filter: () => this.#address.queue,
      tell: (...words) => this.tell(...words),
      undo: () => this.#undo("undo"),
      changedAll: () => { this.#bundles.allStale(); this.#begin({ keep: false }); },
    } });
    this.#panel = new LabelPanel({ root: this.#parts.panel, desk: {
      act: (act) => this.act(act),
      erase: (range) => this.#desk.say(this.#episode.id, "erase", {}, { target_id: range.id }),
      revert: (revision) => this.#desk.revert(this.#episode.id, revision),
      seek: (frame) => this.#player.seek(frame),
    } });
    this.#filters = new Filters({ root: this.#parts.filters, address: this.#address });
    this.#follow = new Follow({ heard: (events) => this.#others(events), lost: (is) => this.#away(is) });
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
    roleOfUser().then((role) => {
      this.#desk.mayLabel = role !== "viewer";
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
      if (!await this.#queue.begin(wanted)) return;
    } catch (refusal) {
      this.tell("error", refusal.message, refusal.hint);
      return;
    }
    this.#finished = false;
    this.#list.reset();
    setShown(this.#parts.refresh, false);
    const { episode } = this.#address.values;
    if (episode) await this.open(episode);
    else if (this.#queue.loaded) await this.open(this.#queue.at(0).id, { replace: true });
    else this.#blank(Object.keys({ ...this.#address.queue, order: "" }).length > 1 ? nothingMatches(() => this.#address.set(emptyQueue())) : nothingRecorded());
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
    if (changed.has("critic") || changed.has("compare")) this.#bundles.allStale();
    const { episode, frame } = this.#address.values;
    if (episode && (episode !== this.#episode?.id || changed.has("critic") || changed.has("compare"))) this.#show(episode, Number(frame) || 0);
    else if (changed.has("frame")) this.#player.seek(Number(frame) || 0);
  }

  // --- the episode

  async open(id, { replace = false } = {}) {
    if (id === this.#episode?.id && !this.#finished) {
      await this.#show(id, this.#player.frame);
      return;
    }
    const linked = id === this.#address.values.episode && this.#episode === null;
    if (linked) await this.#show(id, Number(this.#address.values.frame) || 0);
    else this.#address.set({ episode: id, frame: "" }, { replace });
  }

  async #show(id, frame) {
    this.#finished = false;
    const known = this.#queue.get(id);
    const isNew = id !== this.#episode?.id || this.#parts.empty.hidden === false;
    const bundle = this.#bundles.open(id, known?.cameras);
    setShown(this.#parts.empty, false);
    this.#parts.player.dataset.blank = "no";
    if (isNew && known) this.#begins(known, bundle, frame);
    try {
      const review = await bundle.review;
      if (this.#address.values.episode !== id) return;
      if (isNew && !known) this.#begins(review.episode, bundle, frame);
      this.#review = review;
      this.#episode = { ...this.#episode, ...review.episode, outcome: review.labels.outcome };
      this.#desk.seen(id, review.labels.revision);
      this.#player.showReview(review);
    } catch (refusal) {
      if (this.#address.values.episode === id) this.#blank(cannotRead(refusal, () => this.#show(id, frame)));
      return;
    }
    this.#showState();
    this.#ahead(await this.#queue.find(id));
    this.#list.choose(id);
    this.#showPlace();
  }

  #begins(episode, bundle, frame) {
    this.#episode = episode;
    this.#review = null;
    this.#player.show(episode, bundle.films, frame);
    this.#list.choose(episode.id);
    this.#showState();
    this.#showPlace();
  }

  // The next ones are there before they are asked for.
  async #ahead(index) {
    if (index < 0) return;
    await this.#queue.reach(index + FETCHED_AHEAD);
    for (let next = index + 1; next <= index + FETCHED_AHEAD; next += 1) {
      const item = this.#queue.at(next);
      if (item) this.#bundles.open(item.id, item.cameras).review?.catch(() => {});
    }
  }

  async #go(step) {
    const at = this.#episode ? this.#queue.indexOf(this.#episode.id) : -1;
    await this.#queue.reach(at + step);
    const next = this.#queue.at(at + step);
    if (next) await this.open(next.id);
    else if (step > 0) this.#finish();
  }

  async #finish() {
    await this.#askFacets();
    const left = this.#facets.flag?.unlabeled ?? 0;
    this.#blank(queueFinished({
      tally: this.#desk.tally, started_ms: this.#started_ms, now_ms: Date.now(), left,
      unlabeled: () => this.#address.set({ ...emptyQueue(), flag: "unlabeled", order: "oldest" }),
      again: () => this.#begin({ keep: false }),
    }));
    this.#finished = true;
  }

  #blank(content) {
    this.#player.close();
    this.#parts.player.dataset.blank = "yes";
    this.#parts.empty.replaceChildren(...content);
    setShown(this.#parts.empty, true);
    this.#panel.clear();
    this.#showPlace();
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
    else if (this.#episode && !this.#finished) this.#onEpisode(act);
  }

  #onEpisode(act) {
    if (this.#player.act(act)) return;
    const acts = {
      outcome: () => { this.#desk.choose(this.#episode, act.outcome); this.#showState(); },
      save: () => this.#save(),
      skip: () => this.#skip(),
    };
    if (act.name in acts) acts[act.name]();
    else this.#orders.act(act);
  }

  #save() {
    if (this.#desk.saveDraft(this.#episode)) this.#states.set(this.#episode.id, "done");
    this.#go(1);
  }

  #skip() {
    this.#desk.forgetDraft(this.#episode.id);
    this.#desk.tally.skipped += 1;
    if (!this.#states.has(this.#episode.id)) this.#states.set(this.#episode.id, "skipped");
    this.#go(1);
  }

  #undo(which) {
    if (this.#episode && this.#desk.draft(this.#episode.id) !== null && which === "undo") {
      this.#desk.forgetDraft(this.#episode.id);
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

  // --- what was heard

  // One of our labels was answered: `answer` is what holds now.
  #heard(id, answer, entry) {
    const flags = flagsAfter(this.#queue.get(id)?.flags ?? [], answer);
    this.#queue.update(id, { ...pick(answer, LIST_FACTS), label_revision: answer.revision, flags });
    if (entry && entry.episode_id === null) {
      // Undo and redo go where the label was.
      this.#states.delete(id);
      this.tell("info", `${entry.words === "undo" ? "Undone" : "Redone"} in episode ${id.slice(0, 8)}.`);
      if (answer.changed.length > 1) this.#begin();
    }
    this.#fresh(id, entry && entry.episode_id === null);
  }

  // Labels of other people, and of this person's other pages.
  #others(events) {
    const news = events.filter((event) => (this.#queue.get(event.episode_id)?.label_revision ?? 0) < event.id);
    for (const event of news) {
      this.#queue.update(event.episode_id, { outcome: event.outcome, label_revision: event.id });
      if (event.episode_id === this.#episode?.id && event.id <= (this.#review?.labels.revision ?? 0)) continue;
      if (event.episode_id === this.#episode?.id) this.tell("info", `${event.author} labelled this episode.`);
      this.#fresh(event.episode_id, false);
    }
    if (news.length) {
      setText(this.#parts.refresh, "labels changed: sort anew (R)");
      setShown(this.#parts.refresh, true);
    }
    this.#list.show();
  }

  #fresh(id, goThere) {
    this.#bundles.stale(id);
    if (id === this.#episode?.id && !this.#finished) this.#show(id, this.#player.frame);
    else if (goThere) this.open(id);
    this.#list.show();
    this.#showState();
  }

  #away(is) {
    setText(this.#parts.away, is ? "the server does not answer" : "");
  }

  // --- what is shown

  #stateOf(id) {
    if (this.#outbox.entriesOf(id).length && this.#outbox.waits) return "unsent";
    return this.#desk.draft(id) !== null ? "draft" : this.#states.get(id) ?? "";
  }

  #showState() {
    const { unsent, waits } = this.#outbox;
    setText(this.#parts.away, waits && unsent ? `${counted(unsent, "label")} not sent yet, trying again` : "");
    this.#list?.show();
    if (!this.#episode || !this.#panel || this.#finished || !this.#parts.empty.hidden) return;
    this.#panel.show({
      episode: this.#episode, review: this.#review, draft: this.#desk.draft(this.#episode.id), marks: this.#player.marks,
      unsent: this.#outbox.entriesOf(this.#episode.id).length, mayLabel: this.#desk.mayLabel,
    });
  }

  #showPlace() {
    const at = this.#episode ? this.#queue.indexOf(this.#episode.id) : -1;
    setText(this.#parts.place, `${at < 0 ? "–" : at + 1} of ${this.#queue.total.toLocaleString("en-US")}`);
  }

  #frame() {
    if (!this.#element.isConnected) {
      this.#close();
      return;
    }
    this.#player.draw();
    if (this.#episode && !this.#finished) this.#address.setFrame(this.#player.frame);
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

function pick(values, names) {
  return Object.fromEntries(names.filter((name) => name in values).map((name) => [name, values[name]]));
}

export function mount(element) {
  mountHeader(element);
  return new ReviewPage(element);
}
