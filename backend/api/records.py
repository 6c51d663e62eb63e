"""Writes down what the actor reports, without ever making it wait.

One thread does all of it, in the order in which it happened; the counts that follow become the live
session's `Ledger`. A report that cannot be written is logged as an error and told to the pages;
the episode's folder stays whatever happens here, and `reconcile` reads it again at the next start.
"""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sqlalchemy import select

from backend.api.counts import counts_of
from backend.api.live import Ledger, Live
from backend.db.engine import Database
from backend.db.models import SessionRow
from backend.db.queries import count_session, last_final_episode, list_sessions
from backend.episodes.format import EPISODES_DIR
from backend.intake import (
    Reconciliation,
    ingest_finished,
    ingest_started,
    reconcile,
    unfinished_takes,
)
from backend.wire import ActorHello, EpisodeFinished, EpisodeStarted

log = logging.getLogger(__name__)


class SessionRecords:
    """Sessions and episodes as rows, from the actor's reports."""

    def __init__(self, live: Live, database: Database, *, data_dir: Path) -> None:
        self._live = live
        self._database = database
        self._data_dir = data_dir
        self._episodes_dir = data_dir / EPISODES_DIR
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="records")
        self._writing: set[asyncio.Task[None]] = set()
        self._actor_pid: int | None = None

    # -- reports; all return at once -----------------------------------------------------------

    def greeted(self, hello: ActorHello) -> None:
        self._later("the session", lambda: self._follow(hello))
        if self._actor_pid not in (None, hello.pid):
            # The one before may have left a take.
            self.look_again()
        self._actor_pid = hello.pid

    def episode_started(self, message: EpisodeStarted) -> None:
        def write() -> None:
            with self._database.write() as db:
                ingest_started(db, self._episodes_dir / message.episode_id)

        self._later(f"the start of episode {message.episode_id}", write)

    def episode_finished(self, message: EpisodeFinished) -> None:
        def write() -> None:
            with self._database.write() as db:
                ingest_finished(db, self._episodes_dir / message.episode_id)

        self._later(f"the end of episode {message.episode_id}", write)

    def look_again(self) -> None:
        """Read all folders again: an actor ended, or a take was recovered or discarded."""
        self._later("what lies in the episodes' folder", self._reconcile)

    def refresh(self) -> None:
        """Count again: somebody else may have labelled."""
        self._later("the session's counts", lambda: None)

    async def decide[Result](self, work: Callable[[], Result]) -> Result:
        """Do `work` in its place among the reports, count again, return what it returned."""
        result = await asyncio.get_running_loop().run_in_executor(self._thread, work)
        self.refresh()
        return result

    # -- life ----------------------------------------------------------------------------------

    async def start(self) -> None:
        """Bring the database in line with the folders before anybody asks."""
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._thread, self._reconcile)
        for episode_id, why in found.damaged.items():
            log.error("episode folder %s cannot be read: %s", episode_id, why)
        if found.unfinished:
            log.warning(
                "%d unfinished takes wait to be recovered or discarded", len(found.unfinished)
            )
        self._live.ledger = await loop.run_in_executor(self._thread, self._read_ledger)

    async def finish(self) -> None:
        """Wait until everything reported so far is written."""
        while self._writing:
            await asyncio.gather(*self._writing)

    def close(self) -> None:
        """End the thread; harmless when repeated."""
        self._thread.shutdown(wait=True)

    def _later(self, what: str, write: Callable[[], object]) -> None:
        # Each task takes its place in the thread's queue when it first runs, and tasks first run
        # in the order in which they were made.
        task = asyncio.get_running_loop().create_task(self._write(what, write))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    async def _write(self, what: str, write: Callable[[], object]) -> None:
        def write_and_read() -> Ledger:
            write()
            return self._read_ledger()

        loop = asyncio.get_running_loop()
        try:
            self._live.ledger = await loop.run_in_executor(self._thread, write_and_read)
        except Exception:
            log.exception("%s could not be written to the database", what)
            self._live.notify(
                "error",
                "database",
                f"{what} could not be written to the database; the server's log says why",
            )
        else:
            self._live.changed()

    # -- the thread's work ---------------------------------------------------------------------

    def _follow(self, hello: ActorHello) -> None:
        """Make the row of the actor's session, and close those that are over."""
        now_s = self._live.clock.wall_s()
        with self._database.write() as db:
            for row in db.scalars(select(SessionRow).where(SessionRow.closed_s.is_(None))):
                if row.id != hello.session_id:
                    row.closed_s = now_s
            if hello.session_id and db.get(SessionRow, hello.session_id) is None:
                db.add(
                    SessionRow(
                        id=hello.session_id,
                        robot=hello.robot,
                        policy=hello.policy,
                        operator=self._live.opened_by,
                        opened_s=now_s,
                        closed_s=None,
                    )
                )

    def _reconcile(self) -> Reconciliation:
        return reconcile(self._database, self._data_dir)

    def _read_ledger(self) -> Ledger:
        unfinished = len(unfinished_takes(self._data_dir))
        hello = self._live.line.hello
        with self._database.read() as db:
            session_id = hello.session_id if hello else None
            if session_id is None:
                # Between sessions the last one's counts stay in sight.
                newest = list_sessions(db, limit=1).items
                session_id = newest[0].id if newest else None
            if session_id is None:
                return Ledger(unfinished=unfinished)
            last = last_final_episode(db, session_id)
            return Ledger(
                counts=counts_of(count_session(db, session_id)),
                last_episode_id=last.id if last else None,
                unfinished=unfinished,
            )
