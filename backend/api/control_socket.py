"""`/ws/control`: the page takes the lease, keeps it with what is held, and sends commands.

Apart from the live socket because keys must not wait behind pictures. Only the holder's keeps go on
to the actor, each in order and at once. The lease ends with the socket. Closing this socket never
touches another one: a message that is not understood closes only the connection it came by.
"""

import asyncio
import uuid

from fastapi import APIRouter, WebSocket
from pydantic import ValidationError

from backend.api.actor_line import MAX_INPUT_AGE_MS
from backend.api.auth import User
from backend.api.commands import CommandPath, CommandRequest
from backend.api.errors import ApiError
from backend.api.lease import Holder
from backend.api.live import Live
from backend.api.messages import Ack, Ask, CommandUp, ControlUp, Keep, Release, Take, control_up
from backend.api.sockets import (
    POLICY,
    RefusedMessageError,
    close,
    receive,
    refusal_of,
    serve_until_first_ends,
)
from backend.domain import Command, Role
from backend.wire import MAX_TEXT_BYTES, Answer, InputMessage, Message, Notice

# Eight seconds of acknowledgements at 30 Hz: a page that reads none of them is gone.
MAX_UNREAD = 256
# Commands of one socket that may wait for their answer together.
MAX_UNANSWERED = 16


def control_router(live: Live, commands: CommandPath) -> APIRouter:
    router = APIRouter()

    @router.websocket("/ws/control")
    async def control(socket: WebSocket) -> None:
        await socket.accept()
        client = _Client(socket.state.user, live, commands)
        live.join(client)
        try:
            await serve_until_first_ends(client.write(socket), client.read(socket))
        except RefusedMessageError as refusal:
            live.leave(client)
            await close(socket, refusal.close_code, str(refusal))
        finally:
            live.leave(client)
            client.close()

    return router


class _Client:
    """One control socket."""

    def __init__(self, user: User, live: Live, commands: CommandPath) -> None:
        self.holder = Holder(client_id=uuid.uuid4().hex, name=user.name)
        self._user = user
        self._live = live
        self._commands = commands
        self._outgoing: asyncio.Queue[Message] = asyncio.Queue()
        self._answering: set[asyncio.Task[None]] = set()

    def offer(self, message: Message) -> None:
        self._outgoing.put_nowait(message)

    def close(self) -> None:
        """Stop answering; the commands themselves go on."""
        for task in self._answering:
            task.cancel()

    async def write(self, socket: WebSocket) -> None:
        while True:
            message = await self._outgoing.get()
            await socket.send_text(message.model_dump_json())

    async def read(self, socket: WebSocket) -> None:
        while True:
            text = await receive(socket, max_text=MAX_TEXT_BYTES, max_bytes=0)
            if self._outgoing.qsize() > MAX_UNREAD:
                raise RefusedMessageError(f"{MAX_UNREAD} messages were not read", close_code=POLICY)
            try:
                message = control_up.validate_json(text)
            except ValidationError as error:
                raise refusal_of(error) from error
            self._handle(message)

    def _handle(self, message: ControlUp) -> None:
        match message:
            case Keep():
                self._keep(message)
            case CommandUp():
                self._command(message)
            case Take():
                self._take()
            case Release():
                self._live.release(self)
            case Ask():
                self._ask()

    def _keep(self, keep: Keep) -> None:
        now_ms = self._live.clock.wall_ms()
        sent_ms = min(keep.sent_ms, now_ms) if keep.sent_ms is not None else now_ms
        if now_ms - sent_ms <= MAX_INPUT_AGE_MS and self._live.lease.heard(self.holder.client_id):
            self._live.line.tell(
                InputMessage(seq=keep.seq, sent_ms=sent_ms, held=keep.held, axes=keep.axes)
            )
        self.offer(Ack(seq=keep.seq, server_ms=now_ms))

    def _take(self) -> None:
        try:
            self._user.require(Role.OPERATOR, "drive")
        except ApiError as refusal:
            self._notify(refusal.body.code, f"{refusal.body.message}. {refusal.body.hint}")
            self.offer(self._live.lease_for(self))
        else:
            self._live.take(self)

    def _ask(self) -> None:
        holder = self._live.lease.holder
        if holder is None:
            self._notify("lease_free", "Nobody holds the lease: take it.")
        else:
            text = f"{self.holder.name} asks {holder.name} for the lease"
            self._live.notify("info", "lease_asked", text)

    def _command(self, message: CommandUp) -> None:
        request = CommandRequest(
            command=message.command,
            command_id=message.command_id,
            author=self._user.name,
            source="socket",
            sent_ms=message.sent_ms,
            params=message.params,
        )
        is_stop = request.command is Command.STOP
        if not is_stop and not self._live.lease.is_held_by(self.holder.client_id):
            self.offer(self._commands.lease_refusal(request))
            return
        if not is_stop and len(self._answering) >= MAX_UNANSWERED:
            raise RefusedMessageError(f"more than {MAX_UNANSWERED} commands wait for an answer")
        task = asyncio.create_task(self._answer(request))
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)

    async def _answer(self, request: CommandRequest) -> None:
        try:
            answer = await self._commands.submit(request, self._user)
        except ApiError as refusal:
            answer = Answer(
                command_id=request.command_id,
                accepted=False,
                phase=self._live.line.phase,
                error=refusal.body,
            )
        self.offer(answer)

    def _notify(self, code: str, message: str) -> None:
        """Tell only this client."""
        t_ms = self._live.clock.wall_ms()
        self.offer(Notice(level="warning", code=code, message=message, t_ms=t_ms))
