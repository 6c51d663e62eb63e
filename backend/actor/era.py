"""What a policy that thinks in chunks knows since its last reset; a reset makes a new one."""

from typing import NamedTuple

from lerobot.policies.rtc import ActionQueue
from lerobot.policies.rtc.configuration_rtc import RTCConfig
from torch import Tensor

from backend.actor.judgements import Judgements, Value
from backend.control import Observation


class Sight(NamedTuple):
    """What the loop has shown: of which tick, and what is to be done."""

    observation: Observation
    step: int
    task: str


class Wish(NamedTuple):
    """A chunk that is due."""

    sight: Sight
    # Actions played before the one of this step.
    played: int
    left_over: Tensor | None


class Era:
    """All that is known since the last reset.

    A thought that was begun before it ends in the era that it was begun for, where nobody looks.
    """

    def __init__(self, horizon: int) -> None:
        # Enabled: a new chunk takes the place of the old one instead of following it.
        self.queue = ActionQueue(RTCConfig(enabled=True))
        self.sight: Sight | None = None
        # A sight without a value yet, and a chunk to make.
        self.unjudged: Sight | None = None
        self.wish: Wish | None = None
        self.value: Value | None = None
        self.value_step: int | None = None
        self.judgements = Judgements(horizon)
        self.advantage: float | None = None
        self.advantage_step: int | None = None
        self.failure: Exception | None = None
        # The policy drives: `act` was called.
        self.is_playing = False
        self.played = 0
        self.starved = 0
