// Asks the server what orders would do whenever they change. One question at a time: a dry run of a large
// store takes its while, and only the newest matters.

export const TYPED_MS = 250;

export class Preview {
  #ask;
  #show;
  #asking = false;
  #again = false;
  #timer = null;

  // `ask()` gives a promise of the answer; `show(answer, problem)` tells it.
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
    this.#again = true;
    if (this.#asking) return;
    this.#asking = true;
    while (this.#again) {
      this.#again = false;
      let answer = null;
      let problem = "";
      try {
        answer = await this.#ask();
      } catch (refusal) {
        problem = refusal.message;
      }
      if (!this.#again) this.#show(answer, problem);
    }
    this.#asking = false;
  }
}
