// Asks the server what orders would do whenever they change; the newest question alone is answered.

export const TYPED_MS = 250;

export class Preview {
  #ask;
  #show;
  #asked = 0;
  #timer = null;

  // `ask()` gives a promise or null for nothing to ask; `show(answer, problem)` tells.
  constructor({ ask, show }) {
    this.#ask = ask;
    this.#show = show;
  }

  // After a letter was typed: a moment later.
  later() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.now(), TYPED_MS);
  }

  async now() {
    clearTimeout(this.#timer);
    const asked = ++this.#asked;
    let answer = null;
    let problem = "";
    try {
      answer = await this.#ask();
    } catch (refusal) {
      problem = refusal.message;
    }
    if (asked === this.#asked) this.#show(answer, problem);
  }
}
