// Findings of a health check: the worst first, each with what it means and what to do.

import { h } from "../training/dom.js";
import { counted, when } from "../training/words.js";

const SEVERITIES = {
  broken: { shape: "✗", word: "broken" },
  warning: { shape: "▲", word: "look at this" },
  note: { shape: "●", word: "good to know" },
};

export function healthChip(job) {
  if (job === null) return h("span", { class: "da-health", data: { health: "unknown" } }, "○ not checked");
  const { broken, warning } = job.result.counts;
  if (broken) return h("span", { class: "da-health", data: { health: "broken" } }, `✗ ${broken} broken`);
  if (warning) return h("span", { class: "da-health", data: { health: "warning" } }, `▲ ${warning} to look at`);
  return h("span", { class: "da-health", data: { health: "good" } }, "✓ healthy");
}

// `job`: a health job that is done.
export function findingsList(job) {
  const { findings, episodes, frames } = job.result;
  const looked = `${counted(episodes, "episode")}, ${counted(frames, "frame")}, checked ${when(job.ended_s)}`;
  if (!findings.length) return h("div", {}, h("p", { class: "da-good" }, "✓ Nothing to complain of."), h("p", { class: "dk-quiet" }, looked));
  return h("div", {},
    h("p", { class: "dk-quiet" }, looked),
    h("ul", { class: "da-findings", "aria-label": "Findings" }, findings.map((finding) => {
      const { shape, word } = SEVERITIES[finding.severity];
      return h("li", { data: { severity: finding.severity } },
        h("span", { class: "da-severity" }, `${shape} ${word}`),
        h("div", {},
          h("b", {}, finding.title), h("p", {}, finding.detail), h("p", { class: "da-remedy" }, "→ ", finding.remedy)));
    })));
}
