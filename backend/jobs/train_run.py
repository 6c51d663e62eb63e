"""The run of a training job: episodes in memory, steps, numbers, alarms, checkpoints.

Started or resumed, it makes the learner's steps until the schedule is through or somebody asks it
to stop; then it finishes the step at hand and saves. Saving checks the disk first, reports the
checkpoint, and prunes old ones by `checkpoint_rules`.
"""

import math
import signal
import sys
import time
from pathlib import Path
from typing import Any

import torch

from backend import checkpoints
from backend.db.checkpoint_queries import protected_checkpoints
from backend.db.engine import open_database
from backend.episodes.frames import FrameCache, free_bytes
from backend.jobs.checkpoint_rules import apply_pruning, missing_bytes, prune_rule
from backend.jobs.child import JobCancelledError, JobChild, JobFailedError
from backend.jobs.mixing import MixedSampler
from backend.jobs.ranks import Ranks
from backend.jobs.train_data import EpisodeLoader
from backend.jobs.train_news import TrainNews
from backend.jobs.train_params import TrainParams
from backend.jobs.train_plan import TrainPlan
from backend.jobs.train_probes import Probes
from backend.learning.advantages import worst_word
from backend.learning.checkpoints import checkpoint_steps, step_folder
from backend.learning.learner import Learner
from backend.learning.optimizer import MasterOptimizer
from backend.learning.pi05_rl.processor_pi05_rl import PromptTooLongError
from backend.learning.pi05_rl.sizes import SIZES
from backend.learning.replay import EpisodeArrays
from backend.learning.training import resume_run, save_run, split_held_out, start_run


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
        self._folder = child.data_dir / checkpoints.CHECKPOINTS_DIR / run
        self._ranks = ranks
        self._asked_to_stop = False
        self._last_size = 0

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
            self._child, self._params, self._plan, run=self._run, total=_total(learner)
        )
        probes = Probes(
            held_out or training,
            held_out=bool(held_out),
            origins={episode.id: episode.origin for episode in self._plan.episodes},
            config=learner.config,
        )
        before = signal.signal(signal.SIGTERM, self._ask_to_stop)
        try:
            self._check_prompts(learner, news)
            return self._train(learner, news, probes)
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
        steps = checkpoint_steps(self._folder)
        device = self._ranks.device
        if steps:
            self._child.report(0.0, f"resuming from step {steps[-1]}")
            learner = resume_run(step_folder(self._folder, steps[-1]), episodes, device=device)
        else:
            self._child.report(0.0, "making the model")
            learner = start_run(self._params.config, episodes, device=device)
        source_of = {episode.id: episode.source for episode in self._plan.episodes}
        learner.sampler = MixedSampler(
            horizon=learner.sampler.horizon,
            reward=learner.sampler.reward,
            rng=learner.rng,
            source_of=source_of,
            shares=self._plan.shares,
            clock=time.monotonic,
        )
        learner.set_episodes(episodes)
        self._ranks.join(learner)
        return learner

    def _train(self, learner: Learner, news: TrainNews, probes: Probes) -> dict[str, Any]:
        total, every = _total(learner), learner.config.schedule.save_every
        if learner.step == 0:
            self._check_disk(learner)
        while learner.step < total:
            stage = learner.stage
            try:
                metrics = learner.train_step()
            except FloatingPointError as error:
                news.alarm("not_finite", learner.step, str(error))
                raise JobFailedError(f"the run diverged in step {learner.step}: {error}") from error
            except PromptTooLongError as error:
                raise _too_long(error, learner, news) from error
            except ValueError as error:
                raise JobFailedError(f"step {learner.step} cannot be made: {error}") from error
            if self._ranks.is_first:
                news.stepped(learner, stage, metrics)
            stop = self._ranks.any(self._asked_to_stop)
            if learner.step % every == 0 or learner.step == total or stop:
                if self._ranks.is_first:
                    self._save(learner, news, probes)
                self._ranks.wait()
            if stop and learner.step < total:
                raise JobCancelledError
        last = checkpoints.describe(self._child.data_dir, self._id(learner.step))
        return {**news.result(), "checkpoint": last["id"], "last": last, "step": learner.step}

    def _check_prompts(self, learner: Learner, news: TrainNews) -> None:
        """Try a prompt of every task now: one too long would stop the run hours later."""
        first = {episode.task: episode.episode_id for episode in learner.sampler.episodes}
        batch = learner.sampler.gather([(id, 0) for id in first.values()])
        word = worst_word(learner.config.words.mode)
        try:
            learner.inputs.for_actor(batch.observations, batch.actions, [word] * len(batch))
        except PromptTooLongError as error:
            raise _too_long(error, learner, news) from error

    def _save(self, learner: Learner, news: TrainNews, probes: Probes) -> None:
        if learner.step not in checkpoint_steps(self._folder):
            self._check_disk(learner)
            news.saving(learner.step)
            save_run(learner, self._folder)
        found = probes.measure(learner)
        news.probed(learner, found)
        described = checkpoints.describe(self._child.data_dir, self._id(learner.step))
        described["probes"] = {n: v for n, v in found.items() if math.isfinite(v)}
        self._last_size = described["size_bytes"]
        self._child.announce(checkpoint=described)
        self._prune()

    def _prune(self) -> None:
        database = open_database(self._child.database_url)
        try:
            with database.read() as db:
                protected = protected_checkpoints(db)
        finally:
            database.close()
        steps = checkpoint_steps(self._folder)
        mine = {step: protected[self._id(step)] for step in steps if self._id(step) in protected}
        rule = prune_rule(steps, keep=self._params.keep, protected=mine)
        deleted, thinned = apply_pruning(rule, lambda step: step_folder(self._folder, step))
        for step in deleted:
            self._child.announce(deleted=self._id(step))
        for step in thinned:
            described = checkpoints.describe(self._child.data_dir, self._id(step))
            self._child.announce(checkpoint=described)

    def _check_disk(self, learner: Learner) -> None:
        if not self._ranks.is_first:
            return
        needed = self._last_size or estimated_bytes(learner)
        missing = missing_bytes(self._folder, needed)
        if missing:
            steps = checkpoint_steps(self._folder)
            saved = f"; the last one is of step {steps[-1]}" if steps else ""
            raise JobFailedError(
                f"a checkpoint needs {needed / 1e9:.2f} GB and the disk of {self._folder} lacks "
                f"{missing / 1e9:.2f} GB{saved}: free some (delete checkpoints, or lower keep) and "
                "resume this job"
            )

    def _id(self, step: int) -> str:
        return f"{self._run}/{step_folder(Path(), step).name}"

    def _ask_to_stop(self, _signal: int, _frame: object) -> None:
        self._asked_to_stop = True


def estimated_bytes(learner: Learner) -> int:
    """About how large the next checkpoint is: weights, and per trained weight three float32."""
    parts = [learner.models.policy, learner.models.critic]
    if learner.target is not None:
        parts.append(learner.target)
    weights = sum(p.numel() * p.element_size() for part in parts for p in part.parameters())
    optimizers: list[MasterOptimizer | None] = [learner.actor_optimizer, learner.critic_optimizer]
    trained = sum(
        optimizer.master(name).numel()
        for optimizer in optimizers
        if optimizer is not None
        for name in optimizer.names
    )
    return weights + 3 * 4 * trained


def _too_long(error: PromptTooLongError, learner: Learner, news: TrainNews) -> JobFailedError:
    news.alarm("prompt_too_long", learner.step, str(error))
    return JobFailedError(str(error))


def _total(learner: Learner) -> int:
    return learner.config.schedule.total_steps


def _log(text: str) -> None:
    sys.stdout.write(text + "\n")
