"""The server's end of the one connection to the actor: what it last said, what it is told.

Commands wait for their answer as futures; `stop` goes ahead of everything that is queued. Inputs
go in order and are dropped once they are too old to move anything. What the actor reports is kept
here as the newest hello and tick; what is done with it is for `actor_socket.py` and its callees.

Runs on the event loop only.
"""

import asyncio
from collections import deque

from backend.api.clock import Clock
from backend.domain import Command, Phase
from backend.wire import (
    ActorHello,
    Answer,
    CommandMessage,
    InputMessage,
    LeaseMessage,
    Message,
    PolicyMessage,
    Tick,
    UploadOrder,
)

# An input older than this is no longer what the hand does: `design.md` names the same limit.
MAX_INPUT_AGE_MS = 250
# A connected actor answers a ping each second; importing its robot's drivers may stall it for some.
SILENT_AFTER_S = 6.0
# A second actor may replace one that has not been heard for this long.
REPLACEABLE_AFTER_S = 3.0


class ActorGoneError(Exception):
    """There is no actor to tell anything, or it was replaced before it answered."""


class Outbox:
    """What one connection has yet to send, most urgent first."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._urgent: deque[Message] = deque()
        self._ordered: deque[Message] = deque()
        self._wake = asyncio.Event()
        self._closed = False

    def put(self, message: Message) -> None:
        is_stop = isinstance(message, CommandMessage) and message.command is Command.STOP
        (self._urgent if is_stop else self._ordered).append(message)
        self._wake.set()

    def close(self) -> None:
        self._closed = True
        self._wake.set()

    async def next(self) -> Message | None:
        """The next message to send; None once the connection is given up."""
        while True:
            if self._closed:
                return None
            if self._urgent:
                return self._urgent.popleft()
            while self._ordered:
                message = self._ordered.popleft()
                if not self._is_stale(message):
                    return message
            self._wake.clear()
            await self._wake.wait()

    def _is_stale(self, message: Message) -> bool:
        return (
            isinstance(message, InputMessage)
            and self._clock.wall_ms() - message.sent_ms > MAX_INPUT_AGE_MS
        )


class ActorLine:
    """The newest facts of the actor and the way to it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._outbox: Outbox | None = None
        self._waiting: dict[str, asyncio.Future[Answer]] = {}
        self._heard_s = 0.0
        self._greeted = False
        self.hello: ActorHello | None = None
        self.tick: Tick | None = None
        # Whether the actor that is, or last was, connected has a disk of its own.
        self.is_apart = False

    @property
    def is_connected(self) -> bool:
        """Whether an actor is connected and has introduced itself."""
        return self._outbox is not None and self._greeted

    @property
    def phase(self) -> Phase:
        """Last phase heard of, also while the connection is lost."""
        if self.tick is not None:
            return self.tick.phase
        return self.hello.phase if self.hello is not None else Phase.CLOSED

    def silent_s(self) -> float:
        """Seconds since anything was received."""
        return self._clock.monotonic_s() - self._heard_s

    def attach(self, *, is_apart: bool) -> Outbox | None:
        """Begin a connection; None when a living actor is connected already.

        Args:
            is_apart: Its computer has a disk of its own.
        """
        if self._outbox is not None:
            if self.silent_s() < REPLACEABLE_AFTER_S:
                return None
            self._outbox.close()
        self._outbox = Outbox(self._clock)
        self._greeted = False
        self.is_apart = is_apart
        self.heard()
        return self._outbox

    def is_current(self, outbox: Outbox) -> bool:
        return self._outbox is outbox

    def detach(self, outbox: Outbox) -> bool:
        """End a connection; False when another one has already taken its place."""
        outbox.close()
        if self._outbox is not outbox:
            return False
        self._outbox = None
        return True

    def heard(self) -> None:
        self._heard_s = self._clock.monotonic_s()

    def greet(self, hello: ActorHello) -> None:
        """Keep what the actor says of itself; a new process owes no answers of the old one."""
        if self.hello is not None and self.hello.pid != hello.pid:
            self.forget()
        if hello.phase is Phase.CLOSED:
            self.tick = None
        self.hello = hello
        self._greeted = True

    def forget(self) -> None:
        """The actor's process is gone: nothing that it said holds any longer."""
        self.hello = None
        self.tick = None
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(ActorGoneError("the actor ended before it answered"))
        self._waiting.clear()

    async def ask(self, command: CommandMessage, *, timeout_s: float) -> Answer:
        """Send a command and return its answer; one caller a command_id.

        Raises:
            ActorGoneError: No actor is connected, or its process ended before it answered.
            TimeoutError: It did not answer within `timeout_s`.
        """
        if self._outbox is None or not self._greeted:
            raise ActorGoneError("no actor is connected")
        waiting: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting[command.command_id] = waiting
        self._outbox.put(command)
        try:
            async with asyncio.timeout(timeout_s):
                return await waiting
        finally:
            self._waiting.pop(command.command_id, None)

    def answered(self, answer: Answer) -> bool:
        """Deliver an answer; False when nobody waits for it."""
        waiting = self._waiting.get(answer.command_id)
        if waiting is None or waiting.done():
            return False
        waiting.set_result(answer)
        return True

    def tell(self, message: InputMessage | LeaseMessage | PolicyMessage | UploadOrder) -> None:
        """Send if connected; forgotten otherwise: states are repeated on connection, and whoever
        orders asks first whether anybody is there."""
        if self._outbox is not None:
            self._outbox.put(message)
