// Recorded and imported episodes as a table, and takes that were cut short and wait for a decision.

import { get, post } from "../training/api.js";
import { button, field, h, select } from "../training/dom.js";
import { counted, OUTCOMES, percent, size, when } from "../training/words.js";
import { gate } from "./roles.js";

const PAGE = 50;
const TYPED_MS = 250;
const ORDERS = [["newest", "newest first"], ["oldest", "oldest first"], ["longest", "longest first"], ["shortest", "shortest first"], ["human_share", "most human share first"]];
const UPLOADS_EVERY_MS = 2000;
const STATES = { recording: "● recording", uploading: "↑ uploading", unfinished: "■ unfinished", recovered: "recovered", discarded: "discarded" };

export class EpisodesView {
  #page;
  #asked = 0;
  #typed = null;
  #limit = PAGE;
  #takes = h("section", { class: "dk-panel da-takes", hidden: true });
  #search = h("input", { type: "search", placeholder: "task, robot, operator, dataset or id", on: { input: () => this.#later() } });
  #outcome = select([["", "any"], ...Object.entries(OUTCOMES)], "", () => this.#anew());
  #order = select(ORDERS, "newest", () => this.#anew());
  #rows = h("tbody");
  #table;
  #note = h("span", { class: "dk-quiet" });
  #more = button("Show more", () => { this.#limit += PAGE; this.#list(); });
  #shown = "";
  #following = null;

  constructor(page) {
    this.#page = page;
    const heads = ["outcome", "task", "length", "steps", "human", "policy", "when", "episode"];
    this.#table = h("div", { class: "dk-scroll" }, h("table", { class: "dk-table da-episodes" }, h("thead", {}, h("tr", {}, heads.map((head) => h("th", {}, head)))), this.#rows));
    const exports = button("Export these", () => page.open({ view: "export", outcome: this.#outcome.value, q: this.#search.value.trim() }));
    this.element = h("div", { class: "dk-view" }, this.#takes,
      h("section", { class: "dk-panel" },
        h("div", { class: "dk-panel-head" }, h("h2", {}, "Episodes"), exports, button("Refresh", () => this.refresh())),
        h("div", { class: "da-row da-filters" }, field("search", this.#search), field("outcome", this.#outcome), field("order", this.#order)),
        this.#table, h("div", { class: "da-row" }, this.#note, this.#more)));
  }

  shown() {
    this.refresh();
  }

  // How much is here of what another computer recorded; asked again until all of it is.
  async #followUploads(episodes) {
    const coming = episodes.filter((episode) => episode.state === "uploading");
    if (coming.length === 0) return;
    try {
      const { uploads } = await get("/api/session");
      const shares = new Map(uploads.map((upload) => [upload.episode_id, upload.share]));
      for (const episode of coming) episode.share = shares.get(episode.id) ?? 0;
    } catch {
      // Their state is known without.
    }
    clearTimeout(this.#following);
    this.#following = setTimeout(() => this.element.isConnected && this.#list(), UPLOADS_EVERY_MS);
  }

  refresh() {
    this.#list();
    this.#lookForTakes();
  }

  #later() {
    clearTimeout(this.#typed);
    this.#typed = setTimeout(() => this.#anew(), TYPED_MS);
  }

  #anew() {
    this.#limit = PAGE;
    this.#list();
  }

  async #list() {
    const asked = ++this.#asked;
    const wanted = { q: this.#search.value.trim(), outcome: this.#outcome.value };
    let page;
    try {
      page = await get("/api/episodes", { ...wanted, order: this.#order.value, limit: this.#limit });
    } catch (refusal) {
      this.#page.lost(refusal);
      return;
    }
    await this.#followUploads(page.items);
    if (asked !== this.#asked) return;
    const words = JSON.stringify(page.items);
    if (words !== this.#shown) {
      this.#shown = words;
      this.#rows.replaceChildren(...page.items.map(row));
    }
    const some = page.items.length > 0;
    this.#table.hidden = !some;
    this.#more.hidden = page.items.length >= page.total;
    const filtered = wanted.q || wanted.outcome;
    const none = filtered ? "No episode matches this filter." : "Nothing recorded yet. Open a session on the Live page and press 2, or import a LeRobot dataset.";
    this.#note.textContent = some ? `${page.items.length} of ${counted(page.total, "episode")}` : none;
  }

  async #lookForTakes() {
    let takes;
    try {
      takes = (await get("/api/episodes/unfinished")).items;
    } catch (refusal) {
      this.#page.lost(refusal);
      return;
    }
    this.#takes.hidden = takes.length === 0;
    this.#takes.replaceChildren(
      h("h2", {}, counted(takes.length, "unfinished take")),
      h("p", { class: "dk-quiet" }, "The recorder was killed in the midst of an attempt. Recovering keeps every whole step, without a grade; discarding moves the folder aside. Nothing is deleted."),
      h("ul", { class: "da-take-list" }, takes.map((take) => this.#take(take))));
  }

  #take(take) {
    const { role } = this.#page;
    const recover = button("Recover: keep its whole steps", () => this.#settle(take, "recover"), { kind: "primary" });
    const discard = button("Discard: move it aside", () => this.#settle(take, "discard"));
    gate(recover, role, "operator", take.num_steps ? "" : "It holds no whole step.");
    gate(discard, role, "operator");
    const what = take.num_steps ? `${(take.num_steps / take.fps).toFixed(1)} s · ${take.num_steps} steps` : "nothing to recover";
    return h("li", {}, h("span", {}, h("b", {}, take.task || "no header"), h("span", { class: "dk-quiet" }, ` ${when(take.started_s)} · ${what} · ${size(take.size_bytes)}`)),
      h("span", { class: "dk-actions" }, recover, discard));
  }

  async #settle(take, verb) {
    await this.#page.doing(() => post(`/api/episodes/${take.id}/${verb}`));
    this.refresh();
  }
}

function row(episode) {
  const judged = !["recording", "uploading", "unfinished"].includes(episode.state);
  const share = episode.share === undefined ? "" : ` ${percent(episode.share)}`;
  const words = [judged && OUTCOMES[episode.outcome], STATES[episode.state] && `${STATES[episode.state]}${share}`].filter(Boolean).join(" · ");
  const human = episode.num_steps ? episode.num_human_steps / episode.num_steps : null;
  return h("tr", {},
    h("td", { class: "da-outcome", data: { outcome: judged ? episode.outcome : "none" } }, words), h("td", {}, episode.task),
    h("td", {}, `${(episode.num_steps / episode.fps).toFixed(1)} s`), h("td", {}, episode.num_steps.toLocaleString("en-US")), h("td", {}, percent(human)),
    h("td", {}, episode.checkpoint_id ?? episode.policy), h("td", {}, when(episode.started_s)),
    h("td", {}, h("a", { href: `/review?episode=${episode.id}`, title: "Open it on the Review page" }, h("code", {}, episode.id.slice(0, 8)))));
}
