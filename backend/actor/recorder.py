"""Writes episodes in a thread of its own, so that the loop never waits for a disk or an encoder.

The loop hands over steps and goes on; they wait in a queue of bounded memory. What cannot be kept
is refused to the loop's face, which then holds the robot: a step is never dropped in silence. A
take that fails stays on the disk as far as it came, unfinished, to be recovered from the page.

The episode's files themselves are the business of `backend.episodes.store`.
"""

import contextlib
import logging
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from backend.actor.priority import HELPER_PRIORITY, run_on_time
from backend.episodes.format import EpisodeEnd, EpisodeHeader, Step

log = logging.getLogger(__name__)

GIB = 1024**3
# Written steps reach the disk by the writer's own rule while steps come; after a pause like this
# one the recorder asks for it.
PAUSE_S = 0.5
# While steps come without a pause, the free disk is looked at once in so many.
DISK_LOOK_STEPS = 30


class Writer(Protocol):
    """One episode's folder: `backend.episodes.store.EpisodeWriter`."""

    def add(self, step: Step) -> None: ...
    def flush(self) -> None: ...
    def finish(self, end: EpisodeEnd) -> Path: ...
    def close(self) -> None: ...


class RecorderEvents(Protocol):
    """Whom the recorder tells, from its own thread; each returns at once."""

    def episode_started(self, header: EpisodeHeader) -> None: ...
    def episode_finished(self, header: EpisodeHeader, end: EpisodeEnd) -> None: ...
    def recording_failed(self, header: EpisodeHeader, reason: str) -> None: ...
    def disk_low(self, free_bytes: int) -> None: ...


@dataclass(frozen=True, kw_only=True)
class RecorderLimits:
    """How much may be used, bytes."""

    # Steps that wait for the disk; 30 Hz of three 640x480 cameras are 83 MB a second.
    memory_bytes: int = GIB
    # Free disk below which people are warned, and below which no episode starts.
    warn_free_bytes: int = 10 * GIB
    refuse_free_bytes: int = 2 * GIB


@dataclass(frozen=True, kw_only=True)
class _End:
    end: EpisodeEnd


