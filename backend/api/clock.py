"""The time, handed in so that tests decide what it is."""

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Clock:
    """Two readings: what a calendar shows, and what durations are measured with."""

    wall_s: Callable[[], float] = time.time
    monotonic_s: Callable[[], float] = time.monotonic

    def wall_ms(self) -> float:
        return self.wall_s() * 1000
