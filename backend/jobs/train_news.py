"""Tells how a training goes: numbers, progress, alarms, the label table, W&B.

Numbers carry the names that runs of the seed project have in W&B, with `train/` in front; what it
did not measure has names of ours.
"""

import math
import sys
import time
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from backend.jobs.alarms import alarms_of
from backend.jobs.child import JobChild
from backend.jobs.label_file import LABELS_FILE, LabelTable, write_label_table
from backend.jobs.mixing import MixedSampler
from backend.jobs.train_params import TrainParams
from backend.jobs.train_plan import TrainPlan
from backend.jobs.wandb_log import WandbLog
from backend.learning.config_files import config_to_dict
from backend.learning.labels import settled_steps
from backend.learning.learner import Learner
from backend.learning.meter import Metrics

# Ours to the seed's, where they differ.
SEED_NAMES = {
    "target_value_mean": "target_value_mean_critic",
    "label_positive_fraction": "advantage_positive_label_fraction",
}


class Pace(Protocol):
    """How far a run is, and what it says of that."""

    def share(self, step: int) -> float:
        """From 0 to 1."""

    def is_last(self, step: int) -> bool:
        """Whether the run ends with this step."""

    def says(self, step: int, doing: str, rate_hz: float | None) -> str:
        """One line for people; `rate_hz`: steps a second, None when it does not matter."""


@dataclass(frozen=True, kw_only=True)
class FixedPace:
    """Of a run whose last step is known."""

    total: int

    def share(self, step: int) -> float:
        return step / self.total

    def is_last(self, step: int) -> bool:
        return step == self.total

    def says(self, step: int, doing: str, rate_hz: float | None) -> str:
        said = f"step {step} of {self.total}, {doing}"
        if rate_hz is None:
            return said
        return f"{said}, {rate_hz:.2g} steps/s, {_span((self.total - step) / rate_hz)} left"


