"""The scripted people who demonstrate: an expert who errs, and a hand that stops now and then.

People at a teleoperator stop: they look, they think, they find the key. What they show succeeds
all the same, so picking the successes keeps it, and who imitates it stops too. That is what a
critic that counts steps can tell from headway, and what learning from it can leave behind.
"""

from dataclasses import dataclass

import numpy as np

from backend.control import ActingPolicy, Observation


@dataclass(frozen=True, kw_only=True)
class Halts:
    """How often a hand stops, and for how long."""

    # How long it moves on between two halts, in the mean, seconds.
    every_s: float
    # A halt lasts between these, seconds.
    lasts_s: tuple[float, float]

    def __post_init__(self) -> None:
        low, high = self.lasts_s
        if self.every_s <= 0 or not 0 <= low <= high:
            raise ValueError(
                f"halts every {self.every_s} s for {self.lasts_s} s: need a time above 0 between "
                "them and a range from short to long"
            )


class HaltingHand:
    """A driver whose hand stops at random moments and then goes on where it was."""

    checkpoint_id: str | None = None

    def __init__(
        self, driver: ActingPolicy, *, fps: float, halts: Halts, rng: np.random.Generator
    ) -> None:
        """Args:
        driver: Whose hand it is; not asked while it halts.
        fps: Control steps a second.
        halts: How often and for how long.
        rng: Decides when.
        """
        self.name = driver.name
        self._driver = driver
        self._fps = fps
        self._halts = halts
        self._rng = rng
        self.reset()

    def reset(self) -> None:
        self._driver.reset()
        self._steps_left = 0
        self._last: np.ndarray | None = None

    def act(self, observation: Observation) -> np.ndarray | None:
        halts = self._halts
        if self._steps_left > 0:
            self._steps_left -= 1
            return self._last
        if self._last is not None and self._rng.random() < 1 / (halts.every_s * self._fps):
            self._steps_left = round(self._rng.uniform(*halts.lasts_s) * self._fps)
        self._last = self._driver.act(observation)
        return self._last
