// The one path of everything a reviewer says, by key or button, and what came of it.
//
// A chosen outcome is a draft until Enter; everything else is said at once. What is said goes through
// the outbox, with the revision the reviewer looked at.

import { chooseVersion } from "./dialogs.js";
import { inForceWords, saidWords } from "./said.js";

const DRAFTS = "handrail-drafts";

export class LabelDesk {
  #outbox;
  #page;
  #storage;
  #drafts;
  #revisions = new Map();
  // What this person did with an episode since the page was opened.
  #done = new Map();
  mayLabel = true;
  tally = { success: 0, failure: 0, none: 0, other: 0, skipped: 0, undone: 0 };

  // `page` has refuse(message, hint), heard(episodeId, answer, entry), failed(refusal) and goTo(id).
  constructor({ outbox, page, storage = sessionStorage }) {
    this.#outbox = outbox;
    this.#page = page;
    this.#storage = storage;
    this.#drafts = new Map(JSON.parse(storage.getItem(DRAFTS) ?? "[]"));
  }

  // The revision of an episode that is on the screen now.
  seen(id, revision) {
    if (this.#outbox.entriesOf(id).length === 0) this.#revisions.set(id, revision);
  }

  draft(id) {
    return this.#drafts.get(id) ?? null;
  }

  // What holds already needs no draft.
  choose(episode, outcome) {
    if (!this.may()) return;
    if (outcome === episode.outcome) this.#drafts.delete(episode.id);
    else this.#drafts.set(episode.id, outcome);
    this.#keepDrafts();
  }

  forgetDraft(id) {
    this.#drafts.delete(id);
    this.#keepDrafts();
  }

  // A reload keeps what was chosen and not saved yet.
  #keepDrafts() {
    this.#storage.setItem(DRAFTS, JSON.stringify([...this.#drafts]));
  }

  // Say the drafted outcome, unless it is what holds already.
  saveDraft(episode) {
    const outcome = this.draft(episode.id);
    if (outcome === null) return;
    this.forgetDraft(episode.id);
    if (outcome !== episode.outcome && this.say(episode.id, "outcome", { outcome })) this.#done.set(episode.id, "done");
  }

  skip(episode) {
    this.forgetDraft(episode.id);
    this.tally.skipped += 1;
    if (!this.#done.has(episode.id)) this.#done.set(episode.id, "skipped");
  }

  // "unsent", "draft", "done", "skipped" or "": what a row of the queue says.
  stateOf(id) {
    if (this.#outbox.waits && this.#outbox.entriesOf(id).length) return "unsent";
    return this.draft(id) !== null ? "draft" : this.#done.get(id) ?? "";
  }

  // `steps`: {start_step, end_step} of a range, or {target_id} of what is erased.
  say(id, kind, said, steps = {}) {
    if (!this.may()) return false;
    const body = { kind, new: said, expected_revision: this.#revisions.get(id) ?? 0, ...steps };
    this.#outbox.put({ episode_id: id, path: `/api/episodes/${id}/labels`, body, words: saidWords(body) });
    const counts = kind === "outcome" ? said.outcome : "other";
    this.tally[counts] += 1;
    return true;
  }

  revert(id, revision) {
    if (!this.may()) return;
    this.#outbox.put({ episode_id: id, path: `/api/episodes/${id}/labels/revert`, body: { revision }, words: `back to event ${revision}` });
    this.tally.other += 1;
  }

  // What this person said last, in whichever episode.
  undo(which) {
    if (!this.may()) return;
    this.#outbox.put({ episode_id: null, path: `/api/labels/${which}`, body: {}, words: which });
    this.tally.undone += which === "undo" ? 1 : -1;
  }

  // --- what the outbox tells

  answered(entry, answer) {
    if (entry.episode_id === null) this.#done.delete(answer.episode_id);
    this.#revisions.set(answer.episode_id, answer.revision);
    this.#page.heard(answer.episode_id, answer, entry);
  }

  async refused(entry, refusal) {
    if (refusal.code !== "conflict" || !refusal.details) {
      this.#notSaid(entry);
      this.#page.failed(refusal, entry);
      return;
    }
    const { present, newest, expected } = refusal.details;
    this.#revisions.set(entry.episode_id, present.revision);
    const choice = await chooseVersion({
      episode: entry.episode_id,
      mine: entry.words,
      seen: `you saw: ${inForceWords(expected)}`,
      present: inForceWords(present),
      newest,
    });
    if (choice === "mine") {
      this.#outbox.put({ ...entry, body: { ...entry.body, expected_revision: present.revision } });
    } else this.#notSaid(entry);
    this.#page.heard(entry.episode_id, present, null);
  }

  #notSaid({ episode_id: id, body, words }) {
    this.#done.delete(id);
    if (id === null) this.tally.undone -= words === "undo" ? 1 : -1;
    else this.tally[body.kind === "outcome" ? body.new.outcome : "other"] -= 1;
  }

  // Says why not, if this person may not.
  may() {
    if (!this.mayLabel) this.#page.refuse("You may look, not label.", "Labels take the role labeler: enter with its token at /enter.");
    return this.mayLabel;
  }
}
