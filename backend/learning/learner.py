"""What a learner does when: stages, extra critic updates, labels, episodes that come and go.

Offline and online learners share it. An update draws `batch_size * accumulation` chunks. One numpy
generator makes every random number, so a run resumed from its state goes on bit for bit (on the
CPU). The updates themselves are in `updates.py`.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from backend.learning.arrays import ChunkBatch, EpisodeArrays
from backend.learning.config import LearnerConfig
from backend.learning.labels import Labels, make_labels, positive_fraction
from backend.learning.meter import Metrics
from backend.learning.models import Models
from backend.learning.replay import ChunkSampler
from backend.learning.scoring import score_episodes
from backend.learning.updates import Updates

MakeSampler = Callable[[np.random.Generator], ChunkSampler]


class Learner(Updates):
    """One run: its schedule, its sampler and its labels, besides what `Updates` owns.

    Use: `set_episodes`, then `train_step` until `done`; the schedule says what each step does.
    """

    def __init__(
        self, models: Models, config: LearnerConfig, *, sampler: MakeSampler | None = None
    ) -> None:
        """Prepare to learn.

        Args:
            models: What is trained.
            config: How.
            sampler: Makes what batches are drawn with, from the run's randomness; one that knows
                no sources when None.
        """
        super().__init__(models, config)
        self.step = 0
        self.sampler = (
            sampler(self.rng)
            if sampler is not None
            else ChunkSampler(
                horizon=config.model.chunk_size,
                reward=config.reward,
                rng=self.rng,
                online_fraction=config.data.online_fraction,
            )
        )

    def set_episodes(self, episodes: Sequence[EpisodeArrays]) -> None:
        """Learn from these episodes from now on.

        Labels in force are brought up to date: only new episodes are scored, only those that
        changed are judged again, and the thresholds of known tasks stay until all are labelled
        anew. The scale of the returns never shrinks during a run, so that old values keep their
        meaning.
        """
        before = {e.episode_id: e for e in self.sampler.episodes}
        scale = dict(self.sampler.longest)
        self.sampler.set_episodes(episodes, longest=self.models.longest)
        self.models.longest = dict(self.sampler.longest)
        if self.labels is None:
            return
        changed = [
            episode
            for episode in episodes
            if before.get(episode.episode_id) is not episode
            or scale.get(episode.task) != self.sampler.longest[episode.task]
        ]
        self.take_labels(self._brought_up_to_date(self.labels, episodes, changed))

    @property
    def done(self) -> bool:
        """Whether the schedule is through."""
        return self.step >= self.config.schedule.total_steps

    @property
    def stage(self) -> str:
        """What the next step trains: `critic`, `actor` or `joint`."""
        schedule = self.config.schedule
        if schedule.order == "joint":
            return "critic" if self.step < schedule.critic_warmup_steps else "joint"
        if 0 < schedule.total_steps - self.step <= schedule.refit_steps:
            return "critic"
        in_round = self.step % (schedule.critic_steps + schedule.actor_steps)
        return "critic" if in_round < schedule.critic_steps else "actor"

    def train_step(self) -> Metrics:
        """Make one update as the schedule says and return its metrics."""
        stage = self.stage
        if stage == "critic":
            # A moving critic makes old labels stale: the next actor stage labels again.
            self.labels = None
            metrics = self.update_critic(self._draw_for_critic())
        elif stage == "actor":
            metrics = {} if self.labels is not None else self.relabel()
            metrics |= self.update_actor(self.sampler.draw(self.config.optimizer.update_size))
        else:
            for _ in range(self.config.schedule.critic_updates - 1):
                self.update_critic(self._draw_for_critic())
            metrics = self.update_both(self._draw_for_critic())
        self.step += 1
        schedule = self.config.schedule
        if schedule.refit_steps and self.step == schedule.total_steps:
            # The thresholds that the checkpoint remembers are those of its own critic.
            metrics |= self.relabel()
        return metrics

    def _draw_for_critic(self) -> ChunkBatch:
        by_td = self.config.critic.learn_from == "td"
        return self.sampler.draw(
            self.config.optimizer.update_size,
            with_successors=by_td,
            all_steps=True,
            judged_only=not by_td,
        )

    def relabel(self) -> Metrics:
        """Score all episodes with the critic as it is, decide all words, and keep them."""
        episodes = self.sampler.episodes
        values = self._values_of(episodes)
        self.take_labels(
            make_labels(episodes, values, config=self.config, longest=self.sampler.longest)
        )
        assert self.labels is not None
        return {"label_positive_fraction": positive_fraction(self.labels, self.config.words)}

    def _values_of(self, episodes: Sequence[EpisodeArrays]) -> dict[str, np.ndarray]:
        if not self._needs_labels:
            return {episode.episode_id: np.zeros(len(episode)) for episode in episodes}
        return {name: score.values for name, score in score_episodes(self.models, episodes)}

    def _brought_up_to_date(
        self, labels: Labels, episodes: Sequence[EpisodeArrays], changed: Sequence[EpisodeArrays]
    ) -> Labels:
        """Labels of `episodes`, made anew for those that changed."""
        # A value follows from what was seen, which no relabelling changes.
        unknown = [e for e in changed if len(labels.values.get(e.episode_id, ())) != len(e)]
        values = {**labels.values, **self._values_of(unknown)}
        anew = make_labels(
            changed,
            values,
            config=self.config,
            longest=self.sampler.longest,
            thresholds=self._with_new_tasks(labels, changed, values),
        )
        kept = [e.episode_id for e in episodes]

        def laid_over[Of](old: Mapping[str, Of], new: Mapping[str, Of]) -> dict[str, Of]:
            return {name: new[name] if name in new else old[name] for name in kept}

        return Labels(
            values={name: values[name] for name in kept},
            advantages=laid_over(labels.advantages, anew.advantages),
            words=laid_over(labels.words, anew.words),
            left_out=laid_over(labels.left_out, anew.left_out),
            thresholds=anew.thresholds,
        )

    def _with_new_tasks(
        self,
        labels: Labels,
        changed: Sequence[EpisodeArrays],
        values: Mapping[str, np.ndarray],
    ) -> Mapping[str, float]:
        """Thresholds in force, and those of tasks that come with these episodes."""
        new = [e for e in changed if e.task not in labels.thresholds]
        if self.config.words.mode != "two" or not new:
            return labels.thresholds
        first = make_labels(new, values, config=self.config, longest=self.sampler.longest)
        return {**labels.thresholds, **first.thresholds}

    def take_labels(self, labels: Labels) -> None:
        """Use a label run, made here or before, for the actor."""
        self.labels = labels
        self.models.thresholds = dict(labels.thresholds)
        self.sampler.leave_out(labels.left_out)
