// One dataset: its facts, lineage, health, manifest, and what can be done with it.

import { get, post, startJob } from "../training/api.js";
import { button, confirmed, copyButton, h } from "../training/dom.js";
import { counted, OUTCOMES, size, when } from "../training/words.js";
import { findingsList, healthChip } from "./findings.js";
import { lineage } from "./lineage.js";
import { PushForm } from "./push_form.js";
import { gate } from "./roles.js";

const SKIPPED_SHOWN = 8;

export class DatasetView {
  #page;
  #repoId = "";
  #shown = "";
  #push;
  element = h("div", { class: "dk-view" });

  constructor(page) {
    this.#page = page;
    this.#push = new PushForm(page);
  }

  async show(repoId) {
    this.#repoId = repoId;
    let detail;
    try {
      detail = await get(`/api/datasets/${repoId}`);
    } catch (refusal) {
      if (repoId !== this.#repoId) return;
      this.#shown = "";
      this.element.replaceChildren(h("div", { class: "dk-panel" }, h("h2", {}, repoId), h("p", { class: "dk-wrong" }, refusal.message)));
      return;
    }
    const words = JSON.stringify([detail, this.#page.role]);
    if (repoId !== this.#repoId || words === this.#shown) return;
    this.#shown = words;
    const { dataset, manifest } = detail;
    this.#push.use(dataset);
    this.element.replaceChildren(...[this.#head(dataset), h("section", { class: "dk-panel" }, h("h2", {}, "Lineage"), lineage(dataset, manifest)),
      this.#health(dataset), manifest.episode_ids && this.#manifest(manifest), this.#push.element].filter(Boolean));
  }

  #head(dataset) {
    const { role } = this.#page;
    const code = `from lerobot.datasets import LeRobotDataset\n\ndataset = LeRobotDataset("${dataset.repo_id}", root="${dataset.path}")`;
    const imports = button("Import into the store", () => this.#page.open({ view: "import", from: dataset.repo_id }));
    const trash = button("Move to trash", () => this.#trash(dataset), { kind: "small danger" });
    gate(imports, role, "operator", dataset.problem);
    gate(trash, role, "operator");
    const facts = [
      ["episodes", counted(dataset.episodes, "episode")], ["frames", `${dataset.frames.toLocaleString("en-US")} at ${dataset.fps ?? "?"} Hz`],
      ["size", size(dataset.size_bytes)], ["robot", dataset.robot_type || "not said"], ["cameras", dataset.cameras.join(", ") || "none"],
      ["format", `LeRobot ${dataset.version || "?"}`], ["written", when(dataset.changed_s)],
    ];
    return h("section", { class: "dk-panel" },
      h("div", { class: "dk-panel-head" }, h("h2", {}, dataset.repo_id), imports, trash),
      dataset.problem && h("p", { class: "dk-wrong" }, dataset.problem),
      h("dl", { class: "dk-facts" }, facts.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value)))),
      h("p", { class: "dk-quiet da-folder" }, "Folder: ", h("code", {}, dataset.path)),
      h("div", { class: "da-code" }, h("pre", { class: "dk-command" }, code), copyButton(() => code)));
  }

  #health(dataset) {
    const check = button(dataset.health ? "Check again" : "Check its health", () => this.#check(dataset.repo_id), { kind: dataset.health ? "small" : "primary" });
    gate(check, this.#page.role, "labeler");
    return h("section", { class: "dk-panel", "aria-label": "Health" },
      h("div", { class: "dk-panel-head" }, h("h2", {}, "Health"), healthChip(dataset.health), check),
      dataset.health
        ? findingsList(dataset.health)
        : h("p", { class: "dk-empty" }, "Nobody has looked this dataset over. The check reads tables and videos, changes nothing, and says in plain words what would hurt a training."));
  }

  #manifest(manifest) {
    const outcomes = Object.entries(manifest.outcomes ?? {}).map(([outcome, n]) => `${n} ${OUTCOMES[outcome]}`).join(", ");
    const facts = [
      ["verified", manifest.verified ? "✓ read back with LeRobot and compared" : "no"], ["labels", `up to event ${manifest.label_revision}`],
      ["outcomes", outcomes], ["without a grade", String((manifest.unlabeled ?? []).length)], ["tasks", (manifest.tasks ?? []).join("; ")],
      ["rewards", manifest.reward_scheme ?? ""], ["left out", counted((manifest.skipped ?? []).length, "episode")],
    ];
    return h("section", { class: "dk-panel" }, h("h2", {}, "Manifest"),
      h("dl", { class: "dk-facts" }, facts.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value)))),
      skippedList(manifest.skipped ?? []),
      h("details", {}, h("summary", {}, "All of it"), h("pre", { class: "dk-command dk-config" }, JSON.stringify(manifest, null, 2))));
  }

  #check(repoId) {
    return this.#page.doing(() => startJob("health", { repo_id: repoId }));
  }

  async #trash(dataset) {
    const yes = await confirmed({
      title: `Move ${dataset.repo_id} to the trash?`, yes: "Move it", danger: true,
      lines: [`${counted(dataset.episodes, "episode")}, ${size(dataset.size_bytes)}. It stays on this disk and can be restored from Trash.`],
    });
    if (!yes) return;
    if (await this.#page.doing(() => post(`/api/datasets/${dataset.repo_id}/trash`))) this.#page.open({ view: "trash" });
  }
}

// Episodes that were left out, and why.
export function skippedList(skipped) {
  if (!skipped.length) return null;
  return h("div", {}, h("h3", {}, `Left out: ${skipped.length}`),
    h("ul", { class: "da-skipped" }, skipped.slice(0, SKIPPED_SHOWN).map((one) => h("li", {}, h("code", {}, one.id?.slice(0, 8) ?? `#${one.index}`), ` ${one.reason}`)),
      skipped.length > SKIPPED_SHOWN && h("li", { class: "dk-quiet" }, `and ${skipped.length - SKIPPED_SHOWN} more`)));
}
