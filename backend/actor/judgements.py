"""The critic's values while an attempt goes on, and what two of them say of the time between.

An advantage needs the value of a moment and that of a chunk later, so it is known late and belongs
to a step that is past. Values do not come for every step: of those that are there, the pair is
taken whose distance comes closest to a whole chunk, and none if that is less than three quarters.
"""

from collections import deque
from typing import NamedTuple

# Of a chunk; below it, an advantage would speak of something else than the word learned from it.
LEAST_SHARE = 0.75
KEPT = 256


class Value(NamedTuple):
    """The critic's opinion of one moment, in units of return."""

    value: float
    # None for a scalar critic.
    spread: float | None


class Judged(NamedTuple):
    """A step, the tick that it was, and its value."""

    step: int
    value: float


class Judgements:
    """Since the last takeover, hand-back or start."""

    def __init__(self, horizon: int) -> None:
        """`horizon`: steps that an advantage spans."""
        self._horizon = horizon
        self._judged: deque[Judged] = deque(maxlen=KEPT)

    def add(self, newest: Judged) -> Judged | None:
        """Take another value; return the one that it makes an advantage with, if any."""
        least = self._horizon * LEAST_SHARE
        partner = next(
            (
                before
                for before in self._judged
                if least <= newest.step - before.step <= self._horizon
            ),
            None,
        )
        self._judged.append(newest)
        return partner