class TrainNews:
    """One run's voice. `close()` may be repeated."""

    def __init__(
        self,
        child: JobChild,
        params: TrainParams,
        plan: TrainPlan,
        *,
        run: str,
        pace: Pace,
        online_source: int | None = None,
    ) -> None:
        """Begin to speak.

        Args:
            child: Whose inbox.
            params: What was asked for.
            plan: What the run learns from.
            run: Its name.
            pace: How far it is.
            online_source: Position of the source of online episodes among the plan's, if any.
        """
        self._child = child
        self._config = params.config
        self._plan = plan
        self._run = run
        self._pace = pace
        self._online_source = online_source
        self._step = 0
        self._newest: Metrics = {}
        self._alarms: dict[str, str] = {}
        self._labels: object = None
        self._actor_updates = 0
        self._first = True
        self._window_s = self._begun_s = time.monotonic()
        self._window_steps = 0
        self._waited_s = self._window_waited_s = 0.0
        self._wandb = None
        if params.wandb != "off" and not child.mute:
            self._wandb = WandbLog(
                mode=params.wandb,
                project=params.wandb_project,
                run=run,
                folder=child.folder,
                config=config_to_dict(params.config),
            )

    def stepped(self, learner: Learner, stage: str, metrics: Metrics) -> None:
        """Take the numbers of a step; tell them now and then."""
        self._newest |= metrics
        self._step = learner.step
        self._window_steps += 1
        self._actor_updates += stage != "critic"
        if isinstance(learner.sampler, MixedSampler):
            self._window_waited_s += learner.sampler.take_waited_s()
        if learner.labels is not None and learner.labels is not self._labels:
            self._labels = learner.labels
            self._tell_labels(learner)
        broken = not all(math.isfinite(value) for value in metrics.values())
        step, every = learner.step, self._config.schedule.log_every
        if not (step % every == 0 or self._pace.is_last(step) or self._first or broken):
            return
        self._first = False
        now_s = time.monotonic()
        elapsed_s = max(now_s - self._window_s, 1e-9)
        rate = self._window_steps / elapsed_s
        self._newest["data_wait_share"] = self._window_waited_s / elapsed_s
        self.measure(
            step,
            {
                **{f"train/{SEED_NAMES.get(name, name)}": v for name, v in metrics.items()},
                "train/data_wait_share": self._newest["data_wait_share"],
                "train/Optimization frequency loop [Hz]": rate,
                **self._buffer_sizes(),
            },
        )
        self._judge(step)
        self._child.report(self._pace.share(step), self._pace.says(step, stage, rate))
        self._waited_s += self._window_waited_s
        self._window_s, self._window_steps, self._window_waited_s = now_s, 0, 0.0

    def take_plan(self, plan: TrainPlan) -> None:
        """From now on, this is what is learned from."""
        self._plan = plan

    def saving(self, step: int) -> None:
        """Say that a checkpoint is being written."""
        self._child.report(self._pace.share(step), self._pace.says(step, "saving", None))

    def probed(self, learner: Learner, found: Metrics) -> None:
        """Take the numbers of a checkpoint's probes."""
        self._newest |= found
        self.measure(learner.step, found)
        self._judge(learner.step)
        # What saving and probing cost is no training rate.
        self._window_s, self._window_steps, self._window_waited_s = time.monotonic(), 0, 0.0

    def alarm(self, name: str, step: int, why: str) -> None:
        """Raise the alarm of a run that cannot go on."""
        self._child.announce(alarm={"name": name, "step": step, "text": why})

    def measure(self, step: int, metrics: Metrics) -> None:
        """Tell numbers of a step, each under its name; what is not finite is left out."""
        finite = {name: value for name, value in metrics.items() if math.isfinite(value)}
        self._child.measure(step, finite)
        if self._wandb is not None:
            self._wandb.log(step, finite)

    def result(self) -> dict[str, Any]:
        """What the job's result says of the run, besides its checkpoint."""
        elapsed_s = max(time.monotonic() - self._begun_s, 1e-9)
        learns = self._config.critic.learn_from == "monte_carlo"
        return {
            "run": self._run,
            "config": config_to_dict(self._config),
            "plan": self._plan.summary(learns_from_returns=learns),
            "alarms": {name: {"step": self._step, "text": t} for name, t in self._alarms.items()},
            "data_wait_share": self._waited_s / elapsed_s,
            "label_revision": self._plan.label_revision,
        }

    def close(self) -> None:
        """Let go of W&B; harmless when repeated."""
        if self._wandb is not None:
            self._wandb.close()
            self._wandb = None

    def _buffer_sizes(self) -> Metrics:
        steps = [(e.source == self._online_source, e.num_steps) for e in self._plan.episodes]
        sizes = {
            "train/offline_replay_buffer_size": float(sum(n for online, n in steps if not online))
        }
        if self._online_source is not None:
            sizes["train/replay_buffer_size"] = float(sum(n for online, n in steps if online))
        return sizes

    def _judge(self, step: int) -> None:
        now = alarms_of(self._newest, config=self._config, actor_updates=self._actor_updates)
        for name in sorted(now.keys() | self._alarms.keys()):
            if name in now and name not in self._alarms:
                sys.stdout.write(f"alarm at step {step}: {now[name]}\n")
                self._child.announce(alarm={"name": name, "step": step, "text": now[name]})
            elif name not in now:
                self._child.announce(alarm={"name": name, "step": step, "text": ""})
        self._alarms = now

    def _tell_labels(self, learner: Learner) -> None:
        table = label_table(learner, self._plan)
        if not self._child.mute:
            write_label_table(self._child.folder / LABELS_FILE, table)
        if self._wandb is not None:
            columns = {"train/advantage": table.advantages, "train/value": table.values}
            self._wandb.log_histograms(learner.step, columns)


def label_table(learner: Learner, plan: TrainPlan) -> LabelTable:
    """The labels in force of a learner, as the table that pages read."""
    assert learner.labels is not None
    labels, words = learner.labels, learner.config.words
    episodes = learner.sampler.episodes
    tasks = tuple(sorted({e.task for e in episodes}))
    source_of = {episode.id: episode.source for episode in plan.episodes}
    settled = {
        e.episode_id: settled_steps(e, words, chunk_size=learner.config.model.chunk_size)
        for e in episodes
    }

    def column(of: dict[str, np.ndarray]) -> np.ndarray:
        return np.concatenate([np.asarray(of[e.episode_id]) for e in episodes])

    return LabelTable(
        values=column(dict(labels.values)),
        returns=column({e.episode_id: learner.sampler.returns_of(e.episode_id) for e in episodes}),
        advantages=column(dict(labels.advantages)),
        forced=column({name: steps.best for name, steps in settled.items()}),
        worst=column({name: steps.worst for name, steps in settled.items()}),
        task=column({e.episode_id: np.full(len(e), tasks.index(e.task)) for e in episodes}),
        source=column({e.episode_id: np.full(len(e), source_of[e.episode_id]) for e in episodes}),
        tasks=tasks,
        sources=plan.source_names,
        thresholds=labels.thresholds,
        words=words,
        step=learner.step,
    )


def _span(seconds: float) -> str:
    if seconds < 90:
        return f"about {seconds:.0f} s"
    if seconds < 5400:
        return f"about {seconds / 60:.0f} min"
    return f"about {seconds / 3600:.1f} h"
