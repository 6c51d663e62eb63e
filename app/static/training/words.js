// Numbers, times and states as people read them.

const NONE = "–";

export function when(unix_s) {
  if (!unix_s) return NONE;
  const date = new Date(unix_s * 1000);
  const two = (n) => String(n).padStart(2, "0");
  const time = `${two(date.getHours())}:${two(date.getMinutes())}`;
  const today = new Date().toDateString() === date.toDateString();
  return today ? `today ${time}` : `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${time}`;
}

export function span(seconds) {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return NONE;
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}

export function size(bytes) {
  for (const [unit, factor] of [["GB", 1e9], ["MB", 1e6], ["KB", 1e3]]) {
    if (bytes >= factor) return `${(bytes / factor).toFixed(1)} ${unit}`;
  }
  return `${bytes ?? 0} B`;
}

export function percent(share, digits = 0) {
  if (share === null || share === undefined || !Number.isFinite(share)) return NONE;
  return `${(share * 100).toFixed(digits)} %`;
}

export function counted(number, noun) {
  return `${number.toLocaleString("en-US")} ${noun}${number === 1 ? "" : "s"}`;
}

// Four significant digits, a real minus.
export function number(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return NONE;
  const size = Math.abs(value);
  const text = size !== 0 && (size < 0.001 || size >= 1e5) ? size.toExponential(2) : String(Number(size.toPrecision(4)));
  return value < 0 ? `−${text}` : text;
}

// "69 % [42–87] of 13", a dash without a judged attempt.
export function rate(checkpoint) {
  if (checkpoint.rate === null) return NONE;
  const judged = checkpoint.num_successes + checkpoint.num_failures;
  const low = Math.round(checkpoint.rate_low * 100);
  const high = Math.round(checkpoint.rate_high * 100);
  return `${percent(checkpoint.rate)} [${low}–${high}] of ${judged}`;
}

export const JOB_STATES = {
  queued: { shape: "○", word: "waiting" },
  running: { shape: "●", word: "running" },
  done: { shape: "✓", word: "done" },
  failed: { shape: "✗", word: "failed" },
  cancelled: { shape: "■", word: "cancelled" },
};
export const OUTCOMES = { success: "✓ success", failure: "✗ failure", none: "– no grade" };

export function isOver(job) {
  return ["done", "failed", "cancelled"].includes(job.state);
}

export function runName(job) {
  return job.result.run ?? job.params.run ?? `${job.params.preset ?? "recap"}-${job.id.slice(0, 8)}`;
}

export function totalSteps(job) {
  const schedule = job.result.config?.schedule;
  if (!schedule) return job.params.steps ?? null;
  return schedule.order === "joint"
    ? schedule.critic_warmup_steps + schedule.joint_steps
    : schedule.rounds * (schedule.critic_steps + schedule.actor_steps) +
        (schedule.critic_steps ? (schedule.critic_refit_steps ?? 0) : 0);
}

// Whose critic a job of scores or videos shows: a checkpoint, or that of a training still to come.
export function criticOf(job, jobs = []) {
  const [, id] = job.params.checkpoint?.match(/^job:(.+)$/) ?? [];
  if (!id) return job.params.checkpoint ?? "";
  const training = jobs.find((each) => each.id === id);
  return `${training ? runName(training) : "a training"} (newest)`;
}

// Which episodes a job's `episodes` means.
export function chosenEpisodes(episodes = "all") {
  if (episodes === "all") return "all episodes";
  if (Array.isArray(episodes)) return counted(episodes.length, "episode");
  const words = Object.entries(episodes).map(([name, value]) => `${name} ${value}`);
  return words.length ? `episodes with ${words.join(", ")}` : "all episodes";
}
