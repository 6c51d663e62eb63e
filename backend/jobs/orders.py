"""What anyone may do to jobs: queue, cancel, resume. Carrying it out is up to `runner.py`.

Orders given together form a chain: each job waits for the one before it, see `chains.py`.
"""

import signal
import sys
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from backend.db.engine import Database
from backend.db.models import JobRow
from backend.domain import JobKind, JobState
from backend.episodes.files import write_json
from backend.jobs.chains import (
    FIRST_OF_CHAIN,
    check_order,
    followers,
    let_go,
    promised_by,
    refuse_resuming,
)
from backend.jobs.child import CONFIG_FILE, JOBS_DIR, LOG_FILE, RESULT_FILE
from backend.jobs.kinds import JOB_TYPES, JobParamsError, JobType, job_type
from backend.jobs.processes import signal_group

CANCEL_FILE = "cancel.json"


@dataclass(frozen=True, kw_only=True)
class Order:
    """One job that somebody wants done."""

    kind: JobKind
    params: Mapping[str, Any]


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

    def submit(
        self, kind: JobKind, params: Mapping[str, Any], author: str, *, after: Sequence[str] = ()
    ) -> JobRow:
        """Queue a job; return its row. See `submit_chain`."""
        return self.submit_chain([Order(kind=kind, params=params)], author, after=after)[0]

    def submit_chain(
        self, orders: Sequence[Order], author: str, *, after: Sequence[str] = ()
    ) -> list[JobRow]:
        """Queue jobs that run one after the other, all or none; return their rows.

        Args:
            orders: What to do, in this order.
            author: Who wants it.
            after: Ids of jobs that must be done before the first of these begins.

        Raises:
            JobParamsError: Some orders make no sense, or a kind cannot be run.
        """
        ids = [uuid.uuid4().hex for _ in orders]
        rows: list[JobRow] = []
        before = list(after)
        for id, order in zip(ids, orders, strict=True):
            rows.append(self._row(id, order, author, before=before, first=ids[0]))
            before = [id]
        with self._database.write() as db:
            for row in rows:
                try:
                    check_order(db, row)
                except ValueError as error:
                    raise JobParamsError(str(error)) from error
                db.add(row)
                db.flush()
            # Before anybody's runner can see the rows.
            for row in rows:
                self.write_orders(row)
        self._wake.set()
        return rows

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
        """Queue a failed or cancelled job again, with the same orders, and those it held up.

        Raises:
            JobNotFoundError: No such job.
            JobStateError: It is not over, or it is done, or what it waits for went wrong.
        """
        with self._lock, self._database.write() as db:
            row = _job(db, job_id)
            if row.state not in (JobState.FAILED, JobState.CANCELLED):
                raise JobStateError(
                    f"job {job_id} is {row.state}; only failed and cancelled jobs can be resumed"
                )
            try:
                refuse_resuming(db, row)
            except ValueError as error:
                raise JobStateError(str(error)) from error
            for again in [row, *followers(db, row)]:
                self._requeue(again)
        self._wake.set()
        return row

    def folder(self, job_id: str) -> Path:
        """Where the job's orders, log and result are."""
        return self._data_dir / JOBS_DIR / job_id

    def log_path(self, job_id: str) -> Path:
        """Everything the job printed; exists once it has begun."""
        return self.folder(job_id) / LOG_FILE

    def write_orders(self, row: JobRow) -> None:
        """Put a job's orders where its child reads them."""
        orders = {"kind": row.kind, "params": row.params}
        write_json(made(self.folder(row.id)) / CONFIG_FILE, orders)

    def _row(
        self, id: str, order: Order, author: str, *, before: Sequence[str], first: str
    ) -> JobRow:
        params = dict(order.params)
        if params.get("checkpoint") == FIRST_OF_CHAIN:
            params["checkpoint"] = promised_by(first)
        wanted = job_type(order.kind, self._types)
        try:
            wanted.check(params, self._data_dir)
        except ValueError as error:
            raise JobParamsError(str(error)) from error
        return JobRow(
            id=id,
            kind=order.kind.value,
            params=params,
            after=list(before),
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

    def _requeue(self, row: JobRow) -> None:
        for name in (RESULT_FILE, CANCEL_FILE):
            (self.folder(row.id) / name).unlink(missing_ok=True)
        let_go(row)
        row.state = JobState.QUEUED.value
        row.progress = 0.0
        row.message = "waiting"
        row.started_s = row.ended_s = row.pid = row.pid_started_s = None

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
