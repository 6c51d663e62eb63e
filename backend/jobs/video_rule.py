"""Makes a critic video of every N-th recorded episode, so that a run can be watched meanwhile.

The newest checkpoint with a critic scores the newest episode, then its video is drawn. Both are
jobs like any other; while the GPU is taken the scoring runs on the CPU, so no training waits for a
video. While one is made the next waits: a slow machine makes fewer videos, never a queue of them.
The rule is a row, so it survives the server; it counts episodes by when they ended.

Imported episodes do not count, nobody watches them happen; nor do those that were excluded.
"""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from backend import checkpoints
from backend.db.engine import Database
from backend.db.models import CheckpointRow, EpisodeRow, JobRow, VideoRuleRow
from backend.db.queries import FINAL_STATES
from backend.domain import JobKind, JobState
from backend.jobs.kinds import JobParamsError
from backend.jobs.orders import JobOrders, Order
from backend.jobs.score_params import beside

log = logging.getLogger(__name__)
# Who has ordered what this rule orders.
AUTHOR = "every N episodes"
MAX_EVERY = 1000
RULE_ID = 1


@dataclass(frozen=True, kw_only=True)
class VideoRule:
    """The rule in force."""

    # Recorded episodes between two videos; 0: none are made.
    every: int
    # Who said so, Unix seconds; "" and 0 before anybody did.
    author: str
    changed_s: float
    # Recorded since the last video, and whose critic the next one will show ("": none yet).
    num_recorded: int
    checkpoint_id: str


def rule_in_force(db: Session, data_dir: Path) -> VideoRule:
    """The rule, and how far it is from its next video."""
    row = db.get(VideoRuleRow, RULE_ID)
    critic = _newest_critic(db, data_dir)
    return VideoRule(
        every=row.every if row else 0,
        author=row.author if row else "",
        changed_s=row.changed_s if row else 0.0,
        num_recorded=_recorded_since(db, row.since_s)[0] if row else 0,
        checkpoint_id=critic or "",
    )


def change_rule(db: Session, every: int, *, author: str, now_s: float) -> None:
    """Make a video of every so many episodes from now on; 0: of none.

    Raises:
        ValueError: `every` is out of range.
    """
    if not 0 <= every <= MAX_EVERY:
        raise ValueError(f"every is 0 (no videos) to {MAX_EVERY} episodes, got {every}")
    row = db.get(VideoRuleRow, RULE_ID)
    if row is None:
        row = VideoRuleRow(id=RULE_ID, every=0, since_s=now_s, author="", changed_s=0.0)
        db.add(row)
    if not row.every:
        # What was recorded while no videos were wanted does not count.
        row.since_s = now_s
    row.every, row.author, row.changed_s = every, author, now_s


class PeriodicVideos:
    """Orders the videos of the rule."""

    def __init__(self, database: Database, data_dir: Path, orders: JobOrders) -> None:
        """Look at the episodes of `database`; queue with `orders`."""
        self._database = database
        self._data_dir = data_dir
        self._orders = orders

    def look(self) -> list[str]:
        """Order the next video if its turn has come; return the ids of the jobs queued."""
        with self._database.read() as db:
            row = db.get(VideoRuleRow, RULE_ID)
            if row is None or not row.every:
                return []
            count, newest = _recorded_since(db, row.since_s)
            jobs = _under_way(db)
            if newest is None or count < row.every or any(job.author == AUTHOR for job in jobs):
                return []
            critic = _newest_critic(db, self._data_dir)
            if critic is None:
                return []
            params: dict[str, Any] = {"checkpoint": critic, "episodes": [newest.id]}
            device = "cpu" if any(_takes_gpu(job) for job in jobs) else "auto"
        scoring = Order(kind=JobKind.SCORE, params={**params, "device": device})
        try:
            rows = self._orders.submit_chain(
                [scoring, Order(kind=JobKind.VIDEO, params=params)], AUTHOR
            )
        except JobParamsError as error:
            # It was deleted a moment ago; the next look finds another.
            log.warning("no critic video of episode %s: %s", newest.id, error)
            return []
        with self._database.write() as db:
            row = db.get_one(VideoRuleRow, RULE_ID)
            row.since_s = newest.ended_s or row.since_s
        return [row.id for row in rows]


def _recorded_since(db: Session, since_s: float) -> tuple[int, EpisodeRow | None]:
    counts = [
        EpisodeRow.state.in_([state.value for state in FINAL_STATES]),
        EpisodeRow.session_id.is_not(None),
        EpisodeRow.excluded.is_(False),
        EpisodeRow.ended_s > since_s,
    ]
    count = db.scalar(select(func.count()).select_from(EpisodeRow).where(*counts)) or 0
    newest = select(EpisodeRow).where(*counts).order_by(EpisodeRow.ended_s.desc()).limit(1)
    return count, db.scalars(newest).first()


def _newest_critic(db: Session, data_dir: Path) -> str | None:
    ids = db.scalars(
        select(CheckpointRow.id)
        .where(CheckpointRow.size_bytes > 0)
        .order_by(CheckpointRow.created_s.desc())
    )
    return next((id for id in ids if checkpoints.has_critic(data_dir, id)), None)


def _under_way(db: Session) -> list[JobRow]:
    active = JobRow.state.in_([state.value for state in JobState if not state.is_over])
    return list(db.scalars(select(JobRow).where(active)))


def _takes_gpu(job: JobRow) -> bool:
    return job.kind in (JobKind.TRAIN, JobKind.SCORE) and beside(job.params) is None
