"""Keeps the control loop on an absolute schedule and says how well it does.

Deadlines are `start + n / hz`, so that one late tick delays no other and the rate never drifts. A
tick that would begin a whole period late is dropped: the next one waits for its own deadline,
rather than following at once, because a burst of actions is a jerk of the arm.
"""

import math
from collections import deque

import numpy as np

from backend.actor.clock import Clock
from backend.wire import Rates

WINDOW_S = 5.0
# Percentiles are for eyes; computing them at every tick would cost the loop more than it tells.
REFRESH_S = 0.25
# Below this share of the configured rate the loop is slow.
SLOW_SHARE = 0.9


class Pacer:
    """The schedule of one open robot."""

    def __init__(self, *, hz: float, clock: Clock) -> None:
        """Args: hz: control steps a second, above 0."""
        if not hz > 0:
            raise ValueError(f"the control rate must be above 0 Hz, got {hz}: see the robot's fps")
        self.hz = hz
        self._clock = clock
        self._start_s = clock.now_s()
        self._next = 1
        self._overruns = 0
        # (when the tick began, lateness), seconds.
        self._ticks: deque[tuple[float, float]] = deque()
        self._rates = Rates(target_hz=hz)
        self._rates_s = self._start_s

    def wait(self) -> float:
        """Sleep until the next tick is due; return how late it begins, seconds."""
        self._clock.sleep_until(self._deadline_s())
        now_s = self._clock.now_s()
        late_s = now_s - self._deadline_s()
        if late_s >= 1 / self.hz:
            self._overruns += 1
            self._next = math.ceil((now_s - self._start_s) * self.hz)
            self._clock.sleep_until(self._deadline_s())
            now_s = self._clock.now_s()
        self._next += 1
        self._ticks.append((now_s, late_s))
        while self._ticks[0][0] < now_s - WINDOW_S:
            self._ticks.popleft()
        return late_s

    def rates(self) -> Rates:
        """What the last five seconds were like."""
        now_s = self._clock.now_s()
        if now_s - self._rates_s >= REFRESH_S and len(self._ticks) > 1:
            began_s = self._ticks[0][0]
            late_ms = np.array([late_s for _, late_s in self._ticks]) * 1000
            p50, p99 = np.percentile(late_ms, (50, 99))
            self._rates_s = now_s
            self._rates = Rates(
                loop_hz=round((len(self._ticks) - 1) / (self._ticks[-1][0] - began_s), 2),
                target_hz=self.hz,
                late_p50_ms=round(float(p50), 3),
                late_p99_ms=round(float(p99), 3),
                overruns=self._overruns,
            )
        return self._rates

    def is_slow(self) -> bool:
        """The rate was missed for long enough to tell people."""
        observed_s = self._ticks[-1][0] - self._ticks[0][0] if self._ticks else 0.0
        return observed_s > WINDOW_S / 2 and self.rates().loop_hz < SLOW_SHARE * self.hz

    def _deadline_s(self) -> float:
        return self._start_s + self._next / self.hz
