// The queue as it was when it was sorted: rows keep their place while they are labelled.
//
// Pages of it are asked for as they are needed; `begin` asks anew. Facts of a row are brought up to
// date in place, so what a reviewer did stays under their eyes until they sort again.

const FIRST_PAGE = 60;
const LATER_PAGE = 1000;
// How far an episode named by a link is looked for before it is shown without a place.
const LOOKED_THROUGH = 2000;

export class Queue {
  #list;
  #changed;
  #items = [];
  #places = new Map();
  #wanted = {};
  #cursor = null;
  #total = 0;
  #turn = 0;
  #reading = null;

  // `list(params)` answers {items, total, next_cursor}; `changed()` is called when there is more to show.
  constructor({ list, changed }) {
    this.#list = list;
    this.#changed = changed;
  }

  get total() {
    return this.#total;
  }

  get loaded() {
    return this.#items.length;
  }

  // Ask anew. Answers false when another question came in between.
  async begin(wanted) {
    const turn = ++this.#turn;
    const page = await this.#list({ ...wanted, limit: FIRST_PAGE });
    if (turn !== this.#turn) return false;
    this.#wanted = wanted;
    this.#items = [];
    this.#places = new Map();
    this.#reading = null;
    this.#take(page);
    return true;
  }

  // Read on until row `index` is there, or the queue ends.
  async reach(index) {
    while (this.#items.length <= index && this.#cursor !== null) await this.#more();
  }

  // Read on until the episode is found; not without end.
  async find(id) {
    while (!this.#places.has(id) && this.#cursor !== null && this.#items.length < LOOKED_THROUGH) await this.#more();
    return this.indexOf(id);
  }

  at(index) {
    return this.#items[index];
  }

  get(id) {
    return this.#items[this.indexOf(id)];
  }

  // -1 when it is not in the queue, or not read yet.
  indexOf(id) {
    return this.#places.get(id) ?? -1;
  }

  // New facts of an episode that may be in the queue.
  update(id, facts) {
    const item = this.get(id);
    if (item) Object.assign(item, facts);
  }

  async #more() {
    const turn = this.#turn;
    this.#reading ??= this.#list({ ...this.#wanted, limit: LATER_PAGE, cursor: this.#cursor });
    const reading = this.#reading;
    try {
      const page = await reading;
      // Somebody else may have waited for the same page, or the queue begun anew.
      if (turn === this.#turn && this.#reading === reading) this.#take(page);
    } finally {
      if (this.#reading === reading) this.#reading = null;
    }
  }

  #take(page) {
    for (const item of page.items) {
      if (this.#places.has(item.id)) continue;
      this.#places.set(item.id, this.#items.length);
      this.#items.push(item);
    }
    this.#cursor = page.next_cursor;
    // Rows that left the filter since it was sorted stay in the list.
    this.#total = page.next_cursor === null ? this.#items.length : Math.max(page.total, this.#items.length);
    this.#changed();
  }
}
