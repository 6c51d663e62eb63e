"""The oracle: an operator who sees what the simulator knows, and presses what a person would.

It grades by the simulator's verdict, gives up after a time, and in some attempts takes over when
the arm has made no headway for a while. It stands in for a person in benchmarks; nothing that
learns sees what it sees.
"""

from dataclasses import dataclass

import numpy as np

from backend.control import Observation
from backend.domain import Command


@dataclass(frozen=True, kw_only=True)
class OracleRules:
    """When the oracle does what."""

    # An attempt that lasts longer has failed, seconds.
    limit_s: float
    # Share of the attempts in which it takes over when need be.
    helps_share: float = 0.0
    # It takes over when the tool came no nearer to the object for so long, seconds.
    stuck_s: float = 1.5
    # It counts as nearer from so much on, metres.
    nearer_m: float = 0.004
    # How much time it grants itself after taking over, seconds.
    rescue_s: float = 6.0


class Oracle:
    """An `Operator`."""

    def __init__(self, rules: OracleRules, *, fps: float, rng: np.random.Generator) -> None:
        self._rules = rules
        self._fps = fps
        self._rng = rng
        self.begin(0)

    def begin(self, number: int) -> None:  # noqa: ARG002
        self._helps = bool(self._rng.random() < self._rules.helps_share)
        self._nearest_m = np.inf
        self._nearest_step = 0
        self._limit = self._rules.limit_s * self._fps

    def look(self, observation: Observation, *, step: int, is_human: bool) -> Command | None:
        known = observation.privileged
        if known["success"]:
            return Command.SUCCESS
        if step >= self._limit:
            return Command.FAILURE
        distance_m = float(
            np.linalg.norm(_place(known["tool_pose"]) - _place(known["object_pose"]))
        )
        if distance_m < self._nearest_m - self._rules.nearer_m:
            self._nearest_m, self._nearest_step = distance_m, step
        is_stuck = step - self._nearest_step >= self._rules.stuck_s * self._fps
        if self._helps and is_stuck and not is_human:
            self._limit = step + self._rules.rescue_s * self._fps
            return Command.INTERVENE
        return None


def _place(pose: object) -> np.ndarray:
    return np.asarray(pose, dtype=float)[:3]
