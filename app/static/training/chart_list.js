// Which numbers of a run are drawn, in which chart, under which words. Names are those of W&B.

const WORDS = [
  ["positive", "hr-success"], ["negative", "hr-failure"], ["very positive", "hr-policy"],
  ["neutral", "hr-late"], ["very negative", "hr-human"], ["none", "hr-muted"],
];

function byWord(prefix) {
  return WORDS.map(([word, colour]) => ({ name: `${prefix}${word}`, label: word, colour }));
}

const CHARTS = [
  {
    title: "Actor loss", about: "Flow matching error of the predicted actions; lower is better.",
    series: [{ name: "train/loss_actor", label: "all", colour: "hr-policy" }],
  },
  {
    title: "Actor loss by word", about: "Same, of the samples with each word.",
    series: byWord("train/loss_actor/"),
  },
  {
    title: "Critic loss", about: "How far the critic is from what came true.",
    series: [{ name: "train/loss_critic", label: "all", colour: "hr-policy" }],
  },
  {
    title: "Value", about: "Mean value the critic says, beside the mean return it should say.",
    series: [
      { name: "train/critic_value_mean", label: "said", colour: "hr-policy" },
      { name: "train/target_value_mean_critic", label: "true", colour: "hr-human", dashed: true },
    ],
  },
  {
    title: "Spread of values", about: "A critic that says the same of every state has a spread of 0.",
    zero: true,
    series: [
      { name: "train/critic_value_std", label: "values", colour: "hr-policy" },
      { name: "train/td_error_std", label: "errors", colour: "hr-human" },
    ],
  },
  {
    title: "Order of values", range: [-1.05, 1.05],
    about: "On held-out episodes. AUC: how often a success ranks above a failure, 0.5 is chance; "
      + "of one origin: among attempts of the same policy. "
      + "Spearman: whether values and returns rise together.",
    series: [
      { name: "probe/auc", label: "AUC", colour: "hr-policy" },
      { name: "probe/auc_within_source", label: "AUC, one origin", colour: "hr-success" },
      { name: "probe/spearman", label: "Spearman", colour: "hr-human" },
    ],
  },
  {
    title: "Positive share", percent: true, range: [0, 1],
    about: "Share of the labelled steps with the best word; near 0 or 1 the word carries no news.",
    series: [
      { name: "train/advantage_positive_label_fraction", label: "labelled", colour: "hr-success" },
    ],
  },
  {
    title: "Words in the batch", percent: true, range: [0, 1],
    about: "Share of each word in the last batch; words are dropped from some samples on purpose.",
    series: byWord("train/word_fraction/"),
  },
  {
    title: "Advantage", about: "Mean and standard deviation of what the critic says of the actions.",
    series: [
      { name: "train/advantage_mean", label: "mean", colour: "hr-policy" },
      { name: "train/advantage_std", label: "deviation", colour: "hr-human" },
    ],
  },
  {
    title: "Conditioning gap", zero: true,
    about: "How much the loss grows when the word is flipped; near 0 the word is ignored.",
    series: [{ name: "probe/conditioning_gap", label: "gap", colour: "hr-policy" }],
  },
  {
    title: "Conditioning accuracy", percent: true, range: [0, 1],
    about: "How often the right word fits better than its opposite; 50 % is chance.",
    series: [{ name: "probe/conditioning_accuracy", label: "right word wins", colour: "hr-success" }],
  },
  {
    title: "Gradient norm", log: true, about: "Before clipping.",
    series: [
      { name: "train/actor_grad_norm", label: "actor", colour: "hr-policy" },
      { name: "train/critic_grad_norm", label: "critic", colour: "hr-human" },
    ],
  },
  {
    title: "Speed, steps/s", zero: true, about: "Optimiser steps a second.",
    series: [{ name: "train/Optimization frequency loop [Hz]", label: "steps/s", colour: "hr-policy" }],
  },
  {
    title: "Waiting for data", percent: true, zero: true,
    about: "Share of the time in which the trainer waits for pictures; above 20 % a faster disk pays.",
    series: [{ name: "train/data_wait_share", label: "of the time", colour: "hr-human" }],
  },
];
// Numbers that are said in words elsewhere.
const ELSEWHERE = new Set([
  "train/offline_replay_buffer_size", "train/replay_buffer_size", "probe/held_out_episodes",
  "train/td_error_mean",
]);

// The charts for a run that has these numbers: known ones with what is there, then one each for
// names that nobody has thought of.
export function chartsFor(names) {
  const known = CHARTS.map((chart) => ({
    ...chart, series: chart.series.filter((series) => names.has(series.name)),
  })).filter((chart) => chart.series.length);
  const drawn = new Set(CHARTS.flatMap((chart) => chart.series.map((series) => series.name)));
  const more = [...names].filter((name) => !drawn.has(name) && !ELSEWHERE.has(name)).sort();
  return [...known, ...more.map((name) => ({
    title: name.replace(/^(train|probe)\//, ""), about: name,
    series: [{ name, label: "", colour: "hr-policy" }],
  }))];
}
