"""Starts jobs as child processes, follows them, and finds them again after a restart.

The queue is the `jobs` table. A child is its own session, so a signal reaches all its processes
and the end of the server does not end it. Which process belongs to a job is known by pid and start
time, and by the job's id on its command line when the server died before it could note them.
Everything happens in `poll`, which the server calls from a thread and tests call themselves.

Nothing here knows what a job does: see `kinds.py`, and `child.py` for the child's side.
"""

import json
import logging
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.db.engine import Database
from backend.db.models import JobRow
from backend.db.queries import newest_label_revision
from backend.domain import JobKind, JobState
from backend.episodes.files import write_json
from backend.jobs.child import (
    CONFIG_FILE,
    DATABASE_VARIABLE,
    INBOX_FILE,
    JOBS_DIR,
    LOG_FILE,
    RESULT_FILE,
)
from backend.jobs.inbox import read_inbox
from backend.jobs.kinds import JOB_TYPES, JobParamsError, JobType, job_type
from backend.jobs.processes import (
    find_by_flag,
    is_same,
    signal_group,
    start_child,
    started_s,
)

logger = logging.getLogger(__name__)

CODE_DIR = Path(__file__).parents[2]
CANCEL_FILE = "cancel.json"
# A job that has not obeyed SIGTERM by then is killed.
GRACE_S = 10.0
POLL_INTERVAL_S = 0.25


class JobNotFoundError(LookupError):
    """There is no job of that id."""


class JobStateError(Exception):
    """The job is not in a state in which that can be done. Says which and what is possible."""


class JobRunner:
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
        self._database = database
        self._data_dir = data_dir.absolute()
        self._clock = clock
        self._types = types
        self._grace_s = grace_s
        self._lock = threading.RLock()
        # Children of this process; those of an earlier server are known by their rows only.
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def submit(self, kind: JobKind, params: Mapping[str, Any], author: str) -> JobRow:
        """Queue a job; return its row.

        Raises:
            JobParamsError: The orders make no sense, or this kind cannot be run.
        """
        wanted = job_type(kind, self._types)
        try:
            wanted.check(params, self._data_dir)
        except ValueError as error:
            raise JobParamsError(str(error)) from error
        id = uuid.uuid4().hex
        row = JobRow(
            id=id,
            kind=kind.value,
            params=dict(params),
            state=JobState.QUEUED.value,
            progress=0.0,
            message="waiting",
            command=self._command(wanted, id),
            author=author,
            label_revision=0,
            created_s=self._clock(),
            started_s=None,
            ended_s=None,
            pid=None,
            pid_started_s=None,
            inbox_offset=0,
            result={},
        )
        write_json(_made(self.folder(id)) / CONFIG_FILE, {"kind": kind, "params": dict(params)})
        with self._database.write() as db:
            db.add(row)
        self._wake.set()
        return row

    def cancel(self, job_id: str) -> JobRow:
        """Stop a job: at once if it waits, else by asking and, after a grace, by force.

        Raises:
            JobNotFoundError: No such job.
            JobStateError: It is over already.
        """
        with self._lock, self._database.write() as db:
            row = _job(db, job_id)
            if JobState(row.state).is_over:
                raise JobStateError(f"job {job_id} is {row.state} already")
            if row.state == JobState.QUEUED:
                self._end(row, JobState.CANCELLED, "cancelled before it began")
            elif not (self.folder(job_id) / CANCEL_FILE).exists():
                write_json(self.folder(job_id) / CANCEL_FILE, {"asked_s": self._clock()})
                row.message = "stopping"
                signal_group(row.pid, row.pid_started_s, signal.SIGTERM)
        self._wake.set()
        return row

    def resume(self, job_id: str) -> JobRow:
        """Queue a failed or cancelled job again, with the same orders.

        Raises:
            JobNotFoundError: No such job.
            JobStateError: It is not over, or it is done.
        """
        with self._lock, self._database.write() as db:
            row = _job(db, job_id)
            if row.state not in (JobState.FAILED, JobState.CANCELLED):
                raise JobStateError(
                    f"job {job_id} is {row.state}; only failed and cancelled jobs can be resumed"
                )
            for name in (RESULT_FILE, CANCEL_FILE):
                (self.folder(job_id) / name).unlink(missing_ok=True)
            row.state = JobState.QUEUED.value
            row.progress = 0.0
            row.message = "waiting"
            row.started_s = row.ended_s = row.pid = row.pid_started_s = None
        self._wake.set()
        return row

    def folder(self, job_id: str) -> Path:
        """Where the job's orders, log and result are."""
        return self._data_dir / JOBS_DIR / job_id

    def log_path(self, job_id: str) -> Path:
        """Everything the job printed; exists once it has begun."""
        return self.folder(job_id) / LOG_FILE

    def poll(self) -> None:
        """Read news of running jobs, end what has ended, start what may begin."""
        active = select(JobRow).where(
            JobRow.state.in_([s.value for s in JobState if not s.is_over])
        )
        with self._database.read() as db:
            if db.scalars(active.limit(1)).first() is None:
                return
        with self._lock, self._database.write() as db:
            rows = db.scalars(active.order_by(JobRow.created_s)).all()
            for row in [row for row in rows if row.state == JobState.RUNNING]:
                self._follow(db, row)
            busy = {self._lane(row) for row in rows if row.state == JobState.RUNNING}
            for row in [row for row in rows if row.state == JobState.QUEUED]:
                if self._lane(row) not in busy:
                    busy.add(self._lane(row))
                    self._start(db, row)

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

    def _run(self) -> None:
        while not self._closing.is_set():
            self._wake.clear()
            try:
                self.poll()
            except Exception:
                # A full disk or a busy database today may be well again tomorrow.
                logger.exception("looking after the jobs failed; trying again")
            self._wake.wait(POLL_INTERVAL_S)

    def _command(self, wanted: JobType, job_id: str) -> list[str]:
        flags = ["--data-dir", str(self._data_dir), "--job-id", job_id]
        return [sys.executable, "-m", wanted.module, *flags]

    def _lane(self, row: JobRow) -> str:
        return self._types[JobKind(row.kind)].lane

    def _start(self, db: Session, row: JobRow) -> None:
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
        row.inbox_offset = read_inbox(db, row, folder / INBOX_FILE)
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
        if self._clock() - asked_s >= self._grace_s:
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

    def _end(self, row: JobRow, state: JobState, message: str) -> None:
        row.state = state.value
        row.message = message
        row.ended_s = self._clock()


def _job(db: Session, job_id: str) -> JobRow:
    row = db.get(JobRow, job_id)
    if row is None:
        raise JobNotFoundError(f"there is no job {job_id}")
    return row


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _exit_words(exit_code: int) -> str:
    if exit_code < 0:
        return f"killed by {signal.Signals(-exit_code).name}"
    return f"exit code {exit_code}"
