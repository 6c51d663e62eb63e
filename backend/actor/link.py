"""The line to the server: one WebSocket, opened by the actor, reopened for as long as it lives.

Runs an event loop in a thread of its own. Other threads leave messages and go on; whether the
server listens, is slow or is gone changes nothing for them. A message from the server that is not
understood is refused by name and closes the connection, which is then opened anew.
"""

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from pydantic import ValidationError
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from backend.actor.clock import Clock
from backend.actor.deadman import Deadman
from backend.actor.frames import FrameEncoder
from backend.actor.inbox import Inbox
from backend.actor.news import Lasting
from backend.actor.outbox import Outbox
from backend.actor.place import Place
from backend.actor.priority import HELPER_PRIORITY, run_on_time
from backend.actor.promotion import Promoted, Promotions
from backend.control import LiveCameras, Observation
from backend.wire import (
    MAX_TEXT_BYTES,
    ActorHello,
    CommandMessage,
    InputMessage,
    LeaseMessage,
    Ping,
    PolicyMessage,
    Tick,
    UploadOrder,
    to_actor,
)

log = logging.getLogger(__name__)

FIRST_BACKOFF_S = 0.05
MAX_BACKOFF_S = 1.0
KEEPALIVE_S = 5.0
OFFSET_PINGS = 30


class MalformedError(Exception):
    """The server sent what the wire does not know. Says which field of which message."""


class ServerClock:
    """How old a message of the server is, whatever the difference of the two clocks.

    The ping that travelled fastest tells the difference; on one machine that is nearly 0.
    """

    def __init__(self) -> None:
        self._differences_ms: deque[float] = deque(maxlen=OFFSET_PINGS)

    def ping(self, *, sent_ms: float, arrived_ms: float) -> None:
        self._differences_ms.append(arrived_ms - sent_ms)

    def age_s(self, *, sent_ms: float, now_ms: float) -> float:
        """Seconds since `sent_ms` of the server's clock, at least 0."""
        offset_ms = min(self._differences_ms, default=0.0)
        return max(0.0, now_ms - sent_ms - offset_ms) / 1000


