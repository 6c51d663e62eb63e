// Where a dataset came from and what came of it, as a row of boxes with arrows.

import { h } from "../training/dom.js";
import { counted, runName, when } from "../training/words.js";

const FEW = 3;

export function lineage(dataset, manifest) {
  const came = [];
  if (manifest.episode_ids) {
    came.push(box("made from", counted(manifest.episode_ids.length, "recorded episode"),
      `labels up to event ${manifest.label_revision}`));
  }
  const { origin } = dataset;
  if (origin !== null) came.push(box(origin.kind === "import" ? "downloaded by" : "exported by", origin.author, when(origin.ended_s ?? origin.created_s)));
  else if (!came.length) came.push(box("came from", "elsewhere", `on this disk since ${when(dataset.changed_s)}`));
  const became = [
    ...some(dataset.imports, (job) => box("imported into the store", counted(job.result.episodes, "episode"), `${job.author}, ${when(job.ended_s)}`)),
    ...some(dataset.trainings, (job) => box("learned from", h("a", { href: `/training?run=${job.id}` }, runName(job)), when(job.created_s))),
    ...some(dataset.pushes, (job) => box("pushed to the Hub", job.result.to, `${job.result.private ? "private" : "public"}, ${when(job.ended_s)}`)),
  ];
  return h("ol", { class: "dk-lineage", "aria-label": "Lineage" },
    h("li", {}, came), h("li", { class: "da-here" }, box("dataset", dataset.repo_id, counted(dataset.episodes, "episode"))),
    became.length > 0 && h("li", {}, became));
}

function box(title, words, more) {
  return h("div", { class: "dk-stack da-box" }, h("small", {}, title), h("b", {}, words), h("span", { class: "dk-quiet" }, more));
}

function some(jobs, draw) {
  const drawn = jobs.slice(0, FEW).map(draw);
  if (jobs.length > FEW) drawn.push(h("span", { class: "dk-quiet" }, `and ${jobs.length - FEW} more`));
  return drawn;
}
