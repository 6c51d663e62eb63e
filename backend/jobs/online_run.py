"""The run of an online learner: waits for episodes, learns, takes in what arrives, publishes.

It goes on with what it has while the actor pauses, and catches up when it was away itself: what to
learn from is read from the database, at most once a second, between two updates. Relabelled
episodes count with their new label from the next batch on. While nothing can be learned (no
episodes yet, or nobody judged any) it waits and says for what.

It ends by one of its limits, or when somebody stops it; what was learned is published and saved.
"""

import signal
import sys
import time
from typing import Any

import torch

from backend import checkpoints
from backend.domain import Outcome
from backend.jobs.child import JobCancelledError, JobChild, JobFailedError
from backend.jobs.mixing import MixedSampler
from backend.jobs.online_buffer import OnlineBuffer
from backend.jobs.online_news import Arrivals, OpenPace
from backend.jobs.online_params import OnlineParams
from backend.jobs.online_plan import ONLINE, OnlinePlanner, online_episodes, within_capacity
from backend.jobs.online_publishing import Publisher
from backend.jobs.train_learner import make_learner, sources_of, try_prompts
from backend.jobs.train_news import TrainNews
from backend.jobs.train_plan import TrainPlan
from backend.jobs.train_probes import Probes
from backend.jobs.train_saving import RunSaver
from backend.jobs.train_step import train_step
from backend.learning.arrays import EpisodeArrays
from backend.learning.learner import Learner
from backend.learning.pi05_rl.processor_pi05_rl import PromptTooLongError

# How often the database is asked what has arrived.
LOOK_EVERY_S = 1.0


