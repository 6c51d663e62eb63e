"""Episodes whose good and bad actions are known: a dot to be followed by the arm.

The camera shows a bright square; the good action points at it, the bad one away from it. Success
and failure, who drove, and lengths are the caller's choice.
"""

import zlib

import numpy as np

from backend.domain import Outcome
from backend.learning.replay import EpisodeArrays

STATE_DIM = 2
ACTION_DIM = 2


def make_episode(
    episode_id: str,
    *,
    steps: int = 20,
    outcome: Outcome = Outcome.SUCCESS,
    task: str = "follow the dot",
    good: bool = True,
    human_from: int | None = None,
    source: str = "offline",
    cameras: tuple[str, ...] = ("front",),
    pixels: int = 32,
    rng: np.random.Generator | None = None,
) -> EpisodeArrays:
    """Return an episode where all actions point at the dot (`good`) or away from it."""
    rng = rng or np.random.default_rng(zlib.crc32(episode_id.encode()))
    target = rng.uniform(-1, 1, size=2).astype(np.float32)
    progress = np.linspace(0.0, 1.0, steps, dtype=np.float32)[:, None]
    states = progress * target * (1.0 if good else -1.0)
    direction = np.sign(target) * np.maximum(np.abs(target), 0.3)
    actions = np.repeat(direction[None] * (1.0 if good else -1.0), steps, axis=0)
    frame = np.zeros((pixels, pixels, 3), dtype=np.uint8)
    row, column = ((target + 1) / 2 * (pixels - 8)).astype(int)
    frame[row : row + 8, column : column + 8] = 255
    is_human = np.zeros(steps, dtype=bool)
    if human_from is not None:
        is_human[human_from:] = True
    return EpisodeArrays(
        episode_id=episode_id,
        task=task,
        fps=10.0,
        states=states.astype(np.float32),
        actions=actions.astype(np.float32),
        images={name: np.repeat(frame[None], steps, axis=0) for name in cameras},
        is_human=is_human,
        outcome=outcome,
        source=source,
    )


def good_and_bad(
    count: int, *, steps: int = 20, pixels: int = 32, first: int = 0
) -> list[EpisodeArrays]:
    """Return `count` successes with good actions and as many failures with bad ones."""
    episodes = []
    for number in range(first, first + count):
        for good in (True, False):
            outcome = Outcome.SUCCESS if good else Outcome.FAILURE
            rng = np.random.default_rng(1000 + number * 2 + good)
            episodes.append(
                make_episode(
                    f"{outcome}-{number}",
                    steps=steps,
                    outcome=outcome,
                    good=good,
                    pixels=pixels,
                    rng=rng,
                )
            )
    return episodes
