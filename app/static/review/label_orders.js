// Labels that need more than a key: a step, a range, a text, or a look at what a bulk would do.

import { counted } from "../training/words.js";
import { openBulk } from "./bulk.js";
import { askText } from "./dialogs.js";
import { recentTexts, rememberText } from "./recent.js";

const FIRST_SUBTASK = 4;

export class LabelOrders {
  #desk;
  #page;

  // `page` has episode(), labels(), player, filter(), tell(…), undo() and changedAll().
  constructor({ desk, page }) {
    this.#desk = desk;
    this.#page = page;
  }

  act(act) {
    if (!this.#desk.may()) return;
    const { id } = this.#page.episode();
    const acts = {
      terminal: () => this.#terminal(id), exclude: () => this.#exclude(id), note: () => this.#note(id), "range-kind": () => this.#range(id, act),
    };
    acts[act.name]?.();
  }

  // On the step that says so already it is taken back.
  #terminal(id) {
    const step = this.#page.player.frame;
    const present = this.#page.labels()?.terminal_step ?? null;
    this.#desk.say(id, "terminal", { step: present === step ? null : step });
  }

  async #exclude(id) {
    if (this.#page.labels()?.excluded) {
      this.#desk.say(id, "exclude", { excluded: false });
      return;
    }
    const reason = await askText({
      title: "Why is it left out of training?", about: "Nothing is deleted; X again takes it back.", yes: "Leave out", suggestions: recentTexts("reason"),
    });
    if (reason === null) return;
    rememberText("reason", reason);
    this.#desk.say(id, "exclude", { excluded: true, reason });
  }

  async #note(id) {
    const note = await askText({ title: "Note", about: "For people: it changes nothing that is learnt.", value: this.#page.labels()?.note ?? "" });
    if (note !== null) this.#desk.say(id, "note", { note });
  }

  async #range(id, { kind, number }) {
    const { range } = this.#page.player;
    if (range === null) {
      this.#page.tell("info", "Mark a range first.", "[ begins it at this frame, ] ends it.");
      return;
    }
    let said = {};
    if (kind === "subtask") {
      const known = recentTexts(`subtask ${number}`);
      const text = await askText({
        title: `Subtask ${number - FIRST_SUBTASK + 1}`, about: "What is done in this range, in words.", value: known[0] ?? "", suggestions: known,
      });
      if (!text) return;
      rememberText(`subtask ${number}`, text);
      said = { text };
    }
    this.#desk.say(id, kind, said, range);
    this.#page.player.mark({ start: null, end: null });
  }

  bulk() {
    if (!this.#desk.may()) return;
    const { order: _order, scored_by: _scoredBy, ...filter } = this.#page.filter();
    openBulk({
      filter,
      tell: (...words) => this.#page.tell(...words),
      done: (answer) => {
        this.#page.tell("info", `${counted(answer.would_change, "episode")} changed.`, "", [{ label: "Undo all", does: () => this.#page.undo() }]);
        this.#page.changedAll();
      },
    });
  }
}
