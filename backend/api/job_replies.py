"""The nouns of the job routes, and how they come from rows."""

from typing import Any, Self

from pydantic import Field

from backend.db.models import JobRow, MetricRow
from backend.domain import JobKind, JobState
from backend.wire import Message


class JobBody(Message):
    """What should be done."""

    kind: JobKind
    # export: {"repo_id": "local/name", "episodes": "all" | [ids] | {"outcome": …, "q": …},
    # "columns": [names], "overwrite": bool}; all but the first may be left out.
    params: dict[str, Any] = Field(
        default_factory=dict, examples=[{"repo_id": "local/touch", "episodes": "all"}]
    )


class Job(Message):
    """One background child process."""

    id: str
    kind: JobKind
    state: JobState
    # Share done, 0 to 1, and what it is doing or how it ended.
    progress: float
    message: str
    params: dict[str, Any]
    author: str
    # The exact command line.
    command: list[str]
    # Newest label event when it began; labels given later are not in what it made.
    label_revision: int
    created_s: float
    started_s: float | None
    ended_s: float | None
    # What it made, for example a dataset's path and counts; empty until it is done.
    result: dict[str, Any]

    @classmethod
    def of(cls, row: JobRow) -> Self:
        plain = {
            name: getattr(row, name) for name in Job.model_fields if name not in ("kind", "state")
        }
        return cls(**plain, kind=JobKind(row.kind), state=JobState(row.state))


class JobList(Message):
    """One page of jobs, newest first."""

    items: list[Job]
    total: int
    next_cursor: str | None


class Metric(Message):
    """One number of a job at one step."""

    name: str
    step: int
    value: float
    t_s: float

    @classmethod
    def of(cls, row: MetricRow) -> Self:
        return cls(name=row.name, step=row.step, value=row.value, t_s=row.t_s)


class MetricList(Message):
    """A job's numbers in the order in which they came; ask again with `next_cursor` for more."""

    items: list[Metric]
    total: int
    next_cursor: str | None


class Skipped(Message):
    """An episode that an export leaves out, and why."""

    id: str
    reason: str


class ExportPreview(Message):
    """What an export would write, found without writing anything."""

    repo_id: str
    episodes: int
    frames: int
    # Size of the sources; videos are copied as they are.
    bytes: int
    # None when no episode fits.
    fps: float | None
    robot_type: str | None
    tasks: list[str]
    columns: list[str]
    reward_scheme: str
    # Number of episodes by outcome, and those that go out without one.
    outcomes: dict[str, int]
    unlabeled: list[str]
    skipped: list[Skipped]
    label_revision: int
