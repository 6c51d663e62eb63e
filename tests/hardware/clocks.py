"""A clock that stands still until the test moves it."""

import threading


class HandClock:
    """Monotonic seconds, moved by hand; any thread may read it."""

    def __init__(self, now_s: float = 1000.0) -> None:
        self._lock = threading.Lock()
        self._now_s = now_s

    def __call__(self) -> float:
        with self._lock:
            return self._now_s

    def move(self, seconds: float) -> None:
        with self._lock:
            self._now_s += seconds
