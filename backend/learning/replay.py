"""Batches of action chunks drawn from episodes.

A chunk never leaves its episode: what lies past the end is padding (`action_is_pad`), and whether
the episode was terminated or truncated decides if its future is bootstrapped. The last steps are
drawn like all others.

Episodes may come, go and change their outcome between two draws; what follows from an episode that
did not change is kept.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float, Int

from backend.learning.advantages import human_share
from backend.learning.arrays import ChunkBatch, EpisodeArrays, Observations
from backend.learning.config import RewardConfig
from backend.learning.returns import (
    ChunkRewards,
    chunk_rewards,
    longest_by_task,
    monte_carlo_returns,
)

__all__ = ["ChunkBatch", "ChunkSampler", "EpisodeArrays", "Observations"]


@dataclass(frozen=True, kw_only=True)
class Drawable:
    """Which chunks a draw may pick."""

    # Those that are left out too, as the critic learns from all.
    all_steps: bool = False
    # Only of episodes whose true return is known: somebody judged them.
    judged_only: bool = False


@dataclass(frozen=True, kw_only=True)
class _Prepared:
    """An episode and what follows from it."""

    episode: EpisodeArrays
    # Steps of the longest episode of its task, by which its returns are scaled.
    longest: int
    chunks: ChunkRewards
    returns: np.ndarray
    human: np.ndarray


@dataclass(kw_only=True)
class ChunkSampler:
    """Draws chunks evenly over all steps, with a share of them from online episodes."""

    horizon: int
    reward: RewardConfig
    rng: np.random.Generator
    online_fraction: float = 0.5
    # Steps of the longest episode of each task, which scales the returns.
    longest: dict[str, int] = field(default_factory=dict, init=False)
    _prepared: dict[str, _Prepared] = field(default_factory=dict, init=False)
    _left_out: Mapping[str, np.ndarray] = field(default_factory=dict, init=False)
    # Rows that may be drawn, by whether online and which; made when first needed.
    _starts: dict[tuple[bool, Drawable], np.ndarray] = field(default_factory=dict, init=False)

    def set_episodes(
        self, episodes: Sequence[EpisodeArrays], *, longest: Mapping[str, int] | None = None
    ) -> None:
        """Take these episodes instead of those before; returns of unchanged ones are kept.

        Args:
            episodes: Must differ in their ids.
            longest: Steps of the longest episode of each task so far; the scale only grows.
        """
        ids = [episode.episode_id for episode in episodes]
        if len(set(ids)) != len(ids):
            twice = sorted({name for name in ids if ids.count(name) > 1})
            raise ValueError(f"episode {twice[0]} is given twice: episodes are keyed by id")
        if not episodes:
            raise ValueError("no episodes to learn from: record or import some")
        self.longest = longest_by_task(
            [*((e.task, len(e)) for e in episodes), *(longest or {}).items()]
        )
        before, self._prepared = self._prepared, {}
        self._left_out = {}
        self._starts = {}
        for episode in episodes:
            known = before.get(episode.episode_id)
            self._prepared[episode.episode_id] = (
                known
                if known is not None
                and known.episode is episode
                and known.longest == self.longest[episode.task]
                else self._prepare(episode)
            )

    def _prepare(self, episode: EpisodeArrays) -> _Prepared:
        longest = self.longest[episode.task]
        chunks = chunk_rewards(
            len(episode),
            episode.outcome,
            horizon=self.horizon,
            longest=longest,
            config=self.reward,
        )
        return _Prepared(
            episode=episode,
            longest=longest,
            chunks=chunks,
            returns=monte_carlo_returns(chunks, config=self.reward),
            human=human_share(episode.is_human, self.horizon),
        )

    def leave_out(self, left_out: Mapping[str, Bool[np.ndarray, " t"]]) -> None:
        """Start no chunk at these steps, by episode id, unless all steps are asked for."""
        self._left_out = left_out
        self._starts = {}

    def _drawable(self, which: Drawable, *, online: bool) -> Int[np.ndarray, "n 2"]:
        """Return number of episode and step of every chunk that may be drawn."""
        if (online, which) in self._starts:
            return self._starts[online, which]
        rows = [np.zeros((0, 2), dtype=int)]
        for number, (name, prepared) in enumerate(self._prepared.items()):
            if (prepared.episode.source == "online") is not online:
                continue
            if which.judged_only and not prepared.episode.terminated:
                continue
            steps = np.arange(len(prepared.episode))
            if not which.all_steps and name in self._left_out:
                steps = steps[~self._left_out[name]]
            rows.append(np.stack([np.full(len(steps), number), steps], axis=1))
        self._starts[online, which] = np.concatenate(rows)
        return self._starts[online, which]

    @property
    def episodes(self) -> list[EpisodeArrays]:
        """The episodes drawn from, in order."""
        return [prepared.episode for prepared in self._prepared.values()]

    def chunks_of(self, episode_id: str) -> ChunkRewards:
        """Return rewards and successors of every step of an episode."""
        return self._prepared[episode_id].chunks

    def returns_of(self, episode_id: str) -> Float[np.ndarray, " t"]:
        """Return the true returns of an episode, NaN when it is truncated."""
        return self._prepared[episode_id].returns

    def draw(
        self,
        size: int,
        *,
        with_successors: bool = False,
        all_steps: bool = False,
        judged_only: bool = False,
    ) -> ChunkBatch:
        """Return `size` chunks drawn with replacement.

        Args:
            size: Chunks of the batch.
            with_successors: Also what is seen at the successor states.
            all_steps: Draw from the steps that are left out too, as the critic does.
            judged_only: Draw only from episodes that somebody judged: others have no return.

        Raises:
            ValueError: There is no such step.
        """
        which = Drawable(all_steps=all_steps, judged_only=judged_only)
        starts = {o: self._drawable(which, online=o) for o in (False, True)}
        online = round(size * self.online_fraction)
        if len(starts[True]) == len(starts[False]) == 0:
            raise ValueError(nothing_to_draw(which))
        if len(starts[True]) == 0 or len(starts[False]) == 0:
            online = size if len(starts[True]) else 0
        picks = []
        for rows, count in ((starts[False], size - online), (starts[True], online)):
            if count:
                picks.append(rows[self.rng.integers(len(rows), size=count)])
        ids = list(self._prepared)
        where = [(ids[number], int(start)) for number, start in np.concatenate(picks)]
        return self.gather(where, with_successors=with_successors)

    def gather(
        self, where: Sequence[tuple[str, int]], *, with_successors: bool = False
    ) -> ChunkBatch:
        """Return the chunks that start at the given (episode id, step)."""
        prepared = [self._prepared[episode_id] for episode_id, _ in where]
        starts = np.array([start for _, start in where])
        rows = [(p, start) for p, (_, start) in zip(prepared, where, strict=True)]
        actions, pads = zip(*(_window(p.episode, s, self.horizon) for p, s in rows), strict=True)
        ends = np.array([s + self.horizon >= len(p.episode) for p, s in rows])
        judged = np.array([p.episode.terminated for p in prepared])
        successors = None
        if with_successors:
            next_rows = [(p, int(p.chunks.successors[s])) for p, s in rows]
            successors = _observe(next_rows)
        return ChunkBatch(
            episode_ids=[episode_id for episode_id, _ in where],
            starts=starts,
            observations=_observe(rows),
            actions=np.stack(actions),
            action_is_pad=np.stack(pads),
            human_share=np.array([p.human[s] for p, s in rows]),
            is_demonstration=np.array([p.episode.source == "demonstration" for p in prepared]),
            is_mistake=np.array([_said(p.episode.is_mistake, s) for p, s in rows]),
            is_correction=np.array([_said(p.episode.is_correction, s) for p, s in rows]),
            terminated=ends & judged,
            truncated=ends & ~judged,
            returns=np.array([p.returns[s] for p, s in rows]),
            is_last=np.array([p.episode.terminated and s == len(p.episode) - 1 for p, s in rows]),
            rewards=np.array([p.chunks.rewards[s] for p, s in rows]),
            discounts=np.array([p.chunks.discounts[s] * p.chunks.bootstraps[s] for p, s in rows]),
            successors=successors,
        )


def nothing_to_draw(which: Drawable) -> str:
    """Why there is no chunk, and what to do."""
    if which.judged_only:
        return (
            "every episode is unjudged, so no chunk has a return: grade some as success or "
            "failure, or set critic.learn_from to 'td'"
        )
    return "every step of every episode is left out: nothing can be drawn"


def _said(steps: Bool[np.ndarray, " t"] | None, step: int) -> bool:
    return steps is not None and bool(steps[step])


def _window(
    episode: EpisodeArrays, start: int, horizon: int
) -> tuple[Float[np.ndarray, "h a"], Bool[np.ndarray, " h"]]:
    real = episode.actions[start : start + horizon]
    is_pad = np.arange(horizon) >= len(real)
    # The last real action stands in the padding, as in LeRobot's datasets; the loss skips it.
    return np.concatenate([real, np.repeat(real[-1:], horizon - len(real), axis=0)]), is_pad


def _observe(rows: Sequence[tuple[_Prepared, int]]) -> Observations:
    cameras = rows[0][0].episode.images
    return Observations(
        tasks=[p.episode.task for p, _ in rows],
        states=np.stack([p.episode.states[s] for p, s in rows]),
        images={name: np.stack([p.episode.images[name][s] for p, s in rows]) for name in cameras},
    )
