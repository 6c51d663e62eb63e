"""Whether a hand pushes a leader arm away from where it is told to be.

Servos trail their goals. So a leader is where it should be as long as it is between the goals of
the last moment, and only what is outside of all of them, for long enough, is a hand's doing.
"""

from collections import deque

import numpy as np


class PushSense:
    """Judges every step of a leader that follows.

    Args:
        distance: A leader this far from where it was told to be, in action units, is being pushed.
        long_enough_s: For how long it has to be.
        lag_s: Being where a goal was this long ago is being there.
    """

    def __init__(self, *, distance: float, long_enough_s: float, lag_s: float) -> None:
        self._distance = distance
        self._long_enough_s = long_enough_s
        self._lag_s = lag_s
        self._path: deque[tuple[float, np.ndarray]] = deque()
        self._now_s = 0.0
        self._pushed_s = 0.0

    def forget(self) -> None:
        """It no longer follows; what it was told means nothing for the next time."""
        self._path.clear()
        self._pushed_s = 0.0

    def feel(self, present: np.ndarray, goal: np.ndarray, dt_s: float, *, counts: bool) -> bool:
        """Take one step.

        Args:
            present: float32 [action dim], where it is.
            goal: float32 [action dim], where it has just been told to go.
            dt_s: Time since the last step.
            counts: False while it is still on its way to the robot.

        Returns:
            Whether it has been pushed for long enough; once a push.
        """
        self._now_s += dt_s
        # Judged by the goals before this one, which nothing can have reached yet.
        path = np.array([past for _, past in self._path] or [present])
        self._path.append((self._now_s, goal))
        while self._path[0][0] < self._now_s - self._lag_s:
            self._path.popleft()
        outside = np.maximum(path.min(axis=0) - present, present - path.max(axis=0))
        if not counts or outside.max() <= self._distance:
            self._pushed_s = 0.0
            return False
        self._pushed_s += dt_s
        if self._pushed_s < self._long_enough_s:
            return False
        self._pushed_s = 0.0
        return True