class Link:
    """An `Outlet` that brings everything to one server, and the server's words to the loop."""

    def __init__(self, *, url: str, token: str, clock: Clock, place: Place) -> None:
        """Args:
        url: `ws://host:port` of the server.
        token: Sent as a bearer token; empty for none.
        place: Told by each connection whether the server shares this computer's disk.
        """
        self._url = f"{url.rstrip('/')}/ws/actor"
        self._place = place
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._clock = clock
        self._outbox = Outbox()
        self._events = asyncio.new_event_loop()
        self._encoder = FrameEncoder(offer=self._offer)
        self._thread: threading.Thread | None = None
        self._main: asyncio.Task[None] | None = None
        self._is_closing = False
        self._is_connected = False
        # The server said something on the present connection.
        self._was_welcome = False
        self._complaint = ""

    def start(
        self,
        *,
        inbox: Inbox,
        deadman: Deadman,
        promotions: Promotions,
        decided: Callable[[UploadOrder], None],
    ) -> None:
        """Connect, and go on connecting, until `close`.

        `decided` takes what people decide of uploads; it returns at once.
        """
        self._inbox = inbox
        self._deadman = deadman
        self._promotions = promotions
        self._decided = decided
        self._thread = threading.Thread(target=self._run, name="link", daemon=True)
        self._thread.start()

    def close(self, *, drain_s: float = 2.0) -> None:
        """Bring away what waits, for at most `drain_s`, then hang up; harmless when repeated."""
        if not self._is_closing:
            self._is_closing = True
            if self._thread is not None:
                asyncio.run_coroutine_threadsafe(self._hang_up(drain_s), self._events)
                self._thread.join(timeout=drain_s + 5)
            self._encoder.close()
            self._events.close()

    # -- any thread: the Outlet --------------------------------------------------------------

    def send(self, message: Lasting) -> None:
        self._call(self._outbox.put, message)

    def hello(self, hello: ActorHello, live: LiveCameras | None) -> None:
        generation = self._encoder.use(tuple(camera.name for camera in hello.cameras), live)
        self._call(lambda: self._outbox.hello(hello, generation=generation))

    def publish(self, tick: Tick, observation: Observation | None) -> None:
        if observation is not None:
            self._encoder.put(observation)
        self._call(self._outbox.tick, tick)

    def _offer(self, generation: int, camera: int, packed: bytes) -> None:
        self._call(self._outbox.frame, generation, camera, packed)

    def _call(self, work: Any, *args: Any) -> None:
        if not self._events.is_closed():
            self._events.call_soon_threadsafe(work, *args)

    # -- the link's thread -------------------------------------------------------------------

    def _run(self) -> None:
        run_on_time(HELPER_PRIORITY)
        asyncio.set_event_loop(self._events)
        self._main = self._events.create_task(self._keep_connected())
        try:
            self._events.run_until_complete(self._main)
        except asyncio.CancelledError:
            log.debug("the link is closed")

    async def _hang_up(self, drain_s: float) -> None:
        deadline_s = self._events.time() + drain_s
        while self._is_connected and not self._outbox.is_empty and self._events.time() < deadline_s:
            await asyncio.sleep(0.01)
        if self._main is not None:
            self._main.cancel()

    async def _keep_connected(self) -> None:
        backoff_s = FIRST_BACKOFF_S
        while True:
            try:
                async with connect(
                    self._url,
                    additional_headers={**self._headers, **self._place.request_headers()},
                    compression=None,
                    max_size=MAX_TEXT_BYTES,
                    open_timeout=5,
                    close_timeout=1,
                    ping_interval=KEEPALIVE_S,
                    ping_timeout=KEEPALIVE_S,
                    # The server is named by whoever starts the actor; a proxy set for downloads
                    # must not come between the robot and its stop button.
                    proxy=None,
                ) as socket:
                    await self._talk(socket)
                    self._complain(f"the server hung up: {_why_closed(socket)}")
            except InvalidStatus as error:
                self._complain(
                    f"{self._url} answered {error.response.status_code}: is HANDRAIL_ACTOR_TOKEN, "
                    "or actor.token in the data directory, the server's own?"
                )
            except (OSError, TimeoutError, WebSocketException, MalformedError) as error:
                self._complain(f"{type(error).__name__}: {error}")
            # A server that takes the connection only to end it is not asked any faster.
            if self._was_welcome:
                backoff_s = FIRST_BACKOFF_S
            self._was_welcome = False
            await asyncio.sleep(backoff_s)
            backoff_s = min(backoff_s * 2, MAX_BACKOFF_S)

    def _complain(self, complaint: str) -> None:
        """Say it once, not at every attempt."""
        if complaint != self._complaint:
            log.warning("no link to %s: %s", self._url, complaint)
        self._complaint = complaint

    async def _talk(self, socket: ClientConnection) -> None:
        """Both directions until the connection ends.

        Raises:
            MalformedError: The server said something unknown; the connection is closed.
        """
        server_clock = ServerClock()
        self._place.connected(socket.response.headers if socket.response else {})
        self._outbox.reconnected()
        self._is_connected = True
        self._deadman.link_up()
        sender = asyncio.create_task(self._send_all(socket))
        try:
            async for raw in socket:
                if not self._was_welcome:
                    self._was_welcome = True
                    self._complaint = ""
                    log.info("connected to %s", self._url)
                self._receive(raw, server_clock)
        except MalformedError as error:
            # A close reason holds 123 bytes.
            await socket.close(1008, str(error).encode()[:120].decode(errors="ignore"))
            raise
        finally:
            self._is_connected = False
            self._deadman.link_down(now_s=self._clock.now_s())
            sender.cancel()
            await asyncio.gather(sender, return_exceptions=True)

    async def _send_all(self, socket: ClientConnection) -> None:
        try:
            while True:
                await self._outbox.filled.wait()
                self._outbox.filled.clear()
                while (item := self._outbox.next()) is not None:
                    await socket.send(item)
                    self._outbox.sent()
        except ConnectionClosed:
            log.debug("the connection closed while sending")

    def _receive(self, raw: str | bytes, server_clock: ServerClock) -> None:
        now_ms = self._clock.wall_s() * 1000
        now_s = self._clock.now_s()
        if isinstance(raw, bytes):
            if len(raw) != 1:
                raise MalformedError(f"an acknowledgement is one byte, got {len(raw)} bytes")
            self._outbox.acknowledge(raw[0])
            return
        try:
            message = to_actor.validate_json(raw)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            field = ".".join(str(part) for part in first["loc"])
            raise MalformedError(f"{field or 'message'}: {first['msg']}") from error
        if isinstance(message, Ping):
            server_clock.ping(sent_ms=message.t_ms, arrived_ms=now_ms)
            self._deadman.ping(now_s=now_s)
            self._outbox.put(message.model_copy(update={"actor_ms": now_ms}))
        elif isinstance(message, LeaseMessage):
            self._deadman.lease(message.holder)
        elif isinstance(message, InputMessage):
            age_s = server_clock.age_s(sent_ms=message.sent_ms, now_ms=now_ms)
            self._deadman.feed(message, age_s=age_s, now_s=now_s)
        elif isinstance(message, CommandMessage):
            age_s = server_clock.age_s(sent_ms=message.sent_ms, now_ms=now_ms)
            self._inbox.submit(message, age_s=age_s)
        elif isinstance(message, UploadOrder):
            self._decided(message)
        elif isinstance(message, PolicyMessage):
            self._promotions.offer(
                Promoted(
                    checkpoint_id=message.checkpoint_id,
                    path=message.path,
                    promoted_s=message.promoted_s,
                )
            )


def _why_closed(socket: ClientConnection) -> str:
    return f"{socket.close_code} {socket.close_reason or ''}".strip()
