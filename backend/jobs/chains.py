"""Jobs that wait for other jobs: what they wait for, and what becomes of them when that goes wrong.

A job's `after` holds the ids of jobs that must be done before it begins. When one of them fails or
is cancelled, it is cancelled too, with the reason; when that one is resumed, it waits again. All of
it stands in rows, so a restart of the server changes nothing. A job may also speak of a checkpoint
that does not exist yet, `job:<id>`: the newest one of that training when the job begins.

Rows only; `orders.py` and `runner.py` decide when to ask.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.checkpoints import PROMISED
from backend.db.models import CheckpointRow, JobRow
from backend.domain import JobKind, JobState

# In the orders of a chain: the newest checkpoint of the chain's first job.
FIRST_OF_CHAIN = "job:first"
# In the result of a job that was cancelled because of another: that one's id.
HELD_UP_BY = "held_up_by"
LOST = (JobState.FAILED, JobState.CANCELLED)
NOUNS = {JobKind.TRAIN: "training", JobKind.SCORE: "scoring", JobKind.VIDEO: "videos"}


class ChainError(ValueError):
    """A job cannot wait for, or speak of, what it names. Says which, why, and what would help."""


def promised_by(job_id: str) -> str:
    """What stands for the newest checkpoint of a training in another job's orders."""
    return f"job:{job_id}"


def name_of(job: JobRow) -> str:
    """What a person may call a job: `training touch`, `scoring 3f2a91bc`."""
    noun = NOUNS.get(JobKind(job.kind), job.kind)
    run = job.result.get("run") or job.params.get("run")
    return f"{noun} {run or job.id[:8]}"


def check_order(db: Session, row: JobRow) -> None:
    """Refuse a job that waits for nobody's work; let it wait for whose checkpoint it names.

    Raises:
        ChainError: A job in `after`, or the one in `checkpoint`, is not there or went wrong.
    """
    promised = PROMISED.fullmatch(str(row.params.get("checkpoint")))
    if promised and promised["job"] not in row.after:
        row.after = [*row.after, promised["job"]]
    for id in row.after:
        job = db.get(JobRow, id)
        if job is None:
            raise ChainError(f"after names job {id}, which is not there; /api/jobs lists them")
        if job.state in LOST:
            raise ChainError(f"after names {name_of(job)}, which is {job.state}: resume it first")
        if promised and id == promised["job"] and job.kind != JobKind.TRAIN:
            raise ChainError(f"checkpoint names {name_of(job)}: only trainings make checkpoints")


def lost_before(db: Session, row: JobRow) -> JobRow | None:
    """A job that this one waits for and that failed or was cancelled, if any."""
    return next((job for job in _before(db, row) if job.state in LOST), None)


def waits_for(db: Session, row: JobRow) -> str:
    """Words for what a job still waits for; empty when it may begin."""
    names = [name_of(job) for job in _before(db, row) if not JobState(job.state).is_over]
    return f"waits for {' and '.join(names)}" if names else ""


def hold_up(row: JobRow, lost: JobRow) -> str:
    """Note whose fault it is that a job will not begin; return that in words."""
    row.result = {**row.result, HELD_UP_BY: lost.id}
    why = f" ({lost.message})" if lost.state == JobState.FAILED and lost.message else ""
    ended = "failed" if lost.state == JobState.FAILED else "was cancelled"
    return f"not begun: {name_of(lost)} {ended}{why}; resuming that brings this back"


def let_go(row: JobRow) -> None:
    """Forget that a job was held up."""
    row.result = {name: value for name, value in row.result.items() if name != HELD_UP_BY}


def followers(db: Session, row: JobRow) -> list[JobRow]:
    """Jobs that were cancelled because of this one, and those cancelled because of them."""
    cancelled = db.scalars(select(JobRow).where(JobRow.state == JobState.CANCELLED.value)).all()
    found, at = [row], 0
    while at < len(found):
        found += [job for job in cancelled if job.result.get(HELD_UP_BY) == found[at].id]
        at += 1
    return found[1:]


def refuse_resuming(db: Session, row: JobRow) -> None:
    """Refuse to resume a job before what it waits for.

    Raises:
        ChainError: Naming the job to resume.
    """
    lost = lost_before(db, row)
    if lost is not None:
        raise ChainError(
            f"job {row.id} comes after {name_of(lost)}, which is {lost.state}: resume "
            f"job {lost.id}, and this one follows"
        )


def kept_promise(db: Session, params: Mapping[str, Any]) -> dict[str, Any]:
    """Orders in which a promised checkpoint has become a real one.

    Raises:
        ChainError: That training has left no checkpoint.
    """
    promised = PROMISED.fullmatch(str(params.get("checkpoint")))
    if promised is None:
        return dict(params)
    newest = db.scalars(
        select(CheckpointRow)
        .where(CheckpointRow.job_id == promised["job"], CheckpointRow.size_bytes > 0)
        .order_by(CheckpointRow.step.desc())
    ).first()
    if newest is None:
        raise ChainError(f"training {promised['job']} has left no checkpoint to work with")
    return {**params, "checkpoint": newest.id}


def _before(db: Session, row: JobRow) -> list[JobRow]:
    return [job for id in row.after if (job := db.get(JobRow, id)) is not None]
