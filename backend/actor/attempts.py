"""The attempts of one session: numbered from 1, one at a time, begun and ended in one place.

A session lasts from `open` to `close`. What one attempt does while it runs is in `attempt.py`; when
it may begin and end is for `session.py`.
"""

from backend.actor.attempt import Attempt, header_of
from backend.actor.clock import Clock
from backend.actor.recorder import Recorder
from backend.actor.rig import Rig
from backend.control import ThinkingPolicy
from backend.domain import EndReason, Outcome


class Attempts:
    """Used by the loop's thread only."""

    def __init__(self, *, recorder: Recorder, clock: Clock) -> None:
        # From `open` to `close`; None while closed.
        self.session_id: str | None = None
        # The one that is being recorded.
        self.current: Attempt | None = None
        self._recorder = recorder
        self._clock = clock
        self._number = 0

    def opened(self, session_id: str) -> None:
        """A session begins."""
        self.session_id = session_id
        self._number = 0

    def closed(self) -> None:
        """It is over; so was its last attempt before."""
        self.session_id = None

    def begin(self, rig: Rig, *, task: str, operator: str) -> None:
        """Record what `rig` does from now on."""
        assert self.session_id is not None
        self._number += 1
        self.current = Attempt(
            header=header_of(
                rig,
                session_id=self.session_id,
                number=self._number,
                task=task,
                started_s=self._clock.wall_s(),
                operator=operator,
            ),
            timeout_s=rig.facts.episode_time_s,
            recorder=self._recorder,
            awaits_values=isinstance(rig.policy, ThinkingPolicy),
        )

    def end(
        self, reason: EndReason, *, outcome: Outcome, command_id: str | None, author: str
    ) -> None:
        """It is over, for this reason and with this grade."""
        assert self.current is not None
        self.current.finish(
            reason,
            outcome=outcome,
            ended_s=self._clock.wall_s(),
            command_id=command_id,
            author=author,
        )
        self.current = None
