"""`/ws/actor`: the one actor reports frames, ticks and happenings, and is told what to do.

Frames and ticks go to the pages as they came; each frame is acknowledged with one byte at once,
because the viewers' own credits bound what leaves the server. What must be written down goes to
`Happenings`, which does it elsewhere: this loop waits for no disk.

The actor shows a secret of its own (`actor_token.py`), compared in constant time.
"""

import asyncio
import logging
from typing import Protocol

from fastapi import APIRouter, WebSocket
from pydantic import ValidationError

from backend.api.actor_line import SILENT_AFTER_S, Outbox
from backend.api.actor_token import shows_token
from backend.api.commands import CommandPath
from backend.api.errors import error_response
from backend.api.live import Live
from backend.api.sockets import (
    TRY_AGAIN_LATER,
    RefusedMessageError,
    close,
    receive,
    refusal_of,
    serve_until_first_ends,
)
from backend.wire import (
    DISK_APART,
    DISK_HEADER,
    DISK_SHARED,
    MAX_FRAME_BYTES,
    MAX_TEXT_BYTES,
    NONCE_HEADER,
    ActorHello,
    Answer,
    EpisodeFinished,
    EpisodeStarted,
    ErrorBody,
    FromActor,
    Notice,
    Ping,
    Tick,
    from_actor,
    unpack_frame,
)

log = logging.getLogger(__name__)
PING_INTERVAL_S = 1.0


class Happenings(Protocol):
    """What the actor reports and the server must remember. All return at once."""

    def greeted(self, hello: ActorHello) -> None: ...

    def episode_started(self, message: EpisodeStarted) -> None: ...

    def episode_finished(self, message: EpisodeFinished) -> None: ...

    def left(self) -> None: ...


def actor_router(
    live: Live, commands: CommandPath, happenings: Happenings, *, token: str, nonce: str
) -> APIRouter:
    """Args:
    token: What the actor must show.
    nonce: What it finds in its data directory if that is this server's.
    """
    router = APIRouter()

    @router.websocket("/ws/actor")
    async def actor(socket: WebSocket) -> None:
        if not shows_token(socket, token):
            log.warning("an actor without the right token was refused")
            body = ErrorBody(
                code="token",
                message="the actor's token is missing or wrong",
                hint="It is in <data_dir>/actor.token; give it as HANDRAIL_ACTOR_TOKEN.",
            )
            await socket.send_denial_response(error_response(401, body))
            return
        # Who shows nothing, knows of no other disk.
        disk = DISK_SHARED if socket.headers.get(NONCE_HEADER, nonce) == nonce else DISK_APART
        await socket.accept(headers=[(DISK_HEADER.lower().encode(), disk.encode())])
        outbox = live.line.attach(is_apart=disk == DISK_APART)
        if outbox is None:
            await close(socket, TRY_AGAIN_LATER, "another actor is connected and alive")
            return
        connection = _Connection(socket, outbox, live, commands, happenings)
        try:
            await serve_until_first_ends(
                connection.read(), connection.write(), connection.ping(), connection.watch_silence()
            )
        except RefusedMessageError as refusal:
            log.warning("the actor's connection is closed: %s", refusal)
            await close(socket, refusal.close_code, str(refusal))
        finally:
            if live.line.detach(outbox):
                live.actor_left()
                happenings.left()
            # One that was replaced still has a socket.
            await close(socket, TRY_AGAIN_LATER, "the connection was given up")

    return router


class _Connection:
    """One connection of one actor."""

    def __init__(
        self,
        socket: WebSocket,
        outbox: Outbox,
        live: Live,
        commands: CommandPath,
        happenings: Happenings,
    ) -> None:
        self._socket = socket
        self._outbox = outbox
        self._live = live
        self._commands = commands
        self._happenings = happenings
        self._num_cameras: int | None = None
        self._keeping: set[asyncio.Task[None]] = set()
        outbox.put(live.lease_message())
        if live.promoted is not None:
            outbox.put(live.promoted)

    async def read(self) -> None:
        while True:
            message = await receive(
                self._socket, max_text=MAX_TEXT_BYTES, max_bytes=MAX_FRAME_BYTES
            )
            self._live.line.heard()
            if isinstance(message, bytes):
                await self._frame(message)
            else:
                self._text(message)

    async def write(self) -> None:
        while (message := await self._outbox.next()) is not None:
            await self._socket.send_text(message.model_dump_json())

    async def ping(self) -> None:
        while True:
            self._outbox.put(Ping(t_ms=self._live.clock.wall_ms()))
            await asyncio.sleep(PING_INTERVAL_S)

    async def watch_silence(self) -> None:
        while (left_s := SILENT_AFTER_S - self._live.line.silent_s()) > 0:
            await asyncio.sleep(left_s)
        raise RefusedMessageError(f"silent for {SILENT_AFTER_S:g} s")

    async def _frame(self, blob: bytes) -> None:
        try:
            camera = unpack_frame(blob)[0]
        except ValueError as error:
            raise RefusedMessageError(str(error)) from error
        if self._num_cameras is None:
            raise RefusedMessageError("the first message is a hello, got a frame")
        # A frame of cameras that were just closed may come after the hello that says so.
        if camera < self._num_cameras:
            self._live.frame(camera, blob)
        await self._socket.send_bytes(bytes((camera,)))

    def _text(self, text: str) -> None:
        try:
            message = from_actor.validate_json(text)
        except ValidationError as error:
            raise refusal_of(error) from error
        if self._num_cameras is None and not isinstance(message, ActorHello):
            raise RefusedMessageError(f"the first message is a hello, got {message.type!r}")
        self._handle(message, text)

    def _handle(self, message: FromActor, text: str) -> None:
        match message:
            case Tick():
                self._live.ticked(message, text)
            case ActorHello():
                self._num_cameras = len(message.cameras)
                self._live.greeted(message)
                self._happenings.greeted(message)
            case Answer():
                if not self._live.line.answered(message):
                    task = asyncio.create_task(self._commands.late_answer(message))
                    self._keeping.add(task)
                    task.add_done_callback(self._keeping.discard)
            case EpisodeStarted():
                self._happenings.episode_started(message)
            case EpisodeFinished():
                self._happenings.episode_finished(message)
            case Notice():
                self._live.pass_on(message)
            case Ping():
                # The actor's echo: a sign of life, nothing more.
                pass