class OnlineRun:
    """One job's run in this process, until it is stopped or through."""

    def __init__(
        self,
        child: JobChild,
        params: OnlineParams,
        planner: OnlinePlanner,
        buffer: OnlineBuffer,
        *,
        run: str,
        device: str,
    ) -> None:
        """Prepare; nothing is read yet."""
        self._child = child
        self._params = params
        self._planner = planner
        self._buffer = buffer
        self._run = run
        self._device = device
        self._saver = RunSaver(child, run=run, keep=params.train.keep)
        self._pace = OpenPace(
            max_steps=params.max_steps,
            max_time_s=params.max_time_s,
            now_s=time.monotonic,
            begun_s=time.monotonic(),
        )
        self._plan: TrainPlan | None = None
        self._looked_s = float("-inf")
        self._asked_to_stop = False
        self._publisher = Publisher(
            child, self._saver, every=params.publish, monotonic_s=time.monotonic
        )
        # The newest checkpoint: when, and at which step.
        self._saved = (time.monotonic(), 0)
        self._told: dict[str, Any] = {}

    def carry_out(self) -> dict[str, Any]:
        """Learn until it is over; return the job's result.

        Raises:
            JobFailedError: The data, the config or the disk do not allow it, or it diverged.
            JobCancelledError: Somebody stopped it; what was learned is published and saved.
        """
        # One core stays free for the robot's loop, which may run on this machine.
        torch.set_num_threads(max(1, torch.get_num_threads() - 1))
        episodes = self._wait_for_episodes()
        plan = self._must_have_plan()
        self._child.report(0.0, "making the model")
        try:
            learner = make_learner(
                self._params.train.config,
                plan,
                episodes,
                folder=self._saver.folder,
                device=self._device,
            )
        except (ValueError, OSError) as error:
            raise JobFailedError(str(error)) from error
        self._planner.shape = plan.episodes[0].shape
        news = TrainNews(
            self._child,
            self._params.train,
            plan,
            run=self._run,
            pace=self._pace,
            online_source=ONLINE,
        )
        arrivals = Arrivals(self._child, news.measure)
        before = signal.signal(signal.SIGTERM, self._ask_to_stop)
        try:
            try_prompts(learner, learner.sampler.episodes)
            self._tell_plan(learner, arrivals)
            self._publisher.begin(learner.step)
            self._saved = (time.monotonic(), learner.step)
            if not self._saver.steps:
                # What is published lies over a whole checkpoint: the first is the beginning.
                self._saver.save(learner)
                self._saver.tell(learner, {}, label_revision=plan.label_revision)
            self._learn(learner, news, arrivals)
            return self._result(learner, news)
        except PromptTooLongError as error:
            news.alarm("prompt_too_long", learner.step, str(error))
            raise JobFailedError(str(error)) from error
        finally:
            signal.signal(signal.SIGTERM, before)
            news.close()

    def _wait_for_episodes(self) -> list[EpisodeArrays]:
        """Return the episodes to begin with, once there are enough."""
        episodes: list[EpisodeArrays] = []
        num_online = 0
        while True:
            plan = self._planner.look()
            if plan is not None:
                num_online = len(online_episodes(plan))
                self._plan, _ = within_capacity(plan, self._params.online_capacity)
                episodes = self._buffer.take(self._plan)
            why = self._why_wait(num_online, episodes)
            if not why:
                return episodes
            self._child.report(0.0, f"waiting for {why}")
            time.sleep(LOOK_EVERY_S)

    def _why_wait(self, num_online: int, episodes: list[EpisodeArrays]) -> str:
        """What is missing before anything can be learned; empty when nothing is."""
        wanted = self._params.start_after_episodes
        if num_online < wanted:
            return f"online episodes, {num_online} of {wanted} are there"
        if not episodes:
            return "an episode to learn from"
        return self._why_not_taught(episodes)

    def _why_not_taught(self, episodes: list[EpisodeArrays]) -> str:
        learns_from_returns = self._params.train.config.critic.learn_from == "monte_carlo"
        if learns_from_returns and all(e.outcome is Outcome.NONE for e in episodes):
            return "a grade: nobody has said of any episode whether it succeeded"
        return ""

    def _learn(self, learner: Learner, news: TrainNews, arrivals: Arrivals) -> None:
        while not self._pace.is_last(learner.step):
            self._take_in(learner, news, arrivals)
            why = self._why_not_taught(learner.sampler.episodes)
            if why:
                self._child.report(
                    self._pace.share(learner.step),
                    self._pace.says(learner.step, f"waiting for {why}", None),
                )
                time.sleep(LOOK_EVERY_S)
            else:
                self._step(learner, news)
            if self._asked_to_stop:
                break
        self._publish(learner)
        self._save(learner, news)
        if self._asked_to_stop:
            raise JobCancelledError

    def _step(self, learner: Learner, news: TrainNews) -> None:
        stage = learner.stage
        metrics = train_step(learner, news)
        self._publisher.learned(stage)
        news.stepped(learner, stage, metrics)
        if self._publisher.is_due(learner.step):
            self._publish(learner)
        at_s, at_step = self._saved
        elapsed_s = time.monotonic() - at_s
        if self._params.checkpoint.is_due(steps=learner.step - at_step, time_s=elapsed_s):
            self._save(learner, news)

    def _take_in(self, learner: Learner, news: TrainNews, arrivals: Arrivals) -> None:
        """Go on with what has arrived and what was relabelled since the last look."""
        if time.monotonic() - self._looked_s < LOOK_EVERY_S:
            return
        self._looked_s = time.monotonic()
        plan = self._planner.look()
        if plan is None:
            return
        plan, left = within_capacity(plan, self._params.online_capacity)
        episodes = self._buffer.take(plan)
        if not episodes:
            return
        sampler = learner.sampler
        assert isinstance(sampler, MixedSampler)
        sampler.source_of, sampler.shares = sources_of(plan), plan.shares
        learner.set_episodes(self._within_prompts(learner, news, episodes))
        self._plan = plan
        news.take_plan(plan)
        self._tell_plan(learner, arrivals)
        if left:
            _log(f"{left} online episodes are older than the newest that fit into the buffer")

    def _within_prompts(
        self, learner: Learner, news: TrainNews, episodes: list[EpisodeArrays]
    ) -> list[EpisodeArrays]:
        """The episodes whose task fits into a prompt.

        Hours of learning do not end because somebody names a task at length.
        """
        known = {episode.task for episode in learner.sampler.episodes}
        try:
            try_prompts(learner, [e for e in episodes if e.task not in known])
        except PromptTooLongError as error:
            rest = [episode for episode in episodes if episode.task in known]
            if not rest:
                raise
            news.alarm("prompt_too_long", learner.step, f"episodes are left out: {error}")
            return rest
        return episodes

    def _tell_plan(self, learner: Learner, arrivals: Arrivals) -> None:
        plan = self._must_have_plan()
        online = online_episodes(plan)
        self._pace.num_online = len(online)
        arrivals.tell(learner.step, online, self._planner.attempts)
        learns = learner.config.critic.learn_from == "monte_carlo"
        self._told = {
            "plan": plan.summary(learns_from_returns=learns),
            "buffer": {
                "online_episodes": len(online),
                "online_steps": sum(e.num_steps for e in online),
                "offline_episodes": len(plan.episodes) - len(online),
                "label_revision": plan.label_revision,
                "step": learner.step,
            },
        }
        self._child.announce(**self._told)

    def _publish(self, learner: Learner) -> None:
        self._publisher.publish(
            learner, label_revision=self._must_have_plan().label_revision, now_s=time.time()
        )
        self._pace.published = self._publisher.newest_id

    def _save(self, learner: Learner, news: TrainNews) -> None:
        plan = self._must_have_plan()
        news.saving(learner.step)
        self._saver.save(learner)
        probes = Probes(
            learner.sampler.episodes,
            held_out=False,
            origins={episode.id: episode.origin for episode in plan.episodes},
            config=learner.config,
        )
        found = probes.measure(learner)
        news.probed(learner, found)
        self._saver.tell(learner, found, label_revision=plan.label_revision)
        self._saved = (time.monotonic(), learner.step)

    def _result(self, learner: Learner, news: TrainNews) -> dict[str, Any]:
        last = checkpoints.describe(self._child.data_dir, self._saver.id(learner.step))
        last["label_revision"] = self._must_have_plan().label_revision
        return {
            **news.result(),
            **self._told,
            **self._publisher.told(),
            "checkpoint": last["id"],
            "last": last,
            "step": learner.step,
        }

    def _must_have_plan(self) -> TrainPlan:
        assert self._plan is not None
        return self._plan

    def _ask_to_stop(self, _signal: int, _frame: object) -> None:
        self._asked_to_stop = True


def _log(text: str) -> None:
    sys.stdout.write(text + "\n")
