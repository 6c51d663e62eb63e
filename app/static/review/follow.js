// What others do meanwhile: the newest label events of all episodes, and how many episodes there are.
// Asked for once a second.

import { get } from "../training/api.js";

const EVERY_MS = 1000;
const MOST = 200;

export class Follow {
  // Who looks at this page, once it is known.
  myName = "";
  #heard;
  #grown;
  #lost;
  #after = null;
  #count = null;
  #timer = null;
  #closed = false;

  // `heard(events)` gets those that are new, oldest first; `grown(by)` is told of new episodes;
  // `lost(is)` whether the server is away.
  constructor({ heard, grown, lost }) {
    this.#heard = heard;
    this.#grown = grown;
    this.#lost = lost;
  }

  // Begins with what is newest now.
  begin() {
    this.#look();
  }

  close() {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  async #look() {
    try {
      const first = this.#after === null;
      const page = await get("/api/labels/events", first ? { limit: 1 } : { after: this.#after, limit: MOST });
      this.#after = first ? page.newest : page.items.at(-1)?.id ?? Math.max(this.#after, page.newest);
      if (!first && page.items.length) this.#heard(page.items);
      if (page.num_episodes > this.#count && this.#count !== null) this.#grown(page.num_episodes - this.#count);
      this.#count = page.num_episodes;
      this.#lost(false);
    } catch {
      this.#lost(true);
    }
    if (!this.#closed) this.#timer = setTimeout(() => this.#look(), EVERY_MS);
  }
}
