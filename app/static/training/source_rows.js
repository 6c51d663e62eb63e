// The sources of a new run: recorded episodes under a filter, datasets on the disk, folders, Hub ids.

import { button, h, select } from "./dom.js";

const OUTCOMES = [["", "any outcome"], ["success", "✓ success"], ["failure", "✗ failure"], ["none", "– no grade"]];
const AFAR = "path";

function counts(outcomes) {
  return `${outcomes.success ?? 0} ✓  ${outcomes.failure ?? 0} ✗  ${outcomes.none ?? 0} –`;
}

export class SourceRows {
  #changed;
  #known = [];
  // {kind: "store" | repo_id | "path", outcome, q, checkpoint_id, ids, path, share}
  #rows = [{ kind: "store", outcome: "", q: "", share: "" }];
  #list = h("div", { class: "dk-sources" });

  constructor({ changed }) {
    this.#changed = changed;
    this.element = h("div", {}, this.#list,
      button("Add a source", () => { this.#rows.push({ kind: AFAR, path: "", share: "" }); this.#render(); }));
    this.#render();
  }

  // What the server can name.
  know(sources) {
    this.#known = sources;
    this.#render();
  }

  // From the params of a job.
  fill(params) {
    const listed = params.sources ?? (params.additional_dataset_paths?.length ? [] : [{ kind: "store" }]);
    const paths = (params.additional_dataset_paths ?? []).map((path) => ({ kind: "dataset", path }));
    this.#rows = [...listed, ...paths].map((source) => {
      const share = source.share === undefined || source.share === null ? "" : String(Math.round(source.share * 1000) / 10);
      if (source.kind === "dataset") {
        const isKnown = this.#known.some((known) => known.repo_id === source.repo_id);
        return isKnown ? { kind: source.repo_id, share } : { kind: AFAR, path: source.path ?? source.repo_id, share };
      }
      const episodes = source.episodes ?? "all";
      if (Array.isArray(episodes)) return { kind: "store", outcome: "", q: "", ids: episodes, share };
      return { kind: "store", outcome: "", q: "", ...(episodes === "all" ? {} : episodes), share };
    });
    this.#render();
  }

  // As a training takes them.
  get sources() {
    return this.#rows.filter((row) => row.kind !== AFAR || row.path.trim()).map((row) => {
      const share = row.share === "" ? {} : { share: Number(row.share) / 100 };
      if (row.kind === "store") return { kind: "store", episodes: episodesOf(row), ...share };
      if (row.kind !== AFAR) return { kind: "dataset", repo_id: row.kind, ...share };
      const path = row.path.trim();
      return { kind: "dataset", ...(/^[~./]/.test(path) ? { path } : { repo_id: path }), ...share };
    });
  }

  #render() {
    this.#list.replaceChildren(...this.#rows.map((row, index) => this.#row(row, index)));
  }

  #edit(row, name) {
    return (event) => {
      row[name] = event.target.value;
      this.#changed();
    };
  }

  #row(row, index) {
    const kinds = [
      ...this.#known.map((source) => (source.kind === "store"
        ? ["store", `recorded episodes  (${counts(source.outcomes)})`]
        : [source.repo_id, `${source.repo_id}  (${source.problem ? "cannot be read" : counts(source.outcomes)})`])),
      [AFAR, "a folder, or a dataset on the Hub"],
    ];
    const chooses = select(kinds, row.kind, (kind) => {
      this.#rows[index] = { kind, outcome: "", q: "", path: "", share: row.share };
      this.#render();
      this.#changed();
    });
    chooses.setAttribute("aria-label", `source ${index + 1}`);
    return h("div", { class: "dk-source" }, chooses, this.#details(row),
      h("span", { class: "dk-share" },
        h("input", { type: "number", min: "0.1", max: "100", step: "any", placeholder: "rest", value: row.share,
          "aria-label": "share of the samples in per cent", on: { input: this.#edit(row, "share") } }), " % of the samples"),
      this.#rows.length > 1 && button("Remove", () => {
        this.#rows.splice(index, 1);
        this.#render();
        this.#changed();
      }));
  }

  #details(row) {
    if (row.ids) return h("span", { class: "dk-quiet" }, `${row.ids.length} chosen episodes`);
    if (row.kind === "store") {
      const outcome = select(OUTCOMES, row.outcome, (value) => { row.outcome = value; this.#changed(); });
      outcome.setAttribute("aria-label", "outcome");
      return h("span", { class: "dk-source-filter" }, outcome,
        h("input", { type: "search", placeholder: "task, robot, operator or id", value: row.q, on: { input: this.#edit(row, "q") } }),
        row.checkpoint_id && h("span", { class: "dk-quiet" }, `driven by ${row.checkpoint_id}`));
    }
    if (row.kind !== AFAR) return h("span");
    return h("span", { class: "dk-source-filter" },
      h("input", { type: "text", placeholder: "/data/demos or owner/name", value: row.path, on: { input: this.#edit(row, "path") } }));
  }
}

function episodesOf(row) {
  if (row.ids) return row.ids;
  const filter = Object.fromEntries(["outcome", "q", "checkpoint_id", "session_id"]
    .filter((name) => row[name]).map((name) => [name, row[name]]));
  return Object.keys(filter).length ? filter : "all";
}
