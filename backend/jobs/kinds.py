"""What kinds of jobs there are, and what the runner must know of each. Needs no LeRobot."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from backend.db.models import JobRow
from backend.domain import JobKind
from backend.jobs import export_params, export_plan


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
    record: Callable[[Session, JobRow], None]
    # Removes what a killed job left half done.
    clean_up: Callable[[Path, str], None]


JOB_TYPES: Mapping[JobKind, JobType] = {
    JobKind.EXPORT: JobType(
        module="backend.jobs.export",
        lane="export",
        check=export_params.check,
        record=export_plan.record,
        clean_up=export_params.remove_leftovers,
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
