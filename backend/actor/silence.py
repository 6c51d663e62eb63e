"""A robot that does not answer: it is held and asked again for a while before it is given up.

Servos keep the goal that they have, so an arm that cannot be reached for a moment holds by itself.
To let go of it at once would drop what it carries because of a plug that was touched. An attempt is
held meanwhile, and goes on where somebody says so; a robot that stays silent is lost.
"""

from backend.actor.phases import ATTEMPT
from backend.actor.session import LiveSession


class RobotSilence:
    """Counts how long the robot of one loop has not answered.

    Args:
        patience_s: Silence after which it is lost.
    """

    def __init__(self, *, patience_s: float) -> None:
        self._patience_s = patience_s
        self._since_s: float | None = None
        self._first: Exception | None = None

    def heard(self) -> None:
        """It has answered."""
        self._since_s = self._first = None

    def bear(self, error: Exception, session: LiveSession, *, now_s: float) -> None:
        """It has not answered in this step: hold, or give it up.

        Args:
            error: What the step failed with; the first one is what people are told at the end.
            session: With an open robot.
            now_s: Monotonic time.
        """
        if self._since_s is None:
            self._since_s, self._first = now_s, error
        if now_s - self._since_s >= self._patience_s:
            lost = self._first or error
            self.heard()
            session.lose_robot(lost)
        elif session.state.phase in ATTEMPT:
            session.hold(f"{error} It keeps its pose and is asked again")
