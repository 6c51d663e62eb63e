"""Starts jobs as child processes, follows them, and finds them again after a restart.

The queue is the `jobs` table. A child is its own session, so a signal reaches all its processes
and the end of the server does not end it. Which process belongs to a job is known by pid and start
time, and by the job's id on its command line when the server died before it could note them.
Everything happens in `poll`, which the server calls from a thread and tests call themselves. Of
several runners on one data directory (a server's, and one of a command line) the first to poll
leads until it closes; the others queue and cancel, and leave the rest to it.

Nothing here knows what a job does: see `kinds.py`, and `child.py` for the child's side.
"""

import json
import logging
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from backend.db.engine import Database
from backend.db.models import JobRow
from backend.db.queries import newest_label_revision
from backend.domain import JobKind, JobState
from backend.episodes.files import take_lock
from backend.jobs.chains import ChainError, hold_up, kept_promise, lost_before, name_of, waits_for
from backend.jobs.child import (
    DATABASE_VARIABLE,
    INBOX_FILE,
    JOBS_DIR,
    RESULT_FILE,
)
from backend.jobs.inbox import read_inbox
from backend.jobs.kinds import JOB_TYPES, JobType
from backend.jobs.orders import CANCEL_FILE, JobNotFoundError, JobOrders, JobStateError, made
from backend.jobs.processes import (
    find_by_flag,
    is_same,
    signal_group,
    start_child,
    started_s,
)

__all__ = ["JobNotFoundError", "JobRunner", "JobStateError"]

logger = logging.getLogger(__name__)

CODE_DIR = Path(__file__).parents[2]
LEAD_FILE = "runner.lock"
# A job that has not obeyed SIGTERM by then is killed.
GRACE_S = 10.0
POLL_INTERVAL_S = 0.25


