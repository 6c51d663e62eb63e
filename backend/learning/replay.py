"""Episodes as arrays, and batches of action chunks drawn from them.

A chunk never leaves its episode: what lies past the end is padding (`action_is_pad`), and whether
the episode was terminated or truncated decides if its future is bootstrapped. The last steps are
drawn like all others. Pictures stay uint8 until `inputs.py` makes them floats.
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from backend.domain import Outcome
from backend.learning.advantages import human_share
from backend.learning.config import RewardConfig
from backend.learning.returns import (
    ChunkRewards,
    chunk_rewards,
    longest_by_task,
    monte_carlo_returns,
)


@dataclass(frozen=True, kw_only=True)
class EpisodeArrays:
    """One whole attempt, as recorded, with the judgement in force.

    Pictures may be any array that can be indexed by step (a memory map, for example).
    """

    # Unique; episodes are keyed by it, never by position.
    episode_id: str
    task: str
    fps: float
    # [steps, state dim] and [steps, action dim], float32, in the robot's own units.
    states: Float[np.ndarray, "t s"]
    actions: Float[np.ndarray, "t a"]
    # [steps, height, width, 3] RGB, by camera name.
    images: Mapping[str, UInt8[np.ndarray, "t h w 3"]]
    # Who drove each step.
    is_human: Bool[np.ndarray, " t"]
    # `none` means truncated: nobody judged it, so its end says nothing about success.
    outcome: Outcome
    # Where it came from, which decides mixing and forcing.
    source: Literal["offline", "online", "demonstration"] = "offline"

    def __post_init__(self) -> None:
        lengths = {
            "states": len(self.states),
            "actions": len(self.actions),
            "is_human": len(self.is_human),
            **{f"images[{name!r}]": len(frames) for name, frames in self.images.items()},
        }
        if len(set(lengths.values())) != 1 or len(self.states) == 0:
            raise ValueError(
                f"episode {self.episode_id}: every array needs the same number of steps, at least "
                f"1, got {lengths}"
            )
        for name, array in (("states", self.states), ("actions", self.actions)):
            if array.dtype != np.float32:
                raise ValueError(
                    f"episode {self.episode_id}: {name} are {array.dtype}, must be float32: half "
                    "precision rounds joint angles"
                )
            if not np.isfinite(array).all():
                step = int(np.flatnonzero(~np.isfinite(array).all(axis=1))[0])
                raise ValueError(f"episode {self.episode_id}: {name} of step {step} not finite")
        for name, frames in self.images.items():
            if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[-1] != 3:
                raise ValueError(
                    f"episode {self.episode_id}: camera {name!r} is {frames.dtype} "
                    f"{tuple(frames.shape)}, must be uint8 (steps, height, width, 3)"
                )

    def __len__(self) -> int:
        return len(self.states)

    @property
    def terminated(self) -> bool:
        """Whether somebody judged the end, so that nothing comes after it."""
        return self.outcome is not Outcome.NONE


@dataclass(frozen=True, kw_only=True)
class Observations:
    """What the models see at b moments."""

    tasks: list[str]
    states: Float[np.ndarray, "b s"]
    images: dict[str, UInt8[np.ndarray, "b h w 3"]]

    def rows(self, rows: slice) -> "Observations":
        """Return some of the moments."""
        return Observations(
            tasks=self.tasks[rows],
            states=self.states[rows],
            images={name: frames[rows] for name, frames in self.images.items()},
        )


@dataclass(frozen=True, kw_only=True)
class ChunkBatch:
    """b chunks and what is known about them."""

    episode_ids: list[str]
    starts: Int[np.ndarray, " b"]
    observations: Observations
    actions: Float[np.ndarray, "b h a"]
    action_is_pad: Bool[np.ndarray, "b h"]
    human_share: Float[np.ndarray, " b"]
    is_demonstration: Bool[np.ndarray, " b"]
    # True where the episode is judged and ends within the chunk; truncated where it is cut there.
    terminated: Bool[np.ndarray, " b"]
    truncated: Bool[np.ndarray, " b"]
    # True return, NaN for truncated episodes, and whether `starts` is the judged last step.
    returns: Float[np.ndarray, " b"]
    is_last: Bool[np.ndarray, " b"]
    rewards: Float[np.ndarray, " b"]
    discounts: Float[np.ndarray, " b"]
    # What is seen at the successor states; None unless asked for.
    successors: Observations | None = None

    def __len__(self) -> int:
        return len(self.starts)

    def parts(self, size: int) -> Iterator["ChunkBatch"]:
        """Yield the batch in micro-batches of `size`, the last one maybe smaller."""
        for first in range(0, len(self), size):
            rows = slice(first, first + size)
            yield ChunkBatch(
                **{f.name: _rows(getattr(self, f.name), rows) for f in dataclasses.fields(self)}
            )


def _rows(value: Any, rows: slice) -> Any:
    if value is None:
        return None
    return value.rows(rows) if isinstance(value, Observations) else value[rows]


@dataclass(frozen=True, kw_only=True)
class _Prepared:
    episode: EpisodeArrays
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
    # Rows that may be drawn, by whether online and whether all steps; made when first needed.
    _starts: dict[tuple[bool, bool], np.ndarray] = field(default_factory=dict, init=False)

    def set_episodes(
        self, episodes: Sequence[EpisodeArrays], *, longest: Mapping[str, int] | None = None
    ) -> None:
        """Take these episodes instead of those before.

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
        self._left_out = {}
        self._prepared = {}
        self._starts = {}
        for episode in episodes:
            chunks = chunk_rewards(
                len(episode),
                episode.outcome,
                horizon=self.horizon,
                longest=self.longest[episode.task],
                config=self.reward,
            )
            self._prepared[episode.episode_id] = _Prepared(
                episode=episode,
                chunks=chunks,
                returns=monte_carlo_returns(chunks, config=self.reward),
                human=human_share(episode.is_human, self.horizon),
            )

    def leave_out(self, left_out: Mapping[str, Bool[np.ndarray, " t"]]) -> None:
        """Start no chunk at these steps, by episode id, unless all steps are asked for."""
        self._left_out = left_out
        self._starts = {}

    def _drawable(self, *, online: bool, all_steps: bool) -> Int[np.ndarray, "n 2"]:
        """Return number of episode and step of every chunk that may be drawn."""
        if (online, all_steps) in self._starts:
            return self._starts[online, all_steps]
        rows = [np.zeros((0, 2), dtype=int)]
        for number, (name, prepared) in enumerate(self._prepared.items()):
            if (prepared.episode.source == "online") is not online:
                continue
            steps = np.arange(len(prepared.episode))
            if not all_steps and name in self._left_out:
                steps = steps[~self._left_out[name]]
            rows.append(np.stack([np.full(len(steps), number), steps], axis=1))
        self._starts[online, all_steps] = np.concatenate(rows)
        return self._starts[online, all_steps]

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
        self, size: int, *, with_successors: bool = False, all_steps: bool = False
    ) -> ChunkBatch:
        """Return `size` chunks drawn with replacement.

        Args:
            size: Chunks of the batch.
            with_successors: Also what is seen at the successor states.
            all_steps: Draw from the steps that are left out too, as the critic does.
        """
        starts = {o: self._drawable(online=o, all_steps=all_steps) for o in (False, True)}
        online = round(size * self.online_fraction)
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
            terminated=ends & judged,
            truncated=ends & ~judged,
            returns=np.array([p.returns[s] for p, s in rows]),
            is_last=np.array([p.episode.terminated and s == len(p.episode) - 1 for p, s in rows]),
            rewards=np.array([p.chunks.rewards[s] for p, s in rows]),
            discounts=np.array([p.chunks.discounts[s] * p.chunks.bootstraps[s] for p, s in rows]),
            successors=successors,
        )


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
