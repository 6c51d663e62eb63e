"""What the server does for the newest online learner besides running it.

It says which policy drives, exports the online episodes and asks for critic videos.

The last thing a person decided about driving holds: weights that a learner publishes drive if the
learner was started, or resumed, after the last promotion; else the promoted checkpoint does.

Every N of its online episodes all of them are exported to `datasets/local/<run>-online`. The job
writes aside and replaces the dataset before only when the new one is verified. One that failed is
ordered again with the next episode.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.checkpoints import CHECKPOINTS_DIR, checkpoint_path
from backend.db.checkpoint_queries import promoted_checkpoint
from backend.db.engine import Database
from backend.db.models import JobRow, VideoRuleRow
from backend.domain import JobKind, JobState
from backend.jobs.kinds import JobParamsError
from backend.jobs.online_params import DATASET_EVERY
from backend.jobs.online_plan import online_episode_ids
from backend.jobs.orders import JobOrders
from backend.jobs.video_rule import RULE_ID, change_rule
from backend.learning.published_files import find_published

log = logging.getLogger(__name__)
# Who has ordered what is ordered here.
AUTHOR = "online learner"


@dataclass(frozen=True, kw_only=True)
class Offer:
    """What the robot should drive by from its next episode on."""

    # `run/step`, or `run@version`.
    id: str
    folder: Path
    # When it was promoted or published, Unix time; tells a new offer from a repeated one.
    since_s: float


def offered_policy(db: Session, data_dir: Path) -> Offer | None:
    """What should drive now: the newest published weights, else the promoted checkpoint, if any."""
    row = promoted_checkpoint(db)
    job = newest_learner(db)
    if job is not None and job.params.get("promote", True):
        published: dict[str, Any] = job.result.get("published", {})
        decided_s = row.promoted_s if row is not None and row.promoted_s is not None else 0.0
        # A copied data directory lies elsewhere: the id says where the folder is in it.
        if published and (job.started_s or job.created_s) > decided_s:
            folder = find_published(data_dir / CHECKPOINTS_DIR, published["id"])
            if folder is not None:
                return Offer(
                    id=published["id"], folder=folder, since_s=float(published["created_s"])
                )
    if row is None or row.promoted_s is None:
        return None
    return Offer(id=row.id, folder=checkpoint_path(data_dir, row.id), since_s=row.promoted_s)


def newest_learner(db: Session) -> JobRow | None:
    """The online learner that was asked for last, whether it still runs or not."""
    return db.scalars(
        select(JobRow)
        .where(JobRow.kind == JobKind.ONLINE.value)
        .order_by(JobRow.created_s.desc())
        .limit(1)
    ).first()


class LearnerOrders:
    """Orders what belongs to the newest online learner, each thing once."""

    def __init__(self, database: Database, orders: JobOrders) -> None:
        """Look at the jobs and episodes of `database`; queue with `orders`."""
        self._database = database
        self._orders = orders

    def look(self) -> str | None:
        """Order what is due; return the id of the export that was queued, if any."""
        with self._database.read() as db:
            job = newest_learner(db)
            if job is None or "run" not in job.result:
                return None
            rule = self._missing_rule(db, job)
            export = self._due_export(db, job)
        if rule is not None:
            with self._database.write() as db:
                change_rule(db, rule, author=job.author, now_s=job.created_s)
        if export is None:
            return None
        try:
            return self._orders.submit(JobKind.EXPORT, export, AUTHOR).id
        except JobParamsError as error:
            log.warning("episodes of %s are not exported: %s", job.result["run"], error)
            return None

    def _missing_rule(self, db: Session, job: JobRow) -> int | None:
        """Critic videos as the learner asked for them, unless somebody has said otherwise since."""
        wanted = job.params.get("video_every_episodes")
        rule = db.get(VideoRuleRow, RULE_ID)
        is_newer = rule is not None and rule.changed_s >= job.created_s
        return None if wanted is None or is_newer else int(wanted)

    def _due_export(self, db: Session, job: JobRow) -> dict[str, Any] | None:
        """Orders of the next export, if enough episodes have come since the last."""
        every = int(job.params.get("dataset_every_episodes", DATASET_EVERY))
        if every == 0 or job.state != JobState.RUNNING:
            return None
        repo_id = f"local/{job.result['run']}-online"
        ids = online_episode_ids(db, session_id=job.params.get("session_id"), since_s=job.created_s)
        rows = db.scalars(
            select(JobRow)
            .where(JobRow.kind == JobKind.EXPORT.value, JobRow.author == AUTHOR)
            .order_by(JobRow.created_s.desc())
        )
        exports = [row for row in rows if row.params.get("repo_id") == repo_id]
        if exports and not JobState(exports[0].state).is_over:
            return None
        # What failed is due still, and is tried again when there is something new.
        tried = _episodes_of(exports[:1])
        settled = [row for row in exports if row.state != JobState.FAILED]
        new = set(ids) - _episodes_of(settled[:1])
        if len(new) < every or set(ids) <= tried:
            return None
        return {"repo_id": repo_id, "episodes": ids, "overwrite": True}


def _episodes_of(exports: Sequence[JobRow]) -> set[str]:
    return {id for row in exports for id in row.params["episodes"]}
