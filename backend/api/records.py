"""Writes down what the actor reports, without ever making it wait.

One thread does all of it, in the order in which it happened; the newest counts then become the live
session's `Ledger`. A report that cannot be written is lost data: logged as an error and told to the
pages. The folders on disk stay whatever happens here, and the next start reads them again.
"""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import select

from backend.api.live import Ledger, Live
from backend.db.engine import Database
from backend.db.models import SessionRow
from backend.wire import ActorHello, EpisodeFinished, EpisodeStarted

log = logging.getLogger(__name__)


class SessionRecords:
    """Sessions and episodes as rows, from the actor's reports."""

    def __init__(self, live: Live, database: Database) -> None:
        self._live = live
        self._database = database
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="records")
        self._writing: set[asyncio.Task[None]] = set()
        self._session_id: str | None = None

    def greeted(self, hello: ActorHello) -> None:
        self._later("the session", lambda: self._follow(hello))

    def episode_started(self, message: EpisodeStarted) -> None:
        pass

    def episode_finished(self, message: EpisodeFinished) -> None:
        pass

    async def finish(self) -> None:
        """Wait until everything reported so far is written."""
        while self._writing:
            await asyncio.gather(*self._writing)

    def close(self) -> None:
        """End the thread; harmless when repeated."""
        self._thread.shutdown(wait=True)

    def _later(self, what: str, write: Callable[[], None]) -> None:
        task = asyncio.get_running_loop().create_task(self._write(what, write))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    async def _write(self, what: str, write: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(self._thread, write)
            ledger = await loop.run_in_executor(self._thread, self._read_ledger)
        except Exception:
            log.exception("%s could not be written to the database", what)
            self._live.notify(
                "error", "database", f"{what} could not be written to the database; see server log"
            )
        else:
            self._live.ledger = ledger
            self._live.changed()

    def _follow(self, hello: ActorHello) -> None:
        now_s = self._live.clock.wall_s()
        self._session_id = hello.session_id
        with self._database.write() as db:
            still_open = select(SessionRow).where(SessionRow.closed_s.is_(None))
            for row in db.scalars(still_open):
                if row.id != hello.session_id:
                    row.closed_s = now_s
            if hello.session_id and db.get(SessionRow, hello.session_id) is None:
                db.add(
                    SessionRow(
                        id=hello.session_id,
                        robot=hello.robot,
                        policy=hello.policy,
                        operator="",
                        opened_s=now_s,
                        closed_s=None,
                    )
                )

    def _read_ledger(self) -> Ledger:
        return Ledger()
