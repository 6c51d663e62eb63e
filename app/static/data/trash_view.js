// Datasets in the trash: nothing of them is deleted, each can be brought back.

import { get, post } from "../training/api.js";
import { button, h } from "../training/dom.js";
import { size, when } from "../training/words.js";
import { gate } from "./roles.js";

export class TrashView {
  #page;
  #list = h("ul", { class: "da-take-list" });

  constructor(page) {
    this.#page = page;
    this.element = h("section", { class: "dk-panel" }, h("h2", {}, "Trash"),
      h("p", { class: "dk-quiet" }, "Datasets that were moved here stay on this disk, under discarded/datasets in the data directory. To free the space, delete that folder by hand."), this.#list);
  }

  shown() {
    this.refresh();
  }

  async refresh() {
    try {
      const { items } = await get("/api/datasets/trash");
      this.#list.replaceChildren(...(items.length ? items.map((each) => this.#item(each)) : [h("li", { class: "dk-empty" }, "The trash is empty.")]));
    } catch (refusal) {
      this.#page.lost(refusal);
    }
  }

  #item(trashed) {
    const restore = button("Restore", () => this.#restore(trashed));
    gate(restore, this.#page.role, "operator");
    return h("li", {}, h("span", {}, h("b", {}, trashed.repo_id), h("span", { class: "dk-quiet" }, ` ${size(trashed.size_bytes)} · trashed ${when(trashed.trashed_s)}`)), restore);
  }

  async #restore(trashed) {
    const moved = await this.#page.doing(() => post(`/api/datasets/trash/${trashed.trash_id}/restore`));
    if (moved) this.#page.open({ dataset: moved.repo_id });
  }
}
