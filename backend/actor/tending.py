"""What becomes of a robot that finds something wrong with itself: people are told, or it is held.

A robot that does not answer any more is not the matter here: that is a fault, see `loop.py`.
"""

from backend.actor.phases import ATTEMPT
from backend.actor.rig import Rig
from backend.actor.session import LiveSession


def tend(rig: Rig, session: LiveSession) -> None:
    """Ask the robot how it is; once in each step, before it moves."""
    for ailment in rig.ailments():
        if ailment.must_hold and session.state.phase in ATTEMPT:
            session.hold(ailment.message)
        elif ailment.is_new:
            session.news.notice(
                "error" if ailment.must_hold else "warning", "servo", ailment.message
            )
