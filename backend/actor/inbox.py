"""Takes commands from any thread and keeps them for the loop: intent here, motion there.

A command is known by its `command_id`: a repeat is answered like the first and does nothing.
`stop` is taken before everything that waits. While the loop is busy connecting a robot, which may
take seconds, nothing can be obeyed and nothing can move, so those who ask are answered at once.
"""

import threading
from collections import OrderedDict, deque
from collections.abc import Callable

from backend.actor.phases import CommandRefusedError, possible
from backend.domain import Command, Phase
from backend.wire import Answer, CommandMessage, ErrorBody

REMEMBERED_ANSWERS = 1000


class Inbox:
    """Commands that wait for the loop, and the answers given so far."""

    def __init__(self, *, send: Callable[[Answer], None], late_s: float = 1.0) -> None:
        """Args:
        send: Brings an answer to whoever asked; called from several threads, returns at once.
        late_s: Commands older than this are refused, except `stop`.
        """
        self._send = send
        self._late_s = late_s
        self._lock = threading.Lock()
        self._filled = threading.Event()
        self._waiting: deque[CommandMessage] = deque()
        self._pending: set[str] = set()
        self._answers: OrderedDict[str, Answer] = OrderedDict()
        self._busy = ""
        self._takes_open = False
        self._stop_asked: CommandMessage | None = None

    # -- any thread --------------------------------------------------------------------------

    def submit(self, command: CommandMessage, *, age_s: float = 0.0) -> None:
        """Queue a command that was sent `age_s` ago; answers it itself where that is possible."""
        with self._lock:
            answer = self._answers.get(command.command_id)
            if answer is None and command.command_id not in self._pending:
                answer = self._answer_at_once(command, age_s=age_s)
                if answer is None:
                    self._pending.add(command.command_id)
                    if command.command is Command.STOP:
                        self._waiting.appendleft(command)
                    else:
                        self._waiting.append(command)
                    self._filled.set()
                else:
                    self._remember(answer)
        if answer is not None:
            self._send(answer)

    def wake(self) -> None:
        """Let `wait` return."""
        self._filled.set()

    # -- the loop's thread -------------------------------------------------------------------

    def wait(self, timeout_s: float) -> None:
        """Sleep until a command waits, at most `timeout_s`."""
        self._filled.wait(timeout_s)
        self._filled.clear()

    def take(self) -> list[CommandMessage]:
        """All that waits; `stop` first."""
        with self._lock:
            waiting = list(self._waiting)
            self._waiting.clear()
            return waiting

    def accept(self, command: CommandMessage, phase: Phase) -> None:
        """It was done; `phase` is where that led."""
        self._conclude(Answer(command_id=command.command_id, accepted=True, phase=phase))

    def refuse(self, command: CommandMessage, phase: Phase, error: ErrorBody) -> None:
        """It was not done."""
        self._conclude(
            Answer(command_id=command.command_id, accepted=False, phase=phase, error=error)
        )

    def begin_busy(self, doing: str, *, takes_open: bool) -> None:
        """The loop will not look at commands for a while, in phase `closed`.

        Args:
            doing: What keeps it, for people: "connecting so101_sim_touch".
            takes_open: Whether an `open` may wait for the end of it.
        """
        with self._lock:
            self._busy = doing
            self._takes_open = takes_open
            self._stop_asked = None

    def end_busy(self) -> CommandMessage | None:
        """Back at work; returns the `stop` that was accepted meanwhile."""
        with self._lock:
            self._busy = ""
            return self._stop_asked

    def _answer_at_once(self, command: CommandMessage, *, age_s: float) -> Answer | None:
        if command.command is not Command.STOP and age_s > self._late_s:
            error = ErrorBody(
                code="late",
                message=f"{command.command} came {age_s:.1f} s after it was sent; "
                f"commands older than {self._late_s:g} s are not obeyed",
                hint="look at the robot, then send it again",
            )
        elif not self._busy or (command.command is Command.OPEN and self._takes_open):
            return None
        elif command.command is Command.STOP:
            self._stop_asked = command
            return Answer(command_id=command.command_id, accepted=True, phase=Phase.CLOSED)
        elif command.command in possible(Phase.CLOSED):
            error = ErrorBody(
                code="busy",
                message=f"{command.command} is not possible while {self._busy}",
                hint="wait until it is done",
            )
        else:
            error = refusal(CommandRefusedError(Phase.CLOSED, command.command))
        return Answer(
            command_id=command.command_id, accepted=False, phase=Phase.CLOSED, error=error
        )

    def _conclude(self, answer: Answer) -> None:
        with self._lock:
            self._remember(answer)
        self._send(answer)

    def _remember(self, answer: Answer) -> None:
        self._pending.discard(answer.command_id)
        self._answers[answer.command_id] = answer
        while len(self._answers) > REMEMBERED_ANSWERS:
            self._answers.popitem(last=False)


def refusal(error: CommandRefusedError) -> ErrorBody:
    """The answer to a command that has no transition."""
    return ErrorBody(
        code="refused",
        message=str(error),
        hint=f"possible now: {', '.join(error.possible)}",
    )
