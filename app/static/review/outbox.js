// Labels on their way to the server: sent in the order they were given, kept until they are answered.
//
// Each entry has an id of its own and is kept in the browser's storage until then, so that neither a
// lost server nor a reload loses it; sent twice it counts once. A refusal takes it out and is told.

import { post } from "../training/api.js";

const KEPT_AS = "handrail-unsent:";
const RETRY_MS = [500, 1000, 2000, 5000];

export class Outbox {
  #send;
  #storage;
  #tell;
  #entries = [];
  #busy = false;
  #failures = 0;
  #timer = null;
  #closed = false;

  // `tell` has changed(), answered(entry, answer) and refused(entry, refusal). `send(path, body)` may
  // be exchanged, for tests.
  constructor({ tell, storage = localStorage, send = post }) {
    this.#tell = tell;
    this.#storage = storage;
    this.#send = send;
    this.#entries = kept(storage);
    // What a page before this one could not send.
    this.#failures = this.#entries.length ? 1 : 0;
  }

  // Send what was left over from before.
  begin() {
    this.#work();
  }

  get unsent() {
    return this.#entries.length;
  }

  // Whether the server did not answer last time.
  get waits() {
    return this.#failures > 0;
  }

  entriesOf(episodeId) {
    return this.#entries.filter((entry) => entry.episode_id === episodeId);
  }

  // `entry`: {episode_id, path, body, words}. `body` gets the id under which it counts once.
  put(entry) {
    const eventId = newEventId();
    const full = { ...entry, body: { ...entry.body, event_id: eventId }, id: eventId, made_ms: Date.now() };
    this.#entries.push(full);
    this.#storage.setItem(KEPT_AS + full.id, JSON.stringify(full));
    this.#tell.changed();
    this.#work();
    return full;
  }

  // Labels of an episode that wait behind one that was answered were made on what it made.
  #rebase(answer) {
    for (const entry of this.entriesOf(answer.episode_id)) {
      if (entry.body.expected_revision === undefined) continue;
      entry.body.expected_revision = answer.revision;
      this.#storage.setItem(KEPT_AS + entry.id, JSON.stringify(entry));
    }
  }

  async #work() {
    clearTimeout(this.#timer);
    if (this.#busy) return;
    this.#busy = true;
    while (this.#entries.length && !this.#closed) {
      const entry = this.#entries[0];
      let answer;
      try {
        answer = await this.#send(entry.path, entry.body);
      } catch (refusal) {
        if (isPassing(refusal)) {
          this.#later();
          break;
        }
        this.#failures = 0;
        this.#entries.shift();
        // Kept until whoever gave it has decided what becomes of it.
        Promise.resolve(this.#tell.refused(entry, refusal)).then(() => this.#storage.removeItem(KEPT_AS + entry.id));
        continue;
      }
      this.#done(entry);
      if (answer.episode_id === entry.episode_id) this.#rebase(answer);
      this.#tell.answered(entry, answer);
    }
    this.#busy = false;
    this.#tell.changed();
  }

  #done(entry) {
    this.#failures = 0;
    this.#entries.shift();
    this.#storage.removeItem(KEPT_AS + entry.id);
  }

  #later() {
    const wait = RETRY_MS[Math.min(this.#failures, RETRY_MS.length - 1)];
    this.#failures += 1;
    if (!this.#closed) this.#timer = setTimeout(() => this.#work(), wait);
  }

  close() {
    this.#closed = true;
    clearTimeout(this.#timer);
  }
}

// The server is away or in trouble, or wants to be entered again; anything else is its answer.
function isPassing({ status = 0 }) {
  return status === 0 || status === 401 || status === 429 || status >= 500;
}

function kept(storage) {
  const entries = [];
  for (let at = 0; at < storage.length; at += 1) {
    const key = storage.key(at);
    if (key.startsWith(KEPT_AS)) entries.push(JSON.parse(storage.getItem(key)));
  }
  return entries.sort((a, b) => a.made_ms - b.made_ms);
}

// Where the page comes over plain http from another machine there is no randomUUID.
export function newEventId() {
  if (crypto.randomUUID) return crypto.randomUUID();
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
