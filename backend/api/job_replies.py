"""The nouns of the job routes, and how they come from rows."""

from typing import Any, Self

from pydantic import Field

from backend.api.messages import Documented
from backend.db.models import JobRow, MetricRow
from backend.domain import JobKind, JobState


class JobOrder(Documented):
    """One job that should be done."""

    kind: JobKind
    params: dict[str, Any] = Field(
        default_factory=dict, examples=[{"repo_id": "local/touch", "episodes": "all"}]
    )
    """export: {"repo_id": "local/name", "episodes": "all" | [ids] | {"outcome": …, "q": …},
    "columns": [names], "overwrite": bool}; all but the first may be left out.

    train: {"preset": name, "start": "run/000500" | "tiny" | folder | Hub id, "steps": n,
    "sources": [{"kind": "store", "episodes": …, "share": 0.5}, {"kind": "dataset", "repo_id" or
    "path": …}], "overrides": {dotted field: value}, "run": name, "wandb": "off" | "offline" |
    "online", …}; all may be left out, and `POST /api/training/preview` says what would come of it.

    score: {"checkpoint": "run/000500", "episodes": …, "again": bool, "device": "cpu" to run beside
    a training}. video: the same without `device`, with "every": n; `checkpoint` may be left out for
    the values that were recorded. `job:<id>` is the newest checkpoint of a training when its turn
    comes."""


class JobBody(JobOrder):
    """What should be done, and in which order with other jobs."""

    after: list[str] = Field(default_factory=list, max_length=16)
    """Ids of jobs that must be done before it begins. It is cancelled when one of them fails or is
    cancelled, and waits again when that one is resumed."""
    then: list[JobOrder] = Field(default_factory=list, max_length=8)
    """Jobs that follow it, each after the one before; queued all or none. In their params the
    checkpoint `job:first` is the newest one that this job, a training, has made by then."""


class Job(Documented):
    """One background child process."""

    id: str
    kind: JobKind
    state: JobState
    progress: float
    """Share done, 0 to 1, and what it is doing or how it ended."""
    message: str
    params: dict[str, Any]
    after: list[str]
    """Ids of the jobs that must be done before it begins."""
    author: str
    command: list[str]
    """The exact command line."""
    label_revision: int
    """Newest label event when it began; labels given later are not in what it made."""
    created_s: float
    started_s: float | None
    ended_s: float | None
    result: dict[str, Any]
    """What it made, for example a dataset's path and counts; empty until it is done."""

    @classmethod
    def of(cls, row: JobRow) -> Self:
        plain = {
            name: getattr(row, name) for name in Job.model_fields if name not in ("kind", "state")
        }
        return cls(**plain, kind=JobKind(row.kind), state=JobState(row.state))


class JobList(Documented):
    """One page of jobs, newest first."""

    items: list[Job]
    total: int
    next_cursor: str | None


class Metric(Documented):
    """One number of a job at one step."""

    name: str
    step: int
    value: float
    t_s: float

    @classmethod
    def of(cls, row: MetricRow) -> Self:
        return cls(name=row.name, step=row.step, value=row.value, t_s=row.t_s)


class MetricList(Documented):
    """A job's numbers in the order in which they came; ask again with `next_cursor` for more."""

    items: list[Metric]
    total: int
    next_cursor: str | None
    """None when these are all so far."""
    end_cursor: str
    """Behind the last of these: ask with it later for what the job has measured since."""


class Skipped(Documented):
    """An episode that an export leaves out, and why."""

    id: str
    reason: str


class ExportPreview(Documented):
    """What an export would write, found without writing anything."""

    repo_id: str
    episodes: int
    frames: int
    bytes: int
    """Size of the sources; videos are copied as they are."""
    fps: float | None
    """None when no episode fits."""
    robot_type: str | None
    ranges: dict[str, int]
    """Labelled ranges by kind: mistake, recovery, correction, subtask."""
    frames_behind_end: int
    """Recorded frames that are left out, because people moved the end to the success."""
    tasks: list[str]
    columns: list[str]
    reward_scheme: str
    outcomes: dict[str, int]
    """Number of episodes by outcome, and those that go out without one."""
    unlabeled: list[str]
    skipped: list[Skipped]
    label_revision: int
