"""What waits to leave for the server: lasting messages in order, ticks and frames newest only.

Lives on the link's event loop; nothing here is called from another thread. Lasting messages stay
until they were handed to a connection; what a broken connection may have swallowed and the server
must know (the episode that is open, the ones that ended) is said again after the next hello, which
is harmless because the server takes each of them once.
"""

import asyncio
from collections import Counter, deque

from backend.actor.news import Lasting
from backend.wire import (
    FRAME_CREDITS,
    ActorHello,
    Answer,
    EpisodeFinished,
    EpisodeStarted,
    Notice,
    Ping,
    Tick,
)

# Said again after a reconnect; far more than end within any break of the link.
REPEATED = 16
# Without a server notices gather; the oldest are the least interesting ones.
MAX_NOTICES = 200


class Outbox:
    """Slots and queues of one link, over all its connections."""

    def __init__(self) -> None:
        self.filled = asyncio.Event()
        self._hello: ActorHello | None = None
        self._generation = 0
        self._lasting: deque[ActorHello | Lasting | Ping] = deque()
        self._sent: deque[Lasting] = deque(maxlen=REPEATED)
        # Handed out by `next` and not yet confirmed by `sent`.
        self._in_hand: Lasting | None = None
        # So was a lasting message of whatever kind.
        self._is_handing = False
        self._started: EpisodeStarted | None = None
        self._tick: Tick | None = None
        self._frames: dict[int, bytes] = {}
        self._in_flight: Counter[int] = Counter()

    def hello(self, hello: ActorHello, *, generation: int) -> None:
        """Introduce the actor anew; frames of earlier generations are no longer sent."""
        self._hello = hello
        self._generation = generation
        self._frames.clear()
        self._lasting.append(hello)
        self.filled.set()

    def put(self, message: Lasting | Ping) -> None:
        """Queue something that must arrive."""
        if isinstance(message, EpisodeStarted):
            self._started = message
        elif isinstance(message, EpisodeFinished):
            self._started = None
        elif isinstance(message, Notice):
            self._forget_notices()
        self._lasting.append(message)
        self.filled.set()

    def tick(self, tick: Tick) -> None:
        """Newest wins."""
        self._tick = tick
        self.filled.set()

    def frame(self, generation: int, camera: int, packed: bytes) -> None:
        """Newest of its camera wins."""
        if generation == self._generation:
            self._frames[camera] = packed
            self.filled.set()

    def acknowledge(self, camera: int) -> None:
        """The server has a frame of this camera."""
        if self._in_flight[camera] > 0:
            self._in_flight[camera] -= 1
            self.filled.set()

    def reconnected(self) -> None:
        """A connection opened: start from the hello, with all credits."""
        waiting = [
            message for message in self._lasting if not isinstance(message, ActorHello | Ping)
        ]
        repeated = [message for message in self._sent if message not in waiting]
        if self._started is not None and self._started not in waiting:
            repeated.append(self._started)
        if self._in_hand is not None and self._in_hand not in repeated:
            repeated.append(self._in_hand)
        hello = [] if self._hello is None else [self._hello]
        self._lasting = deque([*hello, *repeated, *waiting])
        self._sent.clear()
        self._in_hand = None
        self._is_handing = False
        self._in_flight.clear()
        self.filled.set()

    def next(self) -> str | bytes | None:
        """What to send now, most urgent first; None when nothing may leave.

        Follow it with `sent` once it was handed to the connection.
        """
        if self._lasting:
            message = self._lasting.popleft()
            self._is_handing = True
            if isinstance(message, EpisodeFinished | Answer):
                self._sent.append(message)
            elif isinstance(message, EpisodeStarted | Notice):
                self._in_hand = message
            return message.model_dump_json()
        if self._tick is not None:
            tick, self._tick = self._tick, None
            return tick.model_dump_json()
        for camera, packed in self._frames.items():
            if self._in_flight[camera] < FRAME_CREDITS:
                del self._frames[camera]
                self._in_flight[camera] += 1
                return packed
        return None

    def sent(self) -> None:
        """The connection took what `next` gave."""
        self._in_hand = None
        self._is_handing = False

    def _forget_notices(self) -> None:
        notices = [message for message in self._lasting if isinstance(message, Notice)]
        if len(notices) >= MAX_NOTICES:
            self._lasting.remove(notices[0])

    @property
    def is_empty(self) -> bool:
        """No lasting message waits, and none is on its way to the connection."""
        return not self._lasting and not self._is_handing
