"""The loop's time, passed in, so that tests run an hour of driving without waiting for it."""

import time
from typing import Protocol


class Clock(Protocol):
    """Two times: one that only runs forward, and the one on the wall."""

    def now_s(self) -> float:
        """Monotonic seconds; only differences mean something."""

    def wall_s(self) -> float:
        """Unix time in seconds."""

    def sleep_until(self, deadline_s: float) -> None:
        """Return at `deadline_s` of `now_s`, at once when that has passed."""


class SystemClock:
    """The machine's own clocks."""

    def now_s(self) -> float:
        return time.monotonic()

    def wall_s(self) -> float:
        return time.time()

    def sleep_until(self, deadline_s: float) -> None:
        remaining_s = deadline_s - time.monotonic()
        if remaining_s > 0:
            time.sleep(remaining_s)