class JobRunner(JobOrders):
    """Runs the queue. Thread-safe; `close()` may be repeated and leaves children running."""

    def __init__(
        self,
        database: Database,
        data_dir: Path,
        *,
        clock: Callable[[], float],
        types: Mapping[JobKind, JobType] = JOB_TYPES,
        grace_s: float = GRACE_S,
    ) -> None:
        super().__init__(database, data_dir, clock=clock, types=types)
        self._grace_s = grace_s
        # Children of this process; those of an earlier server are known by their rows only.
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._lead: int | None = None

    def poll(self) -> None:
        """Read news of running jobs, end what has ended, start what may begin; or leave it all to
        the runner that leads."""
        active = select(JobRow).where(
            JobRow.state.in_([s.value for s in JobState if not s.is_over])
        )
        with self._database.read() as db:
            if db.scalars(active.limit(1)).first() is None:
                return
        with self._lock:
            if self._leads():
                self._poll_leading(active)

    def _poll_leading(self, active: Select[JobRow]) -> None:
        with self._database.write() as db:
            rows = db.scalars(active.order_by(JobRow.created_s)).all()
            for row in [row for row in rows if row.state == JobState.RUNNING]:
                self._follow(db, row)
            busy = {self._lane(row): row for row in rows if row.state == JobState.RUNNING}
            for row in [row for row in rows if row.state == JobState.QUEUED]:
                if not self._may_begin(db, row):
                    continue
                ahead = busy.setdefault(self._lane(row), row)
                if ahead is row:
                    self._start(db, row)
                else:
                    row.message = f"waits for its turn, after {name_of(ahead)}"

    def start(self) -> None:
        """Poll in a thread until `close`."""
        self._thread = threading.Thread(target=self._run, name="job runner", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop polling. Jobs go on; the next server finds them."""
        self._closing.set()
        self._wake.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()
        # Reap what has ended, so that it stays nobody's zombie.
        self._children = {id: child for id, child in self._children.items() if child.poll() is None}
        if self._lead is not None:
            os.close(self._lead)
            self._lead = None

    def _leads(self) -> bool:
        if self._lead is None and not self._closing.is_set():
            with suppress(BlockingIOError):
                self._lead = take_lock(made(self._data_dir / JOBS_DIR) / LEAD_FILE)
        return self._lead is not None

    def _run(self) -> None:
        while not self._closing.is_set():
            self._wake.clear()
            try:
                self.poll()
            except Exception:
                # A full disk or a busy database today may be well again tomorrow; and whatever else
                # it was, without this thread no job would ever start or end again.
                logger.exception("looking after the jobs failed; trying again")
            self._wake.wait(POLL_INTERVAL_S)

    def _lane(self, row: JobRow) -> str:
        wanted = self._types[JobKind(row.kind)]
        return wanted.beside(row.params) or wanted.lane

    def _may_begin(self, db: Session, row: JobRow) -> bool:
        lost = lost_before(db, row)
        if lost is not None:
            self._end(row, JobState.CANCELLED, hold_up(row, lost))
            return False
        waits = waits_for(db, row)
        row.message = waits or row.message
        return not waits

    def _start(self, db: Session, row: JobRow) -> None:
        try:
            params = kept_promise(db, row.params)
        except ChainError as error:
            self._end(row, JobState.FAILED, str(error))
            return
        if params != row.params:
            row.params = params
            self.write_orders(row)
        row.label_revision = newest_label_revision(db)
        row.state = JobState.RUNNING.value
        row.message = "starting"
        row.started_s = self._clock()
        orphan = find_by_flag("--job-id", row.id)
        if orphan is not None:
            row.pid, row.pid_started_s = orphan, started_s(orphan)
            return
        self._clean_up(row)
        try:
            child = start_child(
                row.command,
                cwd=CODE_DIR,
                log=self.log_path(row.id),
                env={DATABASE_VARIABLE: self._database.url},
            )
        except OSError as error:
            self._end(row, JobState.FAILED, f"could not be started: {error}")
            return
        self._children[row.id] = child
        row.pid = child.pid
        row.pid_started_s = started_s(child.pid)

    def _follow(self, db: Session, row: JobRow) -> None:
        folder = self.folder(row.id)
        child = self._children.get(row.id)
        exit_code = child.poll() if child else None
        alive = exit_code is None if child else is_same(row.pid, row.pid_started_s)
        take_news = self._types[JobKind(row.kind)].take_news
        row.inbox_offset = read_inbox(db, row, folder / INBOX_FILE, take_news=take_news)
        if alive:
            self._press(row)
            return
        self._children.pop(row.id, None)
        self._conclude(db, row, exit_code)

    def _press(self, row: JobRow) -> None:
        cancel = self.folder(row.id) / CANCEL_FILE
        if not cancel.exists():
            return
        asked_s = json.loads(cancel.read_text(encoding="utf-8"))["asked_s"]
        grace_s = self._types[JobKind(row.kind)].grace_s or self._grace_s
        if self._clock() - asked_s >= grace_s:
            signal_group(row.pid, row.pid_started_s, signal.SIGKILL)

    def _conclude(self, db: Session, row: JobRow, exit_code: int | None) -> None:
        folder = self.folder(row.id)
        try:
            ending = json.loads((folder / RESULT_FILE).read_text(encoding="utf-8"))
        except FileNotFoundError:
            ending = {}
        if ending.get("state") == JobState.DONE:
            row.result = ending["result"]
            try:
                with db.begin_nested():
                    self._types[JobKind(row.kind)].record(db, row)
            except Exception as error:  # one job's odd result must not stop the others
                logger.exception("the result of job %s cannot be recorded", row.id)
                self._end(row, JobState.FAILED, f"its result cannot be recorded: {error}")
                return
            row.progress = 1.0
            self._end(row, JobState.DONE, row.message)
            return
        self._clean_up(row)
        if (folder / CANCEL_FILE).exists():
            self._end(row, JobState.CANCELLED, "cancelled")
        elif ending:
            self._end(row, JobState(ending["state"]), ending["message"])
        else:
            how = "" if exit_code is None else f" ({_exit_words(exit_code)})"
            self._end(row, JobState.FAILED, f"ended without a result{how}; see its log")

    def _clean_up(self, row: JobRow) -> None:
        self._types[JobKind(row.kind)].clean_up(self._data_dir, row.id)


def _exit_words(exit_code: int) -> str:
    if exit_code < 0:
        return f"killed by {signal.Signals(-exit_code).name}"
    return f"exit code {exit_code}"
