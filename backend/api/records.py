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
from backend.api.episode_inbox import EpisodeInbox
from backend.api.live import Ledger, Live
from backend.db.attempt_queries import list_attempts, newest_session
from backend.db.engine import Database
from backend.db.models import SessionRow
from backend.db.queries import last_final_episode
from backend.episodes.format import EPISODES_DIR, FINAL_FILE, CameraSize, EpisodeHeader
from backend.intake import (
    Reconciliation,
    ingest_distant_end,
    ingest_distant_start,
    ingest_finished,
    ingest_started,
    lose_distant,
    reconcile,
    unfinished_takes,
)
from backend.statistics import summarize
from backend.wire import ActorHello, EpisodeFinished, EpisodeStarted

log = logging.getLogger(__name__)


class SessionRecords:
    """Sessions and episodes as rows, from the actor's reports."""

    def __init__(
        self, live: Live, database: Database, *, data_dir: Path, inbox: EpisodeInbox
    ) -> None:
        self._live = live
        self._inbox = inbox
        self._database = database
        self._data_dir = data_dir
        self._episodes_dir = data_dir / EPISODES_DIR
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="records")
        self._writing: set[asyncio.Task[None]] = set()
        self._actor_pid: int | None = None
        # Counted when folders may have changed: looking at ten thousand takes 200 ms.
        self._num_unfinished = 0

    # -- reports; all return at once -----------------------------------------------------------

    def greeted(self, hello: ActorHello) -> None:
        self._later("the session", lambda: self._follow(hello))
        if self._actor_pid not in (None, hello.pid):
            # The one before may have left a take.
            self.left()
            self.look_again()
        self._actor_pid = hello.pid

    def episode_started(self, message: EpisodeStarted) -> None:
        hello = self._live.line.hello if self._live.line.is_apart else None

        def write() -> None:
            if hello is not None:
                self._inbox.expect(message.episode_id)
            with self._database.write() as db:
                if hello is not None:
                    ingest_distant_start(db, _header_of(message, hello))
                else:
                    ingest_started(db, self._episodes_dir / message.episode_id)

        self._later(f"the start of episode {message.episode_id}", write)

    def episode_finished(self, message: EpisodeFinished) -> None:
        is_apart = self._live.line.is_apart
        now_s = self._live.clock.wall_s()

        def write() -> None:
            with self._database.write() as db:
                if is_apart:
                    ingest_distant_end(
                        db,
                        message.episode_id,
                        end_reason=message.end_reason,
                        num_steps=message.num_steps,
                        num_human_steps=message.num_human_steps,
                        ended_s=now_s,
                    )
                else:
                    ingest_finished(db, self._episodes_dir / message.episode_id)

        self._later(f"the end of episode {message.episode_id}", write)

    def left(self) -> None:
        """Nobody hears the actor: what it records elsewhere can no longer be called recording."""
        self._later("what an actor left behind", self._lose_distant)

    async def arrived(self, episode_id: str) -> None:
        """Make the row of an episode that came from another computer, finished or not."""
        folder = self._episodes_dir / episode_id

        def write() -> None:
            if (folder / FINAL_FILE).exists():
                with self._database.write() as db:
                    ingest_finished(db, folder)
            else:
                self._reconcile()

        await self.decide(write)

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

    async def decide_take[Result](self, work: Callable[[], Result]) -> Result:
        """The same for work that changes which takes are unfinished."""

        def work_and_count() -> Result:
            try:
                return work()
            finally:
                self._count_unfinished()

        return await self.decide(work_and_count)

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
        await loop.run_in_executor(self._thread, self._lose_distant)
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
            # Nobody awaits this task, so whatever it was must be told to people here: database,
            # disk, or a folder that cannot be read.
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

    def _lose_distant(self) -> None:
        with self._database.write() as db:
            lose_distant(db, self._data_dir)

    def _reconcile(self) -> Reconciliation:
        found = reconcile(self._database, self._data_dir)
        self._num_unfinished = len(found.unfinished)
        return found

    def _count_unfinished(self) -> None:
        self._num_unfinished = len(unfinished_takes(self._data_dir))

    def _read_ledger(self) -> Ledger:
        unfinished = self._num_unfinished
        hello = self._live.line.hello
        with self._database.read() as db:
            session_id = hello.session_id if hello else None
            if session_id is None:
                # Between sessions the last one's counts stay in sight.
                newest = newest_session(db)
                session_id = newest.id if newest else None
            if session_id is None:
                return Ledger(unfinished=unfinished)
            last = last_final_episode(db, session_id)
            return Ledger(
                counts=counts_of(summarize(list_attempts(db, session_id=session_id))),
                last_episode_id=last.id if last else None,
                unfinished=unfinished,
            )


def _header_of(message: EpisodeStarted, hello: ActorHello) -> EpisodeHeader:
    """What the row of an episode can say before its folder is here."""
    return EpisodeHeader(
        id=message.episode_id,
        session_id=message.session_id,
        number=message.number,
        robot=hello.robot,
        robot_type="",
        task=message.task,
        fps=message.fps,
        state_names=tuple(hello.joints),
        action_names=tuple(hello.joints),
        cameras={c.name: CameraSize(width=c.width, height=c.height) for c in hello.cameras},
        policy=message.policy,
        checkpoint_id=message.checkpoint_id,
        started_s=message.started_s,
        operator=message.operator,
    )
