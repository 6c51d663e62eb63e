"""Brings spooled episodes to a server on another computer, in a thread of its own.

In parts, each with its checksum, from wherever the server says it is; a break, on either side,
costs at most the part that was under way. What fails is tried again, ever more slowly, for as long
as this process lives, and by the next one after that. Episodes leave oldest first.

A refusal that trying again cannot change is said once, and the episode stays in the spool until
somebody decides: try again, or move it to the trash folder of this computer.
"""

import hashlib
import logging
import threading
from collections import deque
from pathlib import Path

from backend.actor.clock import Clock
from backend.actor.news import News
from backend.actor.place import Disk, Place
from backend.actor.priority import give_way
from backend.actor.server_http import (
    ServerHttp,
    ServerRefusedError,
    ServerUnreachableError,
    path_of,
)
from backend.actor.spool import Spool, plan_of
from backend.wire import DIGEST_HEADER, UploadOrder, UploadPlan, UploadState

log = logging.getLogger(__name__)

# Small enough to arrive within a minute over a bad link, and to hold up nothing on a good one.
PART_BYTES = 256 * 1024
FIRST_BACKOFF_S = 0.5
MAX_BACKOFF_S = 30.0
# Refusals that the next attempt, begun anew, may well escape.
PASSING = ("checksum", "offset", "not_found", "disk_full", "token")


class _ClosingError(Exception):
    """The process ends; the next one goes on."""


class Uploads:
    """From `start` to `close`, which may be repeated."""

    def __init__(
        self,
        *,
        spool: Spool,
        http: ServerHttp,
        place: Place,
        news: News,
        clock: Clock,
        limit_mbit: float = 0.0,
    ) -> None:
        """`limit_mbit`: Mbit/s at which episodes leave; 0 for no limit."""
        self._seconds_a_byte = 8e-6 / limit_mbit if limit_mbit > 0 else 0.0
        self._spool = spool
        self._http = http
        self._place = place
        self._news = news
        self._clock = clock
        self._wake = threading.Event()
        self._closing = threading.Event()
        # Not tried before something is new; spoken of once.
        self._refused: set[str] = set()
        self._told: set[str] = set()
        self._orders: deque[UploadOrder] = deque()
        self._complaint = ""
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin; what waits from earlier goes first."""
        self._thread = threading.Thread(target=self._run, name="uploads", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """There is a new episode, or a new connection; any thread."""
        self._wake.set()

    def obey(self, order: UploadOrder) -> None:
        """Take what somebody decided; any thread, returns at once."""
        self._orders.append(order)
        self._wake.set()

    def close(self, timeout_s: float = 5.0) -> None:
        """End after the part that is under way; the rest waits in the spool."""
        self._closing.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout_s)

    def _run(self) -> None:
        give_way()
        backoff_s = FIRST_BACKOFF_S
        wait_s: float | None = None
        while not self._closing.is_set():
            if self._wake.wait(wait_s):
                # Something is new: what was refused may be taken now.
                self._refused.clear()
            self._wake.clear()
            if self._place.disk is not Disk.APART:
                continue
            if self.bring_all():
                backoff_s, wait_s = FIRST_BACKOFF_S, None
            else:
                # A broken link wakes this thread when it is mended, which may be sooner.
                wait_s = backoff_s
                backoff_s = min(backoff_s * 2, MAX_BACKOFF_S)

    def bring_all(self) -> bool:
        """Do what was decided, then bring what waits.

        Returns:
            False where some of it has to be tried again.
        """
        try:
            self._obey()
            for folder in self._spool.waiting():
                if folder.name not in self._refused:
                    self._bring(folder)
            self._complaint = ""
            gone = self._spool.make_room()
        except _ClosingError:
            return True
        except (ServerUnreachableError, ServerRefusedError, OSError) as error:
            self._complain(str(error))
            return False
        if gone:
            self._news.notice(
                "info",
                "spool_cleared",
                f"{len(gone)} episodes that the server has were removed from the robot's computer "
                "to keep its spool within its limit",
            )
        return True

    def _obey(self) -> None:
        while self._orders:
            order = self._orders.popleft()
            if order.order == "retry":
                # Told again if it is refused again: somebody waits for the answer.
                self._refused.discard(order.episode_id)
                self._told.discard(order.episode_id)
            else:
                self._discard(order.episode_id)

    def _discard(self, episode_id: str) -> None:
        """Put away an episode that the server refused for good, and no other."""
        waiting = {folder.name: folder for folder in self._spool.waiting()}
        if episode_id not in self._told or episode_id not in waiting:
            return
        where = self._spool.discard(waiting[episode_id])
        log.warning("episode %s was discarded: it is in %s", episode_id, where)
        self._news.notice(
            "info",
            "upload_discarded",
            f"episode {episode_id} is in {where} of the robot's computer and is no longer brought",
        )

    def _bring(self, folder: Path) -> None:
        plan = plan_of(folder)
        size_mb = sum(facts.size for facts in plan.files) / 1e6
        log.info("episode %s leaves, %.1f MB", folder.name, size_mb)
        try:
            self._send(folder, plan)
        except ServerRefusedError as error:
            if error.code in PASSING:
                raise
            self._refused.add(folder.name)
            if folder.name in self._told:
                return
            self._told.add(folder.name)
            log.error("episode %s stays in the spool: %s", folder.name, error)
            self._news.notice(
                "error",
                "upload_refused",
                f"episode {folder.name} stays on the robot's computer, the server refused it: "
                f"{error}",
            )
            return
        self._told.discard(folder.name)
        self._spool.confirm(folder, server=self._http.base_url, now_s=self._clock.wall_s())
        log.info("episode %s has arrived", folder.name)

    def _send(self, folder: Path, plan: UploadPlan) -> None:
        body = plan.model_dump()
        at = path_of("episodes", folder.name)
        state = self._http.ask("POST", at, UploadState, json=body)
        if state.state == "stored":
            return
        for facts in plan.files:
            with (folder / facts.name).open("rb") as file:
                offset = file.seek(state.received.get(facts.name, 0))
                while part := file.read(PART_BYTES):
                    offset = self._send_part(at, facts.name, offset, part)
        self._http.ask("POST", f"{at}/finish", UploadState, json=body)

    def _send_part(self, at: str, name: str, offset: int, part: bytes) -> int:
        if self._closing.wait(len(part) * self._seconds_a_byte):
            raise _ClosingError
        state = self._http.ask(
            "PUT",
            f"{at}{path_of(name)}",
            UploadState,
            params={"offset": offset},
            content=part,
            headers={DIGEST_HEADER: hashlib.sha256(part).hexdigest()},
        )
        return state.received[name]

    def _complain(self, complaint: str) -> None:
        """Say it once, not at every attempt."""
        if complaint != self._complaint:
            log.warning("episodes wait in the spool and are tried again: %s", complaint)
        self._complaint = complaint
