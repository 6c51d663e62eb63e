"""What a command may carry, and the refusals that do not come from the phase.

Whether a command is possible at all in a phase is data in `phases.py`.
"""

from backend.actor.recorder import Recorder
from backend.domain import Command, EndReason, Outcome
from backend.wire import CommandMessage, ErrorBody

MAX_TASK_LENGTH = 500
PARAMS: dict[Command, tuple[str, ...]] = {
    Command.OPEN: ("robot", "policy", "session_id"),
    Command.START: ("task",),
}
GRADES = {
    Command.SUCCESS: (EndReason.SUCCESS, Outcome.SUCCESS),
    Command.FAILURE: (EndReason.FAILURE, Outcome.FAILURE),
    Command.ABORT: (EndReason.ABORT, Outcome.NONE),
}


class RefusedError(Exception):
    """A command that its phase allows and something else forbids."""

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        self.body = ErrorBody(code=code, message=message, hint=hint)
        super().__init__(message)


def check_params(message: CommandMessage) -> None:
    """Raises RefusedError when the command carries what it does not know."""
    known = PARAMS.get(message.command, ())
    unknown = [name for name in message.params if name not in known]
    if unknown:
        raise RefusedError(
            "bad_params",
            f"{message.command} does not know {', '.join(unknown)}",
            f"it takes {', '.join(known)}" if known else "it takes no params",
        )


def checked_task(task: object) -> str:
    """Return the task as text without outer spaces, or raise RefusedError."""
    if not isinstance(task, str) or not task.strip() or len(task) > MAX_TASK_LENGTH:
        raise RefusedError(
            "bad_params",
            f"a task is a text of 1 to {MAX_TASK_LENGTH} characters, got {task!r:.80}",
            "say in a few words what the robot should do",
        )
    return task.strip()


def check_recordable(recorder: Recorder, *, is_open: bool) -> None:
    """Raises RefusedError where an attempt would start, or go on, that is not recorded.

    Args:
        recorder: Who would record it.
        is_open: An attempt is under way.
    """
    if is_open:
        if recorder.failure:
            raise RefusedError(
                "recording_failed",
                f"this attempt can be recorded no further ({recorder.failure})",
                "abort it, see to the disk, start the next one",
            )
    elif recorder.is_busy:
        raise RefusedError("refused", "the last attempt is still being written", "wait a moment")
    elif why := recorder.why_not_begin():
        raise RefusedError("disk_full", why, "move old episodes or datasets away, then start again")
