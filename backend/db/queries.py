"""The questions asked of the database. Nothing is written here.

Those about lists of episodes are in `episode_queries.py` and can be had from here too.
"""

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from backend.db.episode_queries import FINAL_STATES as FINAL_STATES
from backend.db.episode_queries import EpisodeFilter as EpisodeFilter
from backend.db.episode_queries import EpisodeOrder as EpisodeOrder
from backend.db.episode_queries import all_episodes as all_episodes
from backend.db.episode_queries import episodes_of
from backend.db.episode_queries import list_episodes as list_episodes
from backend.db.models import (
    DatasetRow,
    EpisodeRow,
    JobRow,
    LabelEventRow,
    MetricRow,
    SessionRow,
)
from backend.db.pages import Page, read_page
from backend.domain import JobKind, JobState


def rows_beginning_with[Row: (EpisodeRow, JobRow)](
    db: Session, rows: type[Row], beginning: str, *, limit: int = 3
) -> Sequence[Row]:
    """Rows whose ids begin so, for people who do not type whole ids; `limit` at most."""
    begins = rows.id.startswith(beginning, autoescape=True)
    return db.scalars(select(rows).where(begins).order_by(rows.id).limit(limit)).all()


def last_final_episode(db: Session, session_id: str) -> EpisodeRow | None:
    """The episode of this session that ended last."""
    wanted = EpisodeFilter(session_id=session_id, states=FINAL_STATES)
    return db.scalars(
        episodes_of(wanted).order_by(EpisodeRow.started_s.desc(), EpisodeRow.number.desc()).limit(1)
    ).first()


def count_final_episodes(db: Session) -> int:
    """How many episodes there are to look at."""
    final = EpisodeRow.state.in_([state.value for state in FINAL_STATES])
    return db.scalar(select(func.count()).select_from(EpisodeRow).where(final)) or 0


def newest_label_revision(db: Session) -> int:
    """Id of the newest label event of all; 0 before the first."""
    return db.scalar(select(func.max(LabelEventRow.id))) or 0


def label_events(
    db: Session, *, episode_id: str | None = None, author: str | None = None
) -> Sequence[LabelEventRow]:
    """Label events, oldest first: of one episode, of one author, or both."""
    statement = select(LabelEventRow).order_by(LabelEventRow.id)
    if episode_id is not None:
        statement = statement.where(LabelEventRow.episode_id == episode_id)
    if author is not None:
        statement = statement.where(LabelEventRow.author == author)
    return db.scalars(statement).all()


def label_events_after(
    db: Session, after: int | None, *, limit: int
) -> Sequence[tuple[LabelEventRow, str]]:
    """Label events of all episodes behind the one with id `after`, each with its episode's outcome.

    Args:
        db: The database session.
        after: Where to begin; None: the newest `limit` ones.
        limit: Events at most.

    Returns:
        Oldest first.
    """
    statement = (
        select(LabelEventRow, EpisodeRow.outcome)
        .join(EpisodeRow, EpisodeRow.id == LabelEventRow.episode_id)
        .limit(limit)
    )
    if after is None:
        rows = db.execute(statement.order_by(LabelEventRow.id.desc())).all()[::-1]
    else:
        behind = statement.where(LabelEventRow.id > after).order_by(LabelEventRow.id)
        rows = list(db.execute(behind).all())
    return [(row[0], row[1]) for row in rows]


def list_sessions(db: Session, *, limit: int = 50, cursor: str | None = None) -> Page[SessionRow]:
    """Sessions, newest first."""
    return read_page(
        db,
        select(SessionRow),
        order_by=SessionRow.opened_s.expression,
        id_column=SessionRow.id,
        descending=True,
        limit=limit,
        cursor=cursor,
    )


def list_jobs(
    db: Session,
    *,
    kind: JobKind | None = None,
    states: Sequence[JobState] = tuple(JobState),
    limit: int = 50,
    cursor: str | None = None,
) -> Page[JobRow]:
    """Jobs, newest first."""
    statement = select(JobRow).where(JobRow.state.in_([state.value for state in states]))
    if kind is not None:
        statement = statement.where(JobRow.kind == kind.value)
    return read_page(
        db,
        statement,
        order_by=JobRow.created_s.expression,
        id_column=JobRow.id,
        descending=True,
        limit=limit,
        cursor=cursor,
    )


def job_metrics(
    db: Session, job_id: str, *, after_id: int = 0, limit: int = 10_000
) -> Sequence[MetricRow]:
    """Numbers of one job in the order they came in, from behind the one with id `after_id`."""
    return db.scalars(
        select(MetricRow)
        .where(MetricRow.job_id == job_id, MetricRow.id > after_id)
        .order_by(MetricRow.id)
        .limit(limit)
    ).all()


def list_datasets(db: Session, *, limit: int = 50, cursor: str | None = None) -> Page[DatasetRow]:
    """Datasets, newest first."""
    return read_page(
        db,
        select(DatasetRow),
        order_by=DatasetRow.created_s.expression,
        id_column=DatasetRow.id,
        descending=True,
        limit=limit,
        cursor=cursor,
    )
