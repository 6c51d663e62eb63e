// One checkpoint: its lineage as a chain, what can be done with it, and its critic over episodes.

import { get, post, query, startJob } from "./api.js";
import { CompareView } from "./compare_view.js";
import { button, confirmed, h, select } from "./dom.js";
import { JobLines } from "./job_lines.js";
import { counted, number, OUTCOMES, rate, size, when } from "./words.js";

const ANY = [["", "all episodes"], ...Object.entries(OUTCOMES)];

export class CheckpointView {
  #page;
  #owner;
  #one = null;
  #body = h("div", { class: "dk-view" });
  #jobs;
  #outcome = "";
  #search = h("input", { type: "search", placeholder: "task, robot, operator or id", "aria-label": "which episodes" });
  #again = h("input", { type: "checkbox" });
  #onCpu = h("input", { type: "checkbox" });
  #onCpuLabel = h("label", { class: "dk-check", title: "Else they wait for the GPU until the training is over." }, this.#onCpu, " now, on the CPU");

  // `owner` has refresh() and all(): the checkpoints of the list.
  constructor(page, owner) {
    this.#page = page;
    this.#owner = owner;
    this.element = this.#body;
    this.#jobs = new JobLines({ act: (job, what) => page.doing(() => post(`/api/jobs/${job.id}/${what}`)), withCheckpoint: false,
      refusal: () => page.rights.refusal("operator", "stop and retry jobs") });
  }

  async show(id, jobs) {
    if (id === null) {
      this.#one = null;
      this.#body.replaceChildren();
      return;
    }
    let one;
    try {
      one = await get(`/api/checkpoints/${id}`);
    } catch (refusal) {
      this.#page.lost(refusal);
      return;
    }
    const words = JSON.stringify([one, this.#owner.all().map((item) => item.id)]);
    if (this.#body.shownWords === words) return;
    this.#body.shownWords = words;
    this.#one = one;
    this.#render(one);
    this.follow(jobs);
  }

  // Scorings and videos of this checkpoint, with their progress.
  follow(jobs) {
    if (this.#one === null) return;
    this.#onCpuLabel.hidden = !jobs.some((job) => job.kind === "train" && job.state === "running");
    const mine = jobs.filter((job) => ["score", "video"].includes(job.kind) && job.params.checkpoint === this.#one.id);
    this.#jobs.show(mine.slice(0, 4));
  }

  #render(one) {
    this.#body.replaceChildren(...[
      h("section", { class: "dk-panel" },
        h("div", { class: "dk-run-title" }, h("h2", {}, one.id), one.promoted_s !== null && h("span", { class: "dk-badge" }, "▶ drives the robot"), this.#actions(one)),
        this.#lineage(one),
        Object.keys(one.probes).length > 0 && h("dl", { class: "dk-facts" }, Object.entries(one.probes).map(([name, value]) => (
          h("div", {}, h("dt", {}, name.replace("probe/", "").replaceAll("_", " ")), h("dd", {}, number(Number(value.toPrecision(3)))))))),
        h("p", { class: "dk-quiet" }, "Loadable by LeRobot: ", h("code", {}, `--policy.path=${one.folder}`))),
      one.size_bytes > 0 && this.#critic(one),
      new CompareView(this.#page, one, this.#owner.all()).element,
    ].filter(Boolean));
  }

  #lineage(one) {
    const sources = one.sources.map((source) => h("span", {}, `${source.name}: ${source.outcomes.success ?? 0} ✓ ${source.outcomes.failure ?? 0} ✗ ${source.outcomes.none ?? 0} –`));
    const drove = one.num_successes + one.num_failures + one.num_unjudged;
    const link = (view, id, label) => h("button", { type: "button", class: "link", on: { click: () => this.#page.open(view, id) } }, label);
    const steps = [
      ["labels", h("span", {}, one.label_revision ? `up to event ${one.label_revision}` : "none")],
      ["data", sources.length ? sources : h("span", { class: "dk-quiet" }, "not noted")],
      ["run", h("span", {}, one.job_id ? link("run", one.job_id, one.run) : one.run, one.preset && ` by preset ${one.preset}`),
        one.author && h("span", { class: "dk-quiet" }, `started by ${one.author}`),
        one.parent_id && h("span", {}, "from ", link("checkpoints", one.parent_id, one.parent_id))],
      ["checkpoint", h("b", {}, `step ${one.step.toLocaleString("en-US")}`), h("span", { class: "dk-quiet" }, `${when(one.created_s)}, ${one.size_bytes ? size(one.size_bytes) : "files deleted"}`)],
      ["drove", drove ? h("a", { href: `/replay${query({ checkpoint: one.id, driven_by: one.id, missing: 1 })}` }, counted(drove, "episode")) : h("span", { class: "dk-quiet" }, "no episode yet"),
        one.rate !== null && h("span", {}, `success ${rate(one)}`), ...one.children.map((id) => h("span", {}, "then ", link("checkpoints", id, id)))],
    ];
    return h("ol", { class: "dk-lineage" }, steps.map(([name, ...parts]) => h("li", {}, h("small", {}, name), parts)));
  }

  #actions(one) {
    const gone = one.size_bytes === 0;
    const { rights } = this.#page;
    const notPromote = rights.refusal("operator", "promote a checkpoint");
    const notExport = rights.refusal("operator", "export a checkpoint");
    const notDelete = rights.refusal("admin", "delete a checkpoint");
    return h("span", { class: "dk-actions" },
      button("Promote", () => this.#promote(one), { kind: "primary", disabled: gone || one.promoted_s !== null || Boolean(notPromote),
        title: notPromote || "The robot drives it from its next episode on." }),
      button("Train from it", () => this.#page.newRunLike({ start: one.id, ...(one.preset && one.preset !== "own" ? { preset: one.preset } : {}) }), { disabled: gone }),
      button("Export", () => this.#export(one), { disabled: gone || Boolean(notExport),
        title: notExport || "Copies it to a plain folder that LeRobot loads." }),
      button("Delete", () => this.#delete(one), { kind: "small danger", disabled: gone || one.promoted_s !== null || Boolean(notDelete),
        title: notDelete || (one.promoted_s === null ? "" : "It drives the robot: promote another one first.") }));
  }

  async #act(work) {
    const done = await this.#page.doing(work);
    await this.#owner.refresh();
    return done;
  }

  async #promote(one) {
    const sure = await confirmed({ title: `Let ${one.id} drive?`, yes: "Promote",
      lines: ["It takes effect at the next episode: an attempt under way is finished by the checkpoint that began it."] });
    if (sure && await this.#act(() => post(`/api/checkpoints/${one.id}/promote`))) {
      this.#page.tell("info", `${one.id} is promoted.`, "The robot drives it from its next episode on.");
    }
  }

  async #export(one) {
    const made = await this.#act(() => post(`/api/checkpoints/${one.id}/export`, {}));
    if (made) this.#page.tell("info", `Exported, ${size(made.size_bytes)}.`, made.folder);
  }

  async #delete(one) {
    const drove = one.num_successes + one.num_failures + one.num_unjudged;
    const sure = await confirmed({
      title: `Delete ${one.id}?`, yes: `Delete ${size(one.size_bytes)}`, danger: true,
      lines: [
        "Its weights and its scores go for good. What it is and where it came from stays listed.",
        ...(drove ? [`It drove ${counted(drove, "episode")}: nobody will be able to run it again.`] : []),
      ],
    });
    if (sure) await this.#act(() => post(`/api/checkpoints/${one.id}/delete`, { force: drove > 0 }));
  }

  #critic(one) {
    const episodes = () => {
      const filter = Object.fromEntries([["outcome", this.#outcome], ["q", this.#search.value.trim()]].filter(([, value]) => value));
      return Object.keys(filter).length ? filter : "all";
    };
    const params = () => ({ checkpoint: one.id, episodes: episodes(), again: this.#again.checked });
    const scoring = () => (this.#onCpu.checked && !this.#onCpuLabel.hidden ? { ...params(), device: "cpu" } : params());
    const score = () => this.#page.doing(() => startJob("score", scoring()));
    // What is scored already costs the scoring nothing, so the videos always come after one.
    const draw = () => this.#page.doing(() => startJob("score", scoring(), [{ kind: "video", params: params() }]));
    const why = this.#page.rights.refusal("operator", "start jobs");
    const disabled = Boolean(why);
    const outcome = select(ANY, this.#outcome, (value) => { this.#outcome = value; });
    outcome.setAttribute("aria-label", "outcome");
    return h("section", { class: "dk-panel" },
      h("div", { class: "dk-panel-head" }, h("span", { class: "dk-plot-title" }, "Its critic over episodes"),
        h("span", { class: "dk-quiet" }, `${counted(one.num_scored, "episode")} scored, ${counted(one.num_videos, "video")}`),
        h("a", { href: `/replay${query({ checkpoint: one.id })}` }, "watch the videos")),
      h("div", { class: "dk-filter" }, outcome, this.#search,
        h("label", { class: "dk-check" }, this.#again, " also what is there already"), this.#onCpuLabel,
        button("Score", score, { kind: "small strong", disabled, title: why || "Value, spread, advantage and word of every step." }),
        button("Score and make videos", draw, { disabled, title: why || "Cameras with the curves under them, drawn once the episodes are scored." })),
      this.#jobs.element);
  }
}
