"""Whether somebody is there to drive: the age of the page's refreshes, the lease, the link.

Fed from the link's thread, read by the loop. Silence is what counts, not any message that would
announce it: a browser that crashed announces nothing. A program that never sent an input and
drives by commands alone is not missed while the policy drives.
"""

import threading
from collections import deque

from backend.actor.safety import SafetyTimes
from backend.domain import Phase
from backend.wire import InputMessage

# Two seconds of a page; more wait only while no robot is open, for nobody.
MAX_WAITING = 64


class Deadman:
    """Knows the newest input and how long everybody has been silent."""

    def __init__(self, *, times: SafetyTimes, now_s: float) -> None:
        self._times = times
        self._lock = threading.Lock()
        self._waiting: deque[InputMessage] = deque(maxlen=MAX_WAITING)
        self._arrived_s: float | None = None
        # Inputs that came too late to be acted on.
        self.num_late = 0
        self._holder: str | None = None
        self._holder_gone = False
        self._link_down_s: float | None = now_s
        self._last_ping_s: float | None = None
        # Loop's side: when the present phase began, and whether inputs came since then.
        self._phase_s = now_s
        self._attended = False

    # -- the link's side ---------------------------------------------------------------------

    def feed(self, message: InputMessage, *, age_s: float, now_s: float) -> None:
        """Take a refresh, unless it is too old to mean what the person does now."""
        with self._lock:
            if age_s > self._times.release_s:
                self.num_late += 1
                return
            self._waiting.append(message)
            self._arrived_s = now_s

    def lease(self, holder: str | None) -> None:
        """Who may drive now."""
        with self._lock:
            if holder is not None:
                self._holder_gone = False
            elif self._holder is not None:
                self._holder_gone = True
            self._holder = holder

    def link_up(self) -> None:
        """The server is reachable."""
        with self._lock:
            self._link_down_s = None
            self._last_ping_s = None

    def link_down(self, *, now_s: float) -> None:
        """The server is not reachable; whoever held the lease is gone with it."""
        with self._lock:
            if self._link_down_s is None:
                self._link_down_s = now_s
            self._holder = None

    def ping(self, *, now_s: float) -> None:
        """The server spoke."""
        with self._lock:
            self._last_ping_s = now_s

    # -- the loop's side ---------------------------------------------------------------------

    def take(self) -> list[InputMessage]:
        """All refreshes since the last call, in order."""
        with self._lock:
            waiting = list(self._waiting)
            self._waiting.clear()
            # What waited since before the phase says nothing of who is there now.
            if self._arrived_s is not None and self._arrived_s >= self._phase_s:
                self._attended = True
            return waiting

    def enter(self, phase: Phase, *, keep_watch: bool, now_s: float) -> None:
        """A phase began. `keep_watch`: the driver seen before must still be there."""
        with self._lock:
            self._phase_s = now_s
            self._attended = self._attended and keep_watch and phase is Phase.POLICY
            self._holder_gone = False

    def is_stale(self, *, now_s: float) -> bool:
        """The newest input is too old to move the arm, or its sender may no longer drive."""
        with self._lock:
            return (
                self._arrived_s is None
                or self._holder_gone
                or now_s - self._arrived_s > self._times.release_s
            )

    def arrived_after(self, moment_s: float) -> bool:
        """An input came after `moment_s`."""
        with self._lock:
            return self._arrived_s is not None and self._arrived_s > moment_s

    def link_down_for_s(self, *, now_s: float) -> float:
        """Seconds without a server, 0 while there is one."""
        with self._lock:
            return 0.0 if self._link_down_s is None else now_s - self._link_down_s

    def link_lost(self, *, now_s: float) -> bool:
        """A stop could not reach the robot."""
        with self._lock:
            if self._link_down_s is not None:
                return now_s - self._link_down_s >= self._times.held_s
            return (
                self._last_ping_s is not None
                and now_s - self._last_ping_s >= self._times.silent_link_s
            )

    def loss(self, phase: Phase, *, now_s: float) -> str:
        """Why nobody drives in `phase`, for people; empty while somebody does."""
        if self.link_lost(now_s=now_s):
            return "driver lost: no link to the server, so a stop could not reach the robot"
        with self._lock:
            silent_s = now_s - max(self._arrived_s or self._phase_s, self._phase_s)
            is_silent = silent_s >= self._times.held_s
            if phase is Phase.HUMAN and is_silent:
                return f"driver lost: no input for {self._times.held_s:g} s"
            if phase is Phase.POLICY and self._holder_gone:
                return "driver lost: nobody holds the lease any more"
            if phase is Phase.POLICY and self._attended and is_silent:
                return f"driver lost: the page has been silent for {self._times.held_s:g} s"
            return ""
