"""A runner whose jobs are `obedient_job`, for tests of what it does with them."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from backend.db.models import JobRow
from backend.db.queries import list_jobs
from backend.domain import JobKind, JobState
from backend.jobs.kinds import JobType
from backend.jobs.runner import JobRunner


class Clock:
    def __init__(self) -> None:
        self.now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


class World:
    """A runner whose jobs are `obedient_job`, and the means to wait for what they do."""

    # What may be ordered; each kind has a lane of its own.
    kinds = (JobKind.EXPORT,)

    def __init__(self, database, data_dir: Path) -> None:
        self.database = database
        self.data_dir = data_dir
        self.clock = Clock()
        self.recorded: list[dict] = []
        self.cleaned: list[str] = []
        self.take_news = lambda _db, _row, _news: None
        self.launcher = lambda _params: ()
        self.kind_grace_s: float | None = None
        self.runner = self.restarted()

    def restarted(self) -> JobRunner:
        def check(params, _data_dir):
            if "nonsense" in params:
                raise ValueError("nonsense is not possible")

        def record(_db, row):
            if row.params.get("unrecordable"):
                raise KeyError("repo_id")
            self.recorded.append(row.result)

        types = {
            kind: JobType(
                module="tests.jobs.obedient_job",
                lane=kind.value,
                check=check,
                record=record,
                clean_up=lambda _data_dir, id: self.cleaned.append(id),
                take_news=lambda db, row, news: self.take_news(db, row, news),
                grace_s=self.kind_grace_s,
                launcher=self.launcher,
            )
            for kind in self.kinds
        }
        return JobRunner(self.database, self.data_dir, clock=self.clock, types=types, grace_s=10)

    def submit(self, **params) -> str:
        return self.runner.submit(JobKind.EXPORT, params, "ana").id

    def row(self, id: str) -> JobRow:
        with self.database.read() as db:
            return db.get(JobRow, id)

    def until(self, condition, runner=None) -> None:
        tick = threading.Event()
        for _ in range(1500):
            (runner or self.runner).poll()
            if condition():
                return
            tick.wait(0.01)
        raise AssertionError("waited 15 s in vain")

    def until_over(self, id: str, runner=None) -> JobRow:
        self.until(lambda: JobState(self.row(id).state).is_over, runner)
        return self.row(id)

    def until_begun(self, id: str) -> JobRow:
        self.until(lambda: (self.runner.folder(id) / "began").exists())
        return self.row(id)


@contextmanager
def closing_world(world: World) -> Iterator[World]:
    """Ends what a test has left running."""
    yield world
    with world.database.read() as db:
        pids = {row.pid for row in list_jobs(db).items if row.pid}
    mine = [child for child in psutil.Process().children() if child.pid in pids]
    for child in mine:
        child.kill()
    psutil.wait_procs(mine, timeout=10)
    world.runner.close()


@pytest.fixture
def world(database, tmp_path):
    with closing_world(World(database, tmp_path)) as world:
        yield world
