"""What kinds of jobs there are, and what the runner must know of each. Needs no LeRobot."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from backend.db.models import JobRow
from backend.domain import JobKind, Role
from backend.jobs import (
    export_params,
    export_plan,
    health_params,
    importing,
    importing_params,
    online_params,
    online_records,
    push_params,
    score_params,
    train_params,
    train_records,
    video_params,
)

# Training and scoring take turns on the one GPU.
GPU_LANE = "gpu"


class JobParamsError(ValueError):
    """Orders that no job could carry out. Says which word, why, and what is possible."""


@dataclass(frozen=True, kw_only=True)
class JobType:
    """One kind of job."""

    # Run with `python -m`.
    module: str
    # Jobs of one lane run one after the other; lanes run beside each other.
    lane: str
    # Raises ValueError for params that cannot be obeyed, before anything is queued.
    check: Callable[[Mapping[str, Any], Path], None]
    # Writes what a finished job made into its own tables.
    record: Callable[[Session, JobRow], None] = lambda _db, _row: None
    # Removes what a killed job left half done.
    clean_up: Callable[[Path, str], None] = lambda _data_dir, _id: None
    # Takes what the job announced while it runs; what raises is logged and changes nothing.
    take_news: Callable[[Session, JobRow, Mapping[str, Any]], None] = lambda _db, _row, _news: None
    # Seconds between asking it to stop and killing it; None: the runner's.
    grace_s: float | None = None
    # The lane of orders that need not wait in the kind's own, if they are such.
    beside: Callable[[Mapping[str, Any]], str | None] = lambda _params: None
    # What stands between `python` and `-m module`, e.g. a launcher of several processes.
    launcher: Callable[[Mapping[str, Any]], Sequence[str]] = lambda _params: ()
    # Who may order it with these params.
    role: Callable[[Mapping[str, Any]], Role] = lambda _params: Role.OPERATOR


JOB_TYPES: Mapping[JobKind, JobType] = {
    JobKind.EXPORT: JobType(
        module="backend.jobs.export",
        lane="export",
        check=export_params.check,
        record=export_plan.record,
        clean_up=export_params.remove_leftovers,
    ),
    JobKind.IMPORT: JobType(
        module="backend.jobs.importing",
        lane="import",
        check=importing_params.check,
        record=importing.record,
        clean_up=importing_params.remove_leftovers,
        take_news=importing.take_news,
        role=importing_params.role,
    ),
    JobKind.HEALTH: JobType(
        module="backend.jobs.health",
        lane="health",
        check=health_params.check,
        role=health_params.role,
    ),
    JobKind.PUSH: JobType(
        module="backend.jobs.push",
        lane="push",
        check=push_params.check,
        role=push_params.role,
    ),
    JobKind.TRAIN: JobType(
        module="backend.jobs.train",
        lane=GPU_LANE,
        check=train_params.check,
        record=train_records.record,
        clean_up=train_records.clean_up,
        take_news=train_records.take_news,
        # It finishes its step and writes a checkpoint, gigabytes for `base`.
        grace_s=180.0,
        launcher=train_params.launcher,
    ),
    JobKind.ONLINE: JobType(
        module="backend.jobs.online",
        # Beside the GPU's lane: it goes on for hours, and scores are wanted meanwhile.
        lane="online",
        check=online_params.check,
        record=train_records.record,
        clean_up=train_records.clean_up,
        take_news=online_records.take_news,
        grace_s=180.0,
    ),
    JobKind.SCORE: JobType(
        module="backend.jobs.score",
        lane=GPU_LANE,
        check=score_params.check,
        take_news=score_params.take_news,
        beside=score_params.beside,
    ),
    JobKind.VIDEO: JobType(
        module="backend.jobs.video",
        lane="video",
        check=video_params.check,
        clean_up=video_params.remove_leftovers,
    ),
}


def job_type(kind: JobKind, types: Mapping[JobKind, JobType] = JOB_TYPES) -> JobType:
    """The type of `kind`.

    Raises:
        JobParamsError: This Handrail cannot do that kind yet.
    """
    if kind not in types:
        raise JobParamsError(f"{kind} jobs cannot be run; possible: {', '.join(types)}")
    return types[kind]


def role_to_order(kind: JobKind, params: Mapping[str, Any]) -> Role:
    """Who may order a job of `kind` with these params.

    Raises:
        JobParamsError: This Handrail cannot do that kind yet.
    """
    return job_type(kind).role(params)
