"""The one way of a command, whoever sent it: role → row → actor → answer → row.

A command is known by its `command_id`. A repeat gets the first one's answer: while it is under way
by waiting for the same answer, later from its row. A row without an answer (the server died, the
actor stayed silent) is asked again: the actor knows the id too, so nothing happens twice.

`stop` is for everyone, needs no lease, is never late, and is sent before its row is written.
Whether a command is possible in this phase is for the actor alone to say.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from backend.actor.phases import possible
from backend.api.actor_line import ActorGoneError
from backend.api.auth import User
from backend.api.live import Live
from backend.domain import Command, Role
from backend.wire import Answer, CommandMessage, ErrorBody

log = logging.getLogger(__name__)

# A key pressed longer ago than this was meant for a moment that has passed.
MAX_COMMAND_AGE_MS = 1000
# Connecting may import LeRobot (11 s) and move a robot; closing ends an episode first.
TIMEOUTS_S = {Command.OPEN: 90.0, Command.CLOSE: 20.0}
TIMEOUT_S = 5.0

Source = Literal["socket", "api"]


@dataclass(frozen=True, kw_only=True)
class CommandRequest:
    """One command as it reached the server."""

    command: Command
    command_id: str
    author: str
    source: Source
    # When its sender pressed the key, server clock; None when the sender does not know.
    sent_ms: float | None = None
    params: dict[str, Any] = field(default_factory=dict)


class CommandLog(Protocol):
    """Where commands and answers are kept; its calls return when they are on the disk."""

    async def find(self, command_id: str) -> Answer | None:
        """The answer given to this id, None when it is unknown or unanswered."""

    async def begin(self, request: CommandRequest) -> None:
        """Keep the command; does nothing when its id is known."""

    async def conclude(self, answer: Answer) -> None:
        """Keep the answer; does nothing when there is one."""


class CommandPath:
    """Carries commands to the actor and their answers back. Used on the event loop only.

    Args:
        live: The line to the actor.
        commands: The record.
        before_open: Awaited before the actor is told to open a robot.
    """

    def __init__(
        self,
        live: Live,
        commands: CommandLog,
        *,
        before_open: Callable[[], Awaitable[None]],
    ) -> None:
        self._live = live
        self._log = commands
        self._before_open = before_open
        self._under_way: dict[str, asyncio.Task[Answer]] = {}

    async def submit(self, request: CommandRequest, user: User) -> Answer:
        """Return the answer; a refusal is an answer too.

        Raises:
            ApiError: The user's role does not include commanding the robot.
        """
        if request.command is not Command.STOP:
            user.require(Role.OPERATOR, f"send {request.command}")
        task = self._under_way.get(request.command_id)
        if task is None:
            task = asyncio.create_task(self._carry(request))
            self._under_way[request.command_id] = task
            task.add_done_callback(lambda _: self._under_way.pop(request.command_id, None))
        # Whoever asked may leave; the command has been given all the same.
        return await asyncio.shield(task)

    async def late_answer(self, answer: Answer) -> None:
        """Keep an answer that nobody waits for any longer."""
        await self._log.conclude(answer)

    async def finish(self) -> None:
        """Wait for what is under way; call it once the line to the actor is given up."""
        await asyncio.gather(*self._under_way.values(), return_exceptions=True)

    async def _carry(self, request: CommandRequest) -> Answer:
        if request.command is Command.STOP:
            return await self._stop(request)
        known = await self._log.find(request.command_id)
        if known is not None:
            return known
        if self._is_late(request):
            answer = self._refusal(
                request,
                "late",
                f"{request.command} arrived more than {MAX_COMMAND_AGE_MS} ms after it was "
                "sent and was dropped",
                "Press it again if you still mean it.",
            )
            await self._log.begin(request)
        else:
            asked = asyncio.create_task(self._ask(request))
            await self._log.begin(request)
            answer = await asked
        if not _is_unanswered(answer):
            await self._log.conclude(answer)
        return answer

    async def _stop(self, request: CommandRequest) -> Answer:
        """Ask first; what becomes of the row then changes nothing in the answer."""
        asked = asyncio.create_task(self._ask(request))
        await self._try_to_record(request, self._log.begin(request))
        answer = await asked
        if not _is_unanswered(answer):
            await self._try_to_record(request, self._log.conclude(answer))
        return answer

    async def _try_to_record(self, request: CommandRequest, write: Awaitable[None]) -> None:
        try:
            await write
        except Exception:
            # Who pressed stop must hear that the robot stands, not what the database met, whatever
            # that was. That it is not on record is lost data.
            log.exception("stop %s could not be recorded", request.command_id)

    async def _ask(self, request: CommandRequest) -> Answer:
        now_ms = self._live.clock.wall_ms()
        message = CommandMessage(
            command=request.command,
            command_id=request.command_id,
            author=request.author,
            sent_ms=now_ms if request.sent_ms is None else min(request.sent_ms, now_ms),
            params=request.params,
        )
        if request.command is Command.OPEN:
            self._live.opened_by = request.author
            await self._before_open()
        timeout_s = TIMEOUTS_S.get(request.command, TIMEOUT_S)
        try:
            return await self._live.line.ask(message, timeout_s=timeout_s)
        except ActorGoneError:
            status = self._live.actor_status()
            return self._refusal(
                request,
                "refused",
                f"{request.command} is not possible while the actor is {status.state}",
                status.message or "Wait until it is connected.",
            )
        except TimeoutError:
            return self._refusal(
                request,
                "timeout",
                f"the actor did not answer {request.command} within {timeout_s:g} s; "
                "it may still do it",
                "Look at the robot and the phase before you repeat it.",
            )

    def _is_late(self, request: CommandRequest) -> bool:
        if request.sent_ms is None:
            return False
        return self._live.clock.wall_ms() - request.sent_ms > MAX_COMMAND_AGE_MS

    def _refusal(self, request: CommandRequest, code: str, message: str, hint: str) -> Answer:
        return Answer(
            command_id=request.command_id,
            accepted=False,
            phase=self._live.line.phase,
            error=ErrorBody(code=code, message=message, hint=hint),
        )

    def lease_refusal(self, request: CommandRequest) -> Answer:
        """The answer to a socket that commands without holding the lease."""
        holder = self._live.lease.holder
        phase = self._live.line.phase
        if holder is None:
            message, hint = "nobody holds the lease", "Take the lease first."
        else:
            message, hint = (
                f"{holder.name} holds the lease",
                "Ask for it, or wait until it is free.",
            )
        allowed = ", ".join(possible(phase))
        return self._refusal(
            request,
            "lease",
            f"{request.command} while {phase} takes the lease: {message}",
            f"{hint} Then possible: {allowed}. stop works without it.",
        )


def _is_unanswered(answer: Answer) -> bool:
    return answer.error is not None and answer.error.code == "timeout"
