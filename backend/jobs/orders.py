"""What anyone may do to jobs: queue, cancel, resume. Carrying it out is up to `runner.py`."""

import signal
import sys
import threading
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from backend.db.engine import Database
from backend.db.models import JobRow
from backend.domain import JobKind, JobState
from backend.episodes.files import write_json
from backend.jobs.child import CONFIG_FILE, JOBS_DIR, LOG_FILE, RESULT_FILE
from backend.jobs.kinds import JOB_TYPES, JobParamsError, JobType, job_type
from backend.jobs.processes import signal_group

CANCEL_FILE = "cancel.json"


class JobNotFoundError(LookupError):
    """There is no job of that id."""


class JobStateError(Exception):
    """The job is not in a state in which that can be done. Says which and what is possible."""


class JobOrders:
    """Changes the queue. Thread-safe."""

    def __init__(
        self,
        database: Database,
        data_dir: Path,
        *,
        clock: Callable[[], float],
        types: Mapping[JobKind, JobType] = JOB_TYPES,
    ) -> None:
        """Use the queue of `database` and the folders of `data_dir`; `clock` gives Unix seconds."""
        self._database = database
        self._data_dir = data_dir.absolute()
        self._clock = clock
        self._types = types
        self._lock = threading.RLock()
        # Set when there is something new to do.
        self._wake = threading.Event()

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
            command=self._command(wanted, params, id),
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
        write_json(made(self.folder(id)) / CONFIG_FILE, {"kind": kind, "params": dict(params)})
        with self._database.write() as db:
            db.add(row)
        self._wake.set()
        return row

    def cancel(self, job_id: str, *, force: bool = False) -> JobRow:
        """Stop a job: at once if it waits, else by asking and, after a grace, by force.

        Args:
            job_id: Which.
            force: Give it no grace, also when it was asked before.

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
            elif force or not (self.folder(job_id) / CANCEL_FILE).exists():
                asked_s = 0.0 if force else self._clock()
                write_json(self.folder(job_id) / CANCEL_FILE, {"asked_s": asked_s})
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

    def _command(self, wanted: JobType, params: Mapping[str, Any], job_id: str) -> list[str]:
        flags = ["--data-dir", str(self._data_dir), "--job-id", job_id]
        return [sys.executable, *wanted.launcher(params), "-m", wanted.module, *flags]

    def _end(self, row: JobRow, state: JobState, message: str) -> None:
        row.state = state.value
        row.message = message
        row.ended_s = self._clock()


def _job(db: Session, job_id: str) -> JobRow:
    row = db.get(JobRow, job_id)
    if row is None:
        raise JobNotFoundError(f"there is no job {job_id}")
    return row


def made(folder: Path) -> Path:
    """The folder, made if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    return folder
