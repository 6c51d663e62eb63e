"""Episodes, moments and chunks as arrays: what models see and learners draw.

Numpy only. Pictures stay uint8 until `inputs.py` makes them floats. What is drawn when is up to
`replay.py`.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from backend.domain import Outcome


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
    # Steps that a person called so, whose chunks get the worst or the best word; None: none of
    # them. No step is both.
    is_mistake: Bool[np.ndarray, " t"] | None = None
    is_correction: Bool[np.ndarray, " t"] | None = None

    def __post_init__(self) -> None:
        said = {"is_mistake": self.is_mistake, "is_correction": self.is_correction}
        lengths = {
            "states": len(self.states),
            "actions": len(self.actions),
            "is_human": len(self.is_human),
            **{name: len(steps) for name, steps in said.items() if steps is not None},
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
    # What a person said of the step at `starts`.
    is_mistake: Bool[np.ndarray, " b"]
    is_correction: Bool[np.ndarray, " b"]
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