class Recorder:
    """One episode at a time, in the order of the calls, which all come from the loop's thread."""

    def __init__(
        self,
        *,
        create: Callable[[EpisodeHeader], Writer],
        events: RecorderEvents,
        free_bytes: Callable[[], int],
        limits: RecorderLimits,
        released: Callable[[], None] = lambda: None,
    ) -> None:
        """Args:
        create: Makes the folder of a take.
        events: Told what happens.
        free_bytes: Of the disk that takes the episodes.
        limits: What may be used.
        released: Called when a take's folder is left alone, be it whole or not.
        """
        self._create = create
        self._events = events
        self._free_bytes = free_bytes
        self._limits = limits
        self._released = released
        self._queue: queue.Queue[EpisodeHeader | Step | _End | None] = queue.Queue()
        self._lock = threading.Lock()
        self._waiting_bytes = 0
        self._open_takes = 0
        self._failure = ""
        self._warned = False
        # The recorder thread's own: the take it writes, and what was really written of it.
        self._header: EpisodeHeader | None = None
        self._writer: Writer | None = None
        self._disk_free = free_bytes()
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    # -- the loop's side ---------------------------------------------------------------------

    @property
    def is_busy(self) -> bool:
        """A take is begun and not yet on the disk as a whole."""
        with self._lock:
            return self._open_takes > 0

    @property
    def failure(self) -> str:
        """Why the present take can be recorded no further; empty while it can."""
        with self._lock:
            return self._failure

    @property
    def disk_free(self) -> int:
        """Bytes, at most a second old."""
        return self._disk_free

    def why_not_begin(self) -> str:
        """What forbids a new episode, for people; empty when nothing does."""
        if self._disk_free < self._limits.refuse_free_bytes:
            return (
                f"only {self._disk_free / GIB:.1f} GB of disk are left, recording needs "
                f"{self._limits.refuse_free_bytes / GIB:.1f} GB"
            )
        return ""

    def begin(self, header: EpisodeHeader) -> None:
        """Start a take; `episode_started` follows when its folder exists."""
        with self._lock:
            self._open_takes += 1
            self._failure = ""
        self._queue.put(header)

    def add(self, step: Step) -> bool:
        """Hand over a step; False when it cannot be kept, with `failure` saying why if for good."""
        size = _bytes_of(step)
        with self._lock:
            if self._failure or self._waiting_bytes + size > self._limits.memory_bytes:
                return False
            self._waiting_bytes += size
        self._queue.put(step)
        return True

    def finish(self, end: EpisodeEnd) -> None:
        """End the take; `episode_finished` follows when it is final."""
        self._queue.put(_End(end=end))

    def close(self, timeout_s: float = 30.0) -> None:
        """Write all that waits, then end the thread; harmless when repeated."""
        if self._thread.is_alive():
            self._queue.put(None)
            self._thread.join(timeout_s)
            if self._thread.is_alive():
                log.error("the recorder did not finish within %s s; its take stays open", timeout_s)

    # -- the recorder's thread ---------------------------------------------------------------

    def _run(self) -> None:
        run_on_time(HELPER_PRIORITY)
        while True:
            try:
                item = self._queue.get(timeout=PAUSE_S)
            except queue.Empty:
                self._try(lambda writer: writer.flush())
                self._look_at_disk()
                continue
            if item is None:
                self._leave()
                return
            self._handle(item)
            self._queue.task_done()

    def _handle(self, item: EpisodeHeader | Step | _End) -> None:
        if isinstance(item, EpisodeHeader):
            self._look_at_disk()
            self._open(item)
        elif isinstance(item, Step):
            self._try(lambda writer: writer.add(item))
            with self._lock:
                self._waiting_bytes -= _bytes_of(item)
            if item.step % DISK_LOOK_STEPS == 0:
                self._look_at_disk()
        else:
            self._finish(item.end)

    def _open(self, header: EpisodeHeader) -> None:
        self._header = header
        try:
            self._writer = self._create(header)
        except Exception as error:
            # A full disk, an encoder: the loop drives on and people are told, whatever it was.
            self._fail(error)
            return
        self._events.episode_started(header)

    def _finish(self, end: EpisodeEnd) -> None:
        header = self._header
        finished = self._try(lambda writer: writer.finish(end))
        if finished and header is not None:
            self._writer = None
            self._events.episode_finished(header, end)
            self._released()
        self._leave()
        self._header = None
        with self._lock:
            self._open_takes -= 1

    def _try(self, work: Callable[[Writer], object]) -> bool:
        """Do something with the open take; a failure ends it, whatever its kind."""
        if self._writer is None:
            return False
        try:
            work(self._writer)
        except Exception as error:
            # As above: a take that cannot be written must not end the recorder's thread.
            self._fail(error)
            return False
        return True

    def _fail(self, error: Exception) -> None:
        assert self._header is not None
        log.error("episode %s cannot be recorded further", self._header.id, exc_info=error)
        reason = f"{type(error).__name__}: {error}"
        with self._lock:
            self._failure = reason
        self._leave()
        self._events.recording_failed(self._header, reason)

    def _leave(self) -> None:
        """Let go of an open take as it is."""
        if self._writer is not None:
            with contextlib.suppress(Exception):
                self._writer.close()
            self._writer = None
            self._released()

    def _look_at_disk(self) -> None:
        self._disk_free = self._free_bytes()
        is_low = self._disk_free < self._limits.warn_free_bytes
        if is_low and not self._warned:
            self._events.disk_low(self._disk_free)
        self._warned = is_low


def _bytes_of(step: Step) -> int:
    return sum(frame.nbytes for frame in step.frames.values())
