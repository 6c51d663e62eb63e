"""Hands camera frames and texts to every page that watches, each at its own pace.

Each viewer has one slot a camera: a newer frame overwrites it, sending empties it, and at most
`FRAME_CREDITS` frames a camera travel unacknowledged. So a slow viewer misses frames; it never
falls behind, and nobody else notices: every viewer is pumped by a task of its own. Frames pass
through as the bytes that the actor packed, ticks as the text that it wrote.

Runs on the event loop only; nothing here waits, except a viewer's own pump for its own socket.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable

from backend.wire import FRAME_CREDITS

# 20 s of ticks at 30 Hz: the width of the page's strip. A viewer that reads none of it for longer
# loses the oldest.
MAX_TEXTS = 600


class Viewer:
    """One live socket's outgoing side."""

    def __init__(self) -> None:
        self._frames: dict[int, bytes] = {}
        self._unacknowledged: Counter[int] = Counter()
        self._texts: deque[str] = deque(maxlen=MAX_TEXTS)
        self._hello: str | None = None
        self._wake = asyncio.Event()

    def offer_frame(self, camera: int, blob: bytes) -> None:
        self._frames[camera] = blob
        self._wake.set()

    def offer_text(self, text: str) -> None:
        self._texts.append(text)
        self._wake.set()

    def offer_hello(self, text: str) -> None:
        """Queue the newest hello; an older unsent one is forgotten."""
        self._hello = text
        self._wake.set()

    def acknowledge(self, camera: int) -> None:
        if self._unacknowledged[camera] > 0:
            self._unacknowledged[camera] -= 1
        self._wake.set()

    def forget_frames(self) -> None:
        """The cameras changed: what was shown or is under way belongs to other ones."""
        self._frames.clear()
        self._unacknowledged.clear()

    async def pump(
        self,
        send_text: Callable[[str], Awaitable[None]],
        send_bytes: Callable[[bytes], Awaitable[None]],
    ) -> None:
        """Send until cancelled or until a send raises."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            if self._hello is not None:
                hello, self._hello = self._hello, None
                await send_text(hello)
            if self._texts:
                batch = list(self._texts)
                self._texts.clear()
                await send_text(batch[0] if len(batch) == 1 else f"[{','.join(batch)}]")
            for camera in list(self._frames):
                if self._unacknowledged[camera] < FRAME_CREDITS:
                    # A frame may have been forgotten while another was being sent.
                    blob = self._frames.pop(camera, None)
                    if blob is not None:
                        self._unacknowledged[camera] += 1
                        await send_bytes(blob)


class Viewers:
    """All that watch, and the newest frame of each camera for those who come next."""

    def __init__(self) -> None:
        self._viewers: set[Viewer] = set()
        self._newest: dict[int, bytes] = {}

    def __len__(self) -> int:
        return len(self._viewers)

    def add(self, viewer: Viewer) -> None:
        self._viewers.add(viewer)
        for camera, blob in self._newest.items():
            viewer.offer_frame(camera, blob)

    def remove(self, viewer: Viewer) -> None:
        self._viewers.discard(viewer)

    def publish_frame(self, camera: int, blob: bytes) -> None:
        self._newest[camera] = blob
        for viewer in self._viewers:
            viewer.offer_frame(camera, blob)

    def publish_text(self, text: str) -> None:
        for viewer in self._viewers:
            viewer.offer_text(text)

    def forget_frames(self) -> None:
        self._newest.clear()
        for viewer in self._viewers:
            viewer.forget_frames()
