// What a job printed: its end, followed while it grows, with a search that keeps only lines that match.

import { h } from "./dom.js";

// Of a long log only the end is fetched, unless somebody asks for all.
const TAIL_BYTES = 64 * 1024;

export class LogView {
  #jobId = "";
  #text = "";
  // Bytes of the log that are here, counted from its beginning.
  #end = 0;
  #isTail = false;
  #decoder = new TextDecoder();
  #busy = false;
  #search = h("input", { type: "search", placeholder: "search the log", "aria-label": "search the log" });
  #found = h("span", { class: "dk-quiet" });
  #all = h("a", { target: "_blank" }, "whole log");
  #lines = h("pre", { class: "dk-log", tabindex: "0" });

  constructor() {
    this.element = h("section", { class: "dk-panel" },
      h("div", { class: "dk-panel-head" },
        h("span", { class: "dk-plot-title" }, "Log"), this.#search, this.#found, this.#all),
      this.#lines);
    this.#search.addEventListener("input", () => this.#render());
  }

  async update(jobId) {
    if (jobId !== this.#jobId) {
      this.#jobId = jobId;
      this.#text = "";
      this.#end = 0;
      this.#isTail = false;
      this.#decoder = new TextDecoder();
      this.#all.href = `/api/jobs/${jobId}/log`;
      this.#render();
    }
    if (this.#busy) return;
    this.#busy = true;
    try {
      await this.#fetch(jobId);
    } finally {
      this.#busy = false;
    }
  }

  async #fetch(jobId) {
    // One byte that is here already comes along: a range without any would be an error.
    const range = this.#end ? `bytes=${this.#end - 1}-` : `bytes=-${TAIL_BYTES}`;
    const reply = await fetch(`/api/jobs/${jobId}/log`, { headers: { range } });
    if (jobId !== this.#jobId) return;
    if (reply.status === 206) {
      const bytes = new Uint8Array(await reply.arrayBuffer());
      const [, first, last] = reply.headers.get("content-range").match(/bytes (\d+)-(\d+)/);
      this.#isTail ||= !this.#end && Number(first) > 0;
      const fresh = this.#end ? bytes.subarray(1) : bytes;
      this.#end = Number(last) + 1;
      // A letter of several bytes may come in two pieces.
      this.#text += this.#decoder.decode(fresh, { stream: true });
      if (fresh.length) this.#render();
    }
    // 200: it is empty still.
  }

  #render() {
    const wanted = this.#search.value.trim().toLowerCase();
    const lines = this.#text.replaceAll("\r", "\n").split("\n").filter((line) => line.trim());
    if (this.#isTail) lines.shift();
    const shown = wanted ? lines.filter((line) => line.toLowerCase().includes(wanted)) : lines;
    this.#found.textContent = wanted ? `${shown.length} of ${lines.length} lines` : "";
    const follows = this.#lines.scrollHeight - this.#lines.scrollTop - this.#lines.clientHeight < 40;
    this.#lines.replaceChildren(...shown.flatMap((line) => [marked(line, wanted), "\n"]));
    if (!shown.length) {
      this.#lines.textContent = wanted ? "No line matches." : "It has printed nothing yet.";
    }
    if (follows) this.#lines.scrollTop = this.#lines.scrollHeight;
  }
}

function marked(line, wanted) {
  const kind = /^(failed|error|traceback)/i.test(line) ? "wrong" : /^(warning|alarm)/i.test(line) ? "warned" : "";
  const at = wanted ? line.toLowerCase().indexOf(wanted) : -1;
  const parts = at < 0 ? [line]
    : [line.slice(0, at), h("mark", {}, line.slice(at, at + wanted.length)), line.slice(at + wanted.length)];
  return h("span", { data: { kind } }, parts);
}
