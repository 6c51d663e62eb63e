// What a label changes on this page: our own once it is answered, and those of others.

import { counted } from "../training/words.js";
import { flagsAfter } from "./said.js";

const ROW_FACTS = ["outcome", "excluded", "exclude_reason", "note", "terminal_step"];

export class News {
  #queue;
  #showing;
  #bundles;
  #page;

  // `page` has open(id), sortAnew(), changed(), offerRefresh() and tell(…).
  constructor({ queue, showing, bundles, page }) {
    this.#queue = queue;
    this.#showing = showing;
    this.#bundles = bundles;
    this.#page = page;
  }

  // One of our labels was answered: `answer` is what holds now. Without an entry nothing was sent.
  heard(id, answer, entry) {
    const facts = Object.fromEntries(ROW_FACTS.map((name) => [name, answer[name]]));
    const flags = flagsAfter(this.#queue.get(id)?.flags ?? [], answer);
    this.#queue.update(id, { ...facts, label_revision: answer.revision, flags });
    if (entry?.episode_id === null) this.#switched(id, answer, entry);
    else this.#fresh(id);
  }

  // Labels of other people, and of this person's other pages.
  others(events, myName) {
    const isNews = ({ id, episode_id: episodeId }) => (this.#queue.get(episodeId)?.label_revision ?? 0) < id;
    const news = events.filter(isNews);
    for (const event of news) {
      const id = event.episode_id;
      this.#queue.update(id, { outcome: event.outcome, label_revision: event.id });
      const isShown = this.#showing.shows(id);
      if (isShown && event.id <= (this.#showing.review?.labels.revision ?? 0)) continue;
      if (isShown && event.author !== myName) this.#page.tell("info", `${event.author} labelled this episode.`);
      this.#fresh(id);
    }
    if (news.length) this.#page.offerRefresh();
  }

  // Undo and redo go where the label was; those of a bulk stay with the queue.
  #switched(id, answer, entry) {
    const does = entry.words === "undo" ? "Undone" : "Redone";
    const count = answer.changed.length;
    this.#page.tell("info", `${does} in ${count > 1 ? counted(count, "episode") : `episode ${id.slice(0, 8)}`}.`);
    if (count > 1) {
      this.#bundles.allStale();
      this.#page.sortAnew();
      return;
    }
    this.#fresh(id);
    if (!this.#showing.shows(id)) this.#page.open(id);
  }

  #fresh(id) {
    this.#showing.refresh(id);
    this.#page.changed();
  }
}
