"""The least a server must do for an actor: take its connection, acknowledge, ping, ask."""

import asyncio
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from backend.domain import Command
from backend.wire import (
    ActorHello,
    Answer,
    CommandMessage,
    FromActor,
    InputMessage,
    Message,
    Ping,
    Tick,
    from_actor,
    unpack_frame,
)

PING_INTERVAL_S = 0.3


class PlainServer:
    """Runs in a thread of its own; remembers everything the actor said."""

    def __init__(self, *, token: str = "", port: int = 0) -> None:
        self.port = port
        self.acknowledges = True
        self.messages: list[FromActor] = []
        self.hellos: list[ActorHello] = []
        self.ticks: list[Tick] = []
        self.frames: dict[int, int] = {}
        self.on_frame: Callable[[bytes], None] = lambda _: None
        # (code, reason) of the connections that ended.
        self.closes: list[tuple[int | None, str | None]] = []
        self._token = token
        self._changed = threading.Condition()
        self._events = asyncio.new_event_loop()
        self._socket: ServerConnection | None = None
        self._ready = threading.Event()
        self._over = asyncio.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._ready.wait(10)

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    # -- asking ------------------------------------------------------------------------------

    def command(
        self, command: Command, *, command_id: str = "", timeout_s: float = 60, **params: Any
    ) -> Answer:
        """Send one command and return its answer."""
        command_id = command_id or uuid.uuid4().hex
        self.send(
            CommandMessage(
                command=command,
                command_id=command_id,
                author="ana",
                sent_ms=time.time() * 1000,
                params=params,
            )
        )
        return self.wait(
            f"the answer to {command}",
            lambda: next(
                (
                    message
                    for message in self.messages
                    if isinstance(message, Answer) and message.command_id == command_id
                ),
                None,
            ),
            timeout_s=timeout_s,
        )

    def keep(self, *held: str, seq: int = 0) -> None:
        self.send(InputMessage(seq=seq, sent_ms=time.time() * 1000, held=list(held)))

    def send(self, message: Message) -> None:
        self.send_raw(message.model_dump_json())

    def send_raw(self, raw: str | bytes) -> None:
        assert self._socket is not None, "no actor is connected"
        asyncio.run_coroutine_threadsafe(self._socket.send(raw), self._events).result(10)

    def wait[T](self, what: str, check: Callable[[], T | None], *, timeout_s: float = 60) -> T:
        """Return what `check` finds; looked at whenever the actor says something."""
        found: T | None = None

        def look() -> bool:
            nonlocal found
            found = check()
            return found is not None and found is not False

        with self._changed:
            if not self._changed.wait_for(look, timeout_s):
                last = self.ticks[-1] if self.ticks else None
                raise AssertionError(f"waited {timeout_s} s for {what}; last tick: {last}")
        assert found is not None
        return found

    def wait_tick(self, what: str, check: Callable[[Tick], bool], *, timeout_s: float = 60) -> Tick:
        return self.wait(
            what,
            lambda: self.ticks[-1] if self.ticks and check(self.ticks[-1]) else None,
            timeout_s=timeout_s,
        )

    def said[T](self, kind: type[T]) -> list[T]:
        return [message for message in self.messages if isinstance(message, kind)]

    def hang_up(self) -> None:
        """Drop the connection; the actor is welcome to come back."""
        assert self._socket is not None
        asyncio.run_coroutine_threadsafe(self._socket.close(), self._events).result(10)

    def close(self) -> None:
        if self._thread.is_alive():
            self._events.call_soon_threadsafe(self._over.set)
            self._thread.join(10)

    # -- its thread --------------------------------------------------------------------------

    def _run(self) -> None:
        asyncio.set_event_loop(self._events)
        self._events.run_until_complete(self._serve())
        self._events.close()

    async def _serve(self) -> None:
        async with serve(
            self._welcome, "127.0.0.1", self.port, compression=None, max_size=4 * 1024 * 1024
        ) as server:
            self.port = next(iter(server.sockets)).getsockname()[1]
            self._ready.set()
            await self._over.wait()

    async def _welcome(self, socket: ServerConnection) -> None:
        request = socket.request
        assert request is not None
        assert request.path == "/ws/actor"
        if self._token and request.headers.get("Authorization") != f"Bearer {self._token}":
            await socket.close(4401, "the token is wrong")
            return
        pinging = asyncio.create_task(self._ping(socket))
        try:
            async for raw in socket:
                if isinstance(raw, bytes):
                    camera, *_ = unpack_frame(raw)
                    if self.acknowledges:
                        await socket.send(bytes([camera]))
                self._remember(socket, raw)
        except ConnectionClosed:
            # A killed actor says no goodbye.
            return
        finally:
            pinging.cancel()
            self.closes.append((socket.close_code, socket.close_reason))
            if self._socket is socket:
                self._socket = None

    def _remember(self, socket: ServerConnection, raw: str | bytes) -> None:
        with self._changed:
            if isinstance(raw, bytes):
                camera, *_ = unpack_frame(raw)
                self.frames[camera] = self.frames.get(camera, 0) + 1
                self.on_frame(raw)
            else:
                message = from_actor.validate_json(raw)
                if isinstance(message, Tick):
                    self.ticks.append(message)
                else:
                    self.messages.append(message)
                if isinstance(message, ActorHello):
                    self._socket = socket
                    self.hellos.append(message)
            self._changed.notify_all()

    async def _ping(self, socket: ServerConnection) -> None:
        while not self._over.is_set():
            await socket.send(Ping(t_ms=time.time() * 1000).model_dump_json())
            await asyncio.sleep(PING_INTERVAL_S)
