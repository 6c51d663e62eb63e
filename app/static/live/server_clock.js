// The server's clock as this page can know it, for the age of pictures and of key presses.
//
// A round trip bounds the error by half its length; one-way messages can only be late, so the
// earliest of them is the best. Key presses are dated by round trips only: a wrong date there
// would make the server drop them.

const FORGET_MS = 30000;

export class ServerClock {
  #roundTrip = null;
  #oneWay = null;

  // A message that carries the server's time arrived just now.
  arrived(server_ms, now_ms = Date.now()) {
    const offset_ms = server_ms - now_ms;
    const old = this.#oneWay;
    if (old === null || offset_ms > old.offset_ms || now_ms - old.at_ms > FORGET_MS) {
      this.#oneWay = { offset_ms, at_ms: now_ms };
    }
  }

  // The answer to a message sent at `sent_ms` arrived just now.
  answered(server_ms, sent_ms, now_ms = Date.now()) {
    const length_ms = now_ms - sent_ms;
    const old = this.#roundTrip;
    if (old === null || length_ms <= old.length_ms || now_ms - old.at_ms > FORGET_MS) {
      const offset_ms = server_ms - (sent_ms + now_ms) / 2;
      this.#roundTrip = { offset_ms, length_ms, at_ms: now_ms };
    }
  }

  // Another server may answer after a lost link.
  forget() {
    this.#roundTrip = null;
    this.#oneWay = null;
  }

  // Server time in ms since the epoch, null before the first message.
  now() {
    const best = this.#roundTrip ?? this.#oneWay;
    return best === null ? null : Date.now() + best.offset_ms;
  }

  // Server time good enough to date a key press, null before the first round trip.
  certain() {
    return this.#roundTrip === null ? null : Date.now() + this.#roundTrip.offset_ms;
  }
}
