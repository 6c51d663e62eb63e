"""The child's side of a job: reads its orders, tells how it goes, leaves a result.

    jobs/<id>/config.json     orders: kind, params; written by the runner
    jobs/<id>/metrics.jsonl   inbox: one JSON object a line, read into the database by the runner
    jobs/<id>/log.txt         everything printed
    jobs/<id>/result.json     how it ended; written last, by rename

A child never writes to the database. SIGTERM asks it to stop: `JobCancelledError` is raised where
it works, so `with` and `finally` clean up.
"""

import argparse
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, TextIO

from backend.domain import JobState
from backend.episodes.files import write_json

CONFIG_FILE = "config.json"
INBOX_FILE = "metrics.jsonl"
LOG_FILE = "log.txt"
RESULT_FILE = "result.json"
JOBS_DIR = "jobs"
NICENESS = 10
# Set by the runner; without it, the database is the one in the data directory.
DATABASE_VARIABLE = "HANDRAIL_DATABASE_URL"


class JobFailedError(Exception):
    """The job cannot go on for a reason a person can understand; its text goes to the page."""


class JobCancelledError(BaseException):
    """Somebody asked the job to stop. Not an `Exception`: no handler on the way may swallow it."""


class JobChild:
    """What a job may use while it runs."""

    def __init__(
        self, *, data_dir: Path, job_id: str, clock: Callable[[], float], mute: bool = False
    ) -> None:
        """Read the orders of `job_id`.

        Args:
            data_dir: The data directory.
            job_id: Whose orders.
            clock: Unix seconds.
            mute: Tell nothing: of a job's several processes, one speaks.

        Raises:
            JobFailedError: There are none.
        """
        self.data_dir = data_dir
        self.job_id = job_id
        self.folder = data_dir / JOBS_DIR / job_id
        self._clock = clock
        try:
            orders = json.loads((self.folder / CONFIG_FILE).read_text(encoding="utf-8"))
            self.params: dict[str, Any] = orders["params"]
        except (OSError, ValueError, KeyError) as error:
            raise JobFailedError(f"job {job_id} has no orders in {self.folder}: {error}") from error
        self.mute = mute
        self._inbox: TextIO = (self.folder / INBOX_FILE).open("a", encoding="utf-8")

    @property
    def database_url(self) -> str:
        """The server's database, which a job may read."""
        given = os.environ.get(DATABASE_VARIABLE)
        if given:
            return given
        # Here, because it takes a second: most jobs read no rows before they have spoken.
        from backend.db.engine import sqlite_url  # noqa: PLC0415

        return sqlite_url(self.data_dir)

    def report(self, progress: float, message: str) -> None:
        """Say how far the job is: a share from 0 to 1, and what it does, for people."""
        self._tell({"progress": round(progress, 4), "message": message})

    def measure(self, step: int, metrics: Mapping[str, float]) -> None:
        """Record numbers of this step, each under its name."""
        self._tell({"step": step, "metrics": dict(metrics), "t_s": self._clock()})

    def announce(self, **news: Any) -> None:
        """Tell what has come to be (a checkpoint, an alarm): see `JobType.take_news`."""
        self._tell({"news": news})

    def close(self) -> None:
        """Let go of the inbox; harmless when repeated."""
        self._inbox.close()

    def _tell(self, line: dict[str, Any]) -> None:
        if self.mute:
            return
        self._inbox.write(json.dumps(line) + "\n")
        self._inbox.flush()


def run_child(
    work: Callable[[JobChild], dict[str, Any]],
    argv: Sequence[str] | None = None,
    *,
    mute: bool = False,
) -> int:
    """Run one job from its command line and leave its result; return the exit code.

    Args:
        work: Does the job and returns its result, which becomes the row's `result`.
        argv: Command line; None for this process's own.
        mute: Tell nothing and leave no result: another process of the same job does.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--job-id", required=True)
    flags = parser.parse_args(argv)
    signal.signal(signal.SIGTERM, _cancel)
    # A robot may be driven on this machine meanwhile; its control loop goes first.
    os.nice(NICENESS)
    result_path = flags.data_dir / JOBS_DIR / flags.job_id / RESULT_FILE
    try:
        child = JobChild(data_dir=flags.data_dir, job_id=flags.job_id, clock=time.time, mute=mute)
        try:
            result = work(child)
        finally:
            child.close()
        ending = {"state": JobState.DONE.value, "message": "", "result": result}
    except JobCancelledError:
        ending = {"state": JobState.CANCELLED.value, "message": "cancelled", "result": {}}
    except JobFailedError as error:
        _log(f"failed: {error}")
        ending = {"state": JobState.FAILED.value, "message": str(error), "result": {}}
    except Exception as error:  # whatever it was, the row must say so
        traceback.print_exc()
        message = f"{type(error).__name__}: {error}"
        ending = {"state": JobState.FAILED.value, "message": message, "result": {}}
    # From here on the job is over; a late SIGTERM must not tear the result.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if result_path.parent.is_dir() and not mute:
        write_json(result_path, ending)
    return 0 if ending["state"] == JobState.DONE else 1


def _cancel(_signal: int, _frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise JobCancelledError


def _log(text: str) -> None:
    sys.stderr.write(text + "\n")
