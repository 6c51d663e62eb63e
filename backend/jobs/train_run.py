"""The run of a training job: episodes in memory, steps, numbers, alarms, checkpoints.

Started or resumed, it makes the learner's steps until the schedule is through or somebody asks it
to stop; then it finishes the step at hand and saves, see `train_saving.py`.
"""

import signal
import sys
from typing import Any

import torch

from backend import checkpoints
from backend.episodes.frames import FrameCache, free_bytes
from backend.jobs.child import JobCancelledError, JobChild, JobFailedError
from backend.jobs.ranks import Ranks
from backend.jobs.train_data import EpisodeLoader
from backend.jobs.train_learner import make_learner, try_prompts
from backend.jobs.train_news import FixedPace, TrainNews
from backend.jobs.train_params import TrainParams
from backend.jobs.train_plan import TrainPlan
from backend.jobs.train_probes import Probes
from backend.jobs.train_saving import RunSaver
from backend.jobs.train_step import train_step
from backend.learning.arrays import EpisodeArrays
from backend.learning.learner import Learner
from backend.learning.pi05_rl.processor_pi05_rl import PromptTooLongError
from backend.learning.pi05_rl.sizes import SIZES
from backend.learning.training import split_held_out


class TrainingRun:
    """One job's run in this process, from its plan to its last checkpoint."""

    def __init__(
        self, child: JobChild, params: TrainParams, plan: TrainPlan, *, run: str, ranks: Ranks
    ) -> None:
        """Prepare; nothing is read yet."""
        self._child = child
        self._params = params
        self._plan = plan
        self._run = run
        self._saver = RunSaver(child, run=run, keep=params.keep)
        self._ranks = ranks
        self._asked_to_stop = False

    def carry_out(self) -> dict[str, Any]:
        """Train to the end; return the job's result.

        Raises:
            JobFailedError: The data, the config or the disk do not allow it, or it diverged.
            JobCancelledError: Somebody asked to stop; what was learned is saved.
        """
        if self._ranks.size == 1:
            # One core stays free for the robot's loop, which may run on this machine.
            torch.set_num_threads(max(1, torch.get_num_threads() - 1))
        episodes = self._load()
        training, held_out = split_held_out(episodes, self._params.config.data.held_out_fraction)
        if not training:
            training, held_out = episodes, []
        try:
            learner = self._learner(training)
        except (ValueError, OSError) as error:
            raise JobFailedError(str(error)) from error
        news = TrainNews(
            self._child,
            self._params,
            self._plan,
            run=self._run,
            pace=FixedPace(total=_total(learner)),
        )
        probes = Probes(
            held_out or training,
            held_out=bool(held_out),
            origins={episode.id: episode.origin for episode in self._plan.episodes},
            config=learner.config,
        )
        before = signal.signal(signal.SIGTERM, self._ask_to_stop)
        try:
            try_prompts(learner, learner.sampler.episodes)
            return self._train(learner, news, probes)
        except PromptTooLongError as error:
            raise _too_long(error, learner, news) from error
        finally:
            signal.signal(signal.SIGTERM, before)
            news.close()

    def _load(self) -> list[EpisodeArrays]:
        ranks, plan = self._ranks, self._plan
        cache = FrameCache(
            self._child.data_dir,
            owner=f"{self._child.job_id}.{ranks.rank}",
            free_bytes=free_bytes,
        )
        loader = EpisodeLoader(
            self._child.data_dir, cache, size_px=SIZES[self._params.config.model.size].image_size
        )
        count = len(plan.episodes)

        def tell(ready: int) -> None:
            self._child.report(0.0, f"decoding pictures, {ready} of {count} episodes")

        if ranks.size > 1:
            # Each process decodes its part, then all read everything.
            loader.load(plan.episodes[ranks.rank :: ranks.size], on_episode=lambda _: None)
            ranks.wait()
        episodes, unreadable = loader.load(plan.episodes, on_episode=tell)
        for id, why in unreadable.items():
            _log(f"warning: episode {id} is left out, it {why}")
        if not episodes:
            why = next(iter(unreadable.values()))
            raise JobFailedError(f"no episode can be read; the first {why}")
        return episodes

    def _learner(self, episodes: list[EpisodeArrays]) -> Learner:
        steps = self._saver.steps
        how = f"resuming from step {steps[-1]}" if steps else "making the model"
        self._child.report(0.0, how)
        learner = make_learner(
            self._params.config,
            self._plan,
            episodes,
            folder=self._saver.folder,
            device=self._ranks.device,
        )
        self._ranks.join(learner)
        return learner

    def _train(self, learner: Learner, news: TrainNews, probes: Probes) -> dict[str, Any]:
        total, every = _total(learner), learner.config.schedule.save_every
        if learner.step == 0 and self._ranks.is_first:
            self._saver.check_disk(learner)
        while learner.step < total:
            stage = learner.stage
            metrics = train_step(learner, news)
            if self._ranks.is_first:
                news.stepped(learner, stage, metrics)
            stop = self._ranks.any(self._asked_to_stop)
            if learner.step % every == 0 or learner.step == total or stop:
                if self._ranks.is_first:
                    self._save(learner, news, probes)
                self._ranks.wait()
            if stop and learner.step < total:
                raise JobCancelledError
        last = checkpoints.describe(self._child.data_dir, self._saver.id(learner.step))
        return {**news.result(), "checkpoint": last["id"], "last": last, "step": learner.step}

    def _save(self, learner: Learner, news: TrainNews, probes: Probes) -> None:
        news.saving(learner.step)
        self._saver.save(learner)
        found = probes.measure(learner)
        news.probed(learner, found)
        self._saver.tell(learner, found)

    def _ask_to_stop(self, _signal: int, _frame: object) -> None:
        self._asked_to_stop = True


def _too_long(error: PromptTooLongError, learner: Learner, news: TrainNews) -> JobFailedError:
    news.alarm("prompt_too_long", learner.step, str(error))
    return JobFailedError(str(error))


def _total(learner: Learner) -> int:
    return learner.config.schedule.total_steps


def _log(text: str) -> None:
    sys.stdout.write(text + "\n")
