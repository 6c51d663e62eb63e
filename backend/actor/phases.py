"""The attempt's state machine, as data.

    closed ─open─► idle ─start─► policy ⇄(intervene)⇄ human ─success|failure|timeout|abort─► ended
    ended ─recorded─► resetting ─reset_done─► idle
    policy|human ─safety─► held ─start | driver_back─► where it came from
    any ─stop─► stopped ─clear─► held with an episode open, else idle;  any ─close─► closed

What happens in each phase (motion, recording) is not decided here: see `session.py`.

Held is left on purpose only. `start` goes on where it was, `intervene` takes over. The one thing
that leaves it by itself is a human driver who is back (`driver_back`): a person with no key held
moves nothing. A policy never starts to move again without being told to.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from backend.domain import Command, Phase


class Happening(StrEnum):
    """What changes the phase without anybody's command."""

    SAFETY = "safety"
    DRIVER_BACK = "driver_back"
    TIMEOUT = "timeout"
    RECORDED = "recorded"
    RESET_DONE = "reset_done"
    ROBOT_LOST = "robot_lost"


class Target(StrEnum):
    """Targets that depend on what went before."""

    CAME_FROM = "came_from"
    HELD_OR_IDLE = "held_or_idle"


P, C, H = Phase, Command, Happening
ATTEMPT = (P.POLICY, P.HUMAN)

TRANSITIONS: dict[tuple[Phase, Command | Happening], Phase | Target] = {
    (P.CLOSED, C.OPEN): P.IDLE,
    # Nothing is connected, so nothing can move: accepted, and nothing to latch.
    (P.CLOSED, C.STOP): P.CLOSED,
    (P.CLOSED, C.CLOSE): P.CLOSED,
    (P.IDLE, C.START): P.POLICY,
    (P.POLICY, C.INTERVENE): P.HUMAN,
    (P.HUMAN, C.INTERVENE): P.POLICY,
    **{
        (phase, end): P.ENDED
        for phase in (*ATTEMPT, P.HELD)
        for end in (C.SUCCESS, C.FAILURE, C.ABORT)
    },
    **{(phase, H.TIMEOUT): P.ENDED for phase in ATTEMPT},
    **{(phase, H.SAFETY): P.HELD for phase in ATTEMPT},
    (P.HELD, C.START): Target.CAME_FROM,
    (P.HELD, C.INTERVENE): P.HUMAN,
    (P.HELD, H.DRIVER_BACK): Target.CAME_FROM,
    (P.ENDED, H.RECORDED): P.RESETTING,
    (P.RESETTING, H.RESET_DONE): P.IDLE,
    (P.STOPPED, C.CLEAR): Target.HELD_OR_IDLE,
    **{(phase, C.STOP): P.STOPPED for phase in P if phase is not P.CLOSED},
    **{(phase, C.CLOSE): P.CLOSED for phase in P if phase is not P.CLOSED},
    **{(phase, H.ROBOT_LOST): P.CLOSED for phase in P if phase is not P.CLOSED},
}

# Why a command makes no sense in a phase, where the list of possible ones does not say it all.
REASONS: dict[tuple[Phase, Command], str] = {
    (P.IDLE, C.INTERVENE): "no attempt is running",
    (P.ENDED, C.START): "the last attempt is still being written",
    (P.RESETTING, C.START): "the robot is still on its way back to its reset pose",
    (P.STOPPED, C.START): "the stop is latched",
    (P.STOPPED, C.INTERVENE): "the stop is latched",
    (P.STOPPED, C.SUCCESS): "the stop is latched; clear it, then grade",
    (P.STOPPED, C.FAILURE): "the stop is latched; clear it, then grade",
}


class CommandRefusedError(Exception):
    """A command that has no transition from the present phase.

    Attributes:
        phase: The phase it met.
        command: The command refused.
        possible: The commands that would be accepted now.
    """

    def __init__(self, phase: Phase, command: Command) -> None:
        self.phase = phase
        self.command = command
        self.possible = possible(phase)
        why = REASONS.get((phase, command))
        super().__init__(
            f"{command} is not possible while {phase}"
            + (f" ({why})" if why else "")
            + f"; possible now: {', '.join(self.possible)}"
        )


def possible(phase: Phase) -> list[Command]:
    """Commands that have a transition from `phase`, in the order of `Command`."""
    return [command for command in Command if (phase, command) in TRANSITIONS]


@dataclass(frozen=True, kw_only=True)
class State:
    """Where the session is and what it must remember to find its way back."""

    phase: Phase = Phase.CLOSED
    # Who drove before `held`; None outside of held and stopped.
    came_from: Phase | None = None
    # An episode is being recorded: set by `start`, unset when it ended or the robot was closed.
    episode_open: bool = False

    def on(self, event: Command | Happening) -> "State":
        """Return the state after `event`.

        Raises:
            CommandRefusedError: `event` is a command that has no transition from here.
            ValueError: `event` is a happening that cannot happen here.
        """
        target = TRANSITIONS.get((self.phase, event))
        if target is None:
            if isinstance(event, Command):
                raise CommandRefusedError(self.phase, event)
            raise ValueError(f"{event} cannot happen while {self.phase}")
        if target is Target.CAME_FROM:
            target = self.came_from or Phase.POLICY
        elif target is Target.HELD_OR_IDLE:
            target = Phase.HELD if self.episode_open else Phase.IDLE
        return self._entering(Phase(target))

    def _entering(self, phase: Phase) -> "State":
        if phase in (Phase.HELD, Phase.STOPPED):
            came_from = self.phase if self.phase in ATTEMPT else self.came_from
            return replace(self, phase=phase, came_from=came_from)
        return State(phase=phase, episode_open=phase in ATTEMPT)
