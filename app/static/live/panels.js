// The panels that only show: phase bar, attempt, counts, lease, and the facts in the header.

import { setData, setMarkup, setShown, setText } from "./paint.js";
import { bytes, clock, count, hertz, per_hour, percent } from "./units.js";
import { PHASES, phaseNote, shape } from "./wording.js";

// A loop below this share of its rate is called slow.
const SLOW_SHARE = 0.9;

export class Panels {
  #parts;
  #root;
  // The person has changed the task; their words stay.
  taskEdited = false;

  constructor(parts, root) {
    this.#parts = parts;
    this.#root = root.querySelector(".hr-live") ?? root;
  }

  render(view) {
    this.#phaseBar(view);
    this.#attempt(view);
    this.#lease(view);
    this.#header(view);
    if (view.session !== null) this.#counts(view);
  }

  #phaseBar(view) {
    const parts = this.#parts;
    const { word, shape: name } = PHASES[view.phase];
    setData(this.#root, "phase", view.phase);
    setMarkup(parts["phase-icon"], shape(name));
    setText(parts["phase-word"], word);
    setText(parts["phase-note"], phaseNote(view));
    const { episode } = view;
    setText(parts["phase-clock"], episode ? `episode ${episode.number} · ${clock(episode.elapsed_s)}` : "");
  }

  #attempt(view) {
    const parts = this.#parts;
    const { episode, session } = view;
    setText(parts.episode, episode ? String(episode.number) : "–");
    setText(parts["episode-clock"], clock(episode?.elapsed_s));
    setText(parts["episode-steps"], count(episode?.steps));
    setText(parts["episode-human"], episode?.steps ? percent(episode.human_steps / episode.steps) : "–");
    if (!this.taskEdited && session && document.activeElement !== parts.task) {
      const task = episode?.task || session.task;
      if (parts.task.value !== task) parts.task.value = task;
    }
    parts.task.disabled = session !== null && !view.mayOperate;
  }

  #lease(view) {
    const parts = this.#parts;
    const { holder, mine } = view.lease;
    const [text, icon, does, label] = mine
      ? [`You hold the lease${view.lease.you ? ` · ${view.lease.you}` : ""}`, "person", "release", "Release"]
      : holder === null
        ? ["Nobody holds the lease", "ring", "take", "Take the lease"]
        : [`Viewing · ${holder} drives`, "eye", "ask", "Ask for the lease"];
    setText(parts["lease-text"], text);
    setMarkup(parts["lease-icon"], shape(icon));
    setText(parts["lease-button"], label);
    setData(parts["lease-button"], "does", does);
    setShown(parts["lease-button"], view.linked && view.mayOperate);
    setData(parts.lease, "mine", mine ? "yes" : "no");
  }

  #counts(view) {
    const parts = this.#parts;
    const { counts, last_episode_id: last } = view.session;
    setText(parts["count-success"], String(counts.success));
    setText(parts["count-failure"], String(counts.failure));
    setText(parts["count-rate"], percent(counts.rate));
    setText(parts["count-interval"], counts.rate === null
      ? "success"
      : `success [${Math.round(counts.rate_low * 100)}–${Math.round(counts.rate_high * 100)} %]`);
    parts["count-interval"].title = "In square brackets: 95 % interval of the success rate";
    setText(parts["count-human"], percent(counts.human_share));
    setText(parts["count-pace"], per_hour(counts.attempts_per_hour));
    parts.undo.disabled = !last || !view.mayLabel;
    setText(parts["last-text"], uploadsNote(view) || (counts.unlabeled
      ? `${counts.unlabeled} without a grade`
      : last ? "all attempts graded" : "no attempt yet"));
  }

  #header(view) {
    const parts = this.#parts;
    const { session, rates } = view;
    if (session === null) return;
    const open = view.phase !== "closed" && view.phase !== "unknown";
    const running = open && view.fresh && rates?.loop_hz > 0;
    setText(parts["fact-robot"], session.robot || "–");
    setData(parts["fact-dot"], "ok", !running ? "no" : rates.loop_hz < rates.target_hz * SLOW_SHARE ? "slow" : "yes");
    setText(parts["fact-rate"], running ? hertz(rates.loop_hz) : "– Hz");
    setText(parts["fact-disk"], bytes(session.disk_free_bytes));
    parts["fact-rate"].title = rates
      ? `wanted ${hertz(rates.target_hz)}; late by ${rates.late_p50_ms.toFixed(1)} ms (half of the ticks), ` +
        `${rates.late_p99_ms.toFixed(1)} ms (1 in 100); ${rates.overruns} ticks skipped`
      : "";
  }
}

// Episodes on their way from the robot's computer; the one being recorded has yet to begin.
function uploadsNote({ session, episode }) {
  const coming = session.uploads.filter((upload) => !upload.problem && upload.episode_id !== episode?.id);
  if (coming.length === 0) return "";
  const share = coming.reduce((sum, upload) => sum + upload.share, 0) / coming.length;
  return `${coming.length === 1 ? "1 episode" : `${coming.length} episodes`} uploading, ${percent(share)}`;
}
