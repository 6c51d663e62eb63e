// What others say meanwhile: the newest label events of all episodes, asked for once a second.

import { get } from "../training/api.js";

const EVERY_MS = 1000;
const MOST = 200;

export class Follow {
  // Who looks at this page, once it is known.
  myName = "";
  #heard;
  #lost;
  #after = null;
  #timer = null;
  #closed = false;

  // `heard(events)` gets those that are new, oldest first; `lost(is)` whether the server is away.
  constructor({ heard, lost }) {
    this.#heard = heard;
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
      this.#lost(false);
    } catch {
      this.#lost(true);
    }
    if (!this.#closed) this.#timer = setTimeout(() => this.#look(), EVERY_MS);
  }
}
