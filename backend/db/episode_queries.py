"""Lists of episodes: filters, orders, flags and counts, all answered from the rows alone.

What people and critics say of an episode is kept in its row (`backend.review.rows`), so that a
list of 10,000 is filtered and ordered without a join. Only when somebody asks for the scores of one
checkpoint are those joined, by their key.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, func, or_, select
from sqlalchemy.orm import Session

from backend.db.models import EpisodeRow, ScoreRow
from backend.db.pages import Page, read_page
from backend.domain import EpisodeState, Outcome

FINAL_STATES = (EpisodeState.FINISHED, EpisodeState.RECOVERED)
# What lists show unless told otherwise: everything that is not in the trash folder.
LISTED_STATES = tuple(state for state in EpisodeState if state is not EpisodeState.DISCARDED)
# A person drove at least this share of the steps.
MOSTLY_HUMAN = 0.5
# The critic is nearer to the other outcome than to the label.
DISAGREES = 0.5


class EpisodeOrder(StrEnum):
    """In which order episodes are listed."""

    NEWEST = "newest"
    OLDEST = "oldest"
    LONGEST = "longest"
    SHORTEST = "shortest"
    HUMAN_SHARE = "human_share"
    # The same, under the name that the review page uses.
    HUMAN = "human"
    # Critic and label furthest apart first.
    DISAGREE = "disagree"
    # What needs a human most: without outcome, then disagreement, then human share, then newest.
    UNLABELED = "unlabeled"


class EpisodeFlag(StrEnum):
    """What makes an episode worth a look."""

    UNLABELED = "unlabeled"
    DISAGREE = "disagree"
    HUMAN = "human"
    EXCLUDED = "excluded"
    MISTAKE = "mistake"
    NOTE = "note"


@dataclass(frozen=True, kw_only=True)
class EpisodeFilter:
    """Which episodes; everything that is None or empty lets all through."""

    outcome: Outcome | None = None
    # Part of a task, a robot's name or an operator's, or the beginning of an id; in any case.
    q: str = ""
    session_id: str | None = None
    checkpoint_id: str | None = None
    states: tuple[EpisodeState, ...] = LISTED_STATES
    ids: tuple[str, ...] | None = None
    # These are whole and exact.
    task: str | None = None
    robot: str | None = None
    operator: str | None = None
    excluded: bool | None = None
    flag: EpisodeFlag | None = None
    # Least share of steps that a person drove, 0 to 1.
    min_human: float | None = None
    # Whose scores tell disagreement; None: of each episode the newest.
    scored_by: str | None = None


@dataclass(frozen=True, kw_only=True)
class EpisodeFacets:
    """How many episodes of a filter have which property."""

    total: int
    outcome: Mapping[str, int]
    task: Mapping[str, int]
    robot: Mapping[str, int]
    # The checkpoint that acted; those that no checkpoint drove are left out.
    checkpoint: Mapping[str, int]
    operator: Mapping[str, int]
    flag: Mapping[str, int]
    # Checkpoints that have scored any, newest scoring first.
    scored_by: Mapping[str, int]


def list_episodes(
    db: Session,
    wanted: EpisodeFilter = EpisodeFilter(),
    *,
    order: EpisodeOrder = EpisodeOrder.NEWEST,
    limit: int = 50,
    cursor: str | None = None,
) -> Page[EpisodeRow]:
    """One page of the episodes that `wanted` describes.

    Raises:
        InvalidPageError: See `pages.read_page`.
    """
    order_by, descending = _order(order, wanted)
    return read_page(
        db,
        episodes_of(wanted),
        order_by=order_by,
        id_column=EpisodeRow.id,
        descending=descending,
        limit=limit,
        cursor=cursor,
    )


def all_episodes(db: Session, wanted: EpisodeFilter) -> Sequence[EpisodeRow]:
    """Every episode that `wanted` describes, oldest first."""
    return db.scalars(episodes_of(wanted).order_by(EpisodeRow.started_s, EpisodeRow.id)).all()


def scores_by(db: Session, checkpoint_id: str, ids: Sequence[str]) -> dict[str, ScoreRow]:
    """One checkpoint's scores of these episodes, by their ids."""
    wanted = select(ScoreRow).where(
        ScoreRow.checkpoint_id == checkpoint_id, ScoreRow.episode_id.in_(ids)
    )
    return {row.episode_id: row for row in db.scalars(wanted)}


def count_facets(db: Session, wanted: EpisodeFilter = EpisodeFilter()) -> EpisodeFacets:
    """Count the episodes of a filter by what they could be filtered by further."""
    flags = [
        func.coalesce(_is_flagged(flag, wanted), False).label(flag.value) for flag in EpisodeFlag
    ]
    rows = db.execute(
        _scored(select(func.count()), wanted)
        .add_columns(
            EpisodeRow.outcome,
            EpisodeRow.task,
            EpisodeRow.robot,
            EpisodeRow.checkpoint_id,
            EpisodeRow.operator,
            *flags,
        )
        .select_from(EpisodeRow)
        .where(*_conditions(wanted))
        .group_by(
            EpisodeRow.outcome,
            EpisodeRow.task,
            EpisodeRow.robot,
            EpisodeRow.checkpoint_id,
            EpisodeRow.operator,
            *flags,
        )
    ).all()
    counts: dict[str, Counter[str]] = {
        name: Counter() for name in ("outcome", "task", "robot", "checkpoint", "operator", "flag")
    }
    for count, outcome, task, robot, checkpoint, operator, *flagged in rows:
        counts["outcome"][outcome] += count
        counts["task"][task] += count
        counts["robot"][robot] += count
        if checkpoint is not None:
            counts["checkpoint"][checkpoint] += count
        counts["operator"][operator] += count
        for flag, holds in zip(EpisodeFlag, flagged, strict=True):
            counts["flag"][flag.value] += count if holds else 0
    return EpisodeFacets(
        total=sum(row[0] for row in rows),
        scored_by=_scorers(db),
        **{name: dict(sorted(found.items())) for name, found in counts.items()},
    )


def longest_of_task(db: Session, task: str) -> int:
    """Steps that count of the longest finished episode of a task; 1 without one."""
    counted = func.coalesce(EpisodeRow.terminal_step + 1, EpisodeRow.num_steps)
    return (
        db.scalar(
            select(func.max(counted)).where(
                EpisodeRow.task == task,
                EpisodeRow.excluded.is_(False),
                EpisodeRow.state.in_([state.value for state in FINAL_STATES]),
            )
        )
        or 1
    )


def flags_of(row: EpisodeRow, disagreement: float | None) -> list[EpisodeFlag]:
    """The flags of one episode, as the filter sees them.

    Args:
        row: Its row.
        disagreement: By the critic that was asked for; None without one.
    """
    holds = {
        EpisodeFlag.UNLABELED: row.outcome == Outcome.NONE,
        EpisodeFlag.DISAGREE: disagreement is not None and disagreement >= DISAGREES,
        EpisodeFlag.HUMAN: row.num_steps > 0
        and row.num_human_steps >= MOSTLY_HUMAN * row.num_steps,
        EpisodeFlag.EXCLUDED: bool(row.excluded),
        EpisodeFlag.MISTAKE: bool(row.num_mistakes),
        EpisodeFlag.NOTE: bool(row.note),
    }
    return [flag for flag, held in holds.items() if held]


def episodes_of(wanted: EpisodeFilter) -> Select[EpisodeRow]:
    """Select the episodes that `wanted` describes, in no order."""
    return _scored(select(EpisodeRow), wanted).where(*_conditions(wanted))


def _scored[Selected: Select[Any]](statement: Selected, wanted: EpisodeFilter) -> Selected:
    if wanted.scored_by is None:
        return statement
    return statement.outerjoin_from(
        EpisodeRow,
        ScoreRow,
        and_(ScoreRow.episode_id == EpisodeRow.id, ScoreRow.checkpoint_id == wanted.scored_by),
    )


def _conditions(wanted: EpisodeFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [
        EpisodeRow.state.in_([state.value for state in wanted.states])
    ]
    for column, value in (
        (EpisodeRow.outcome, wanted.outcome),
        (EpisodeRow.session_id, wanted.session_id),
        (EpisodeRow.checkpoint_id, wanted.checkpoint_id),
        (EpisodeRow.task, wanted.task),
        (EpisodeRow.robot, wanted.robot),
        (EpisodeRow.operator, wanted.operator),
        (EpisodeRow.excluded, wanted.excluded),
    ):
        if value is not None:
            conditions.append(column == value)
    if wanted.ids is not None:
        conditions.append(EpisodeRow.id.in_(wanted.ids))
    if wanted.flag is not None:
        conditions.append(_is_flagged(wanted.flag, wanted))
    if wanted.min_human is not None:
        conditions.append(_is_human(wanted.min_human))
    if q := wanted.q.strip():
        conditions.append(
            or_(
                EpisodeRow.task.icontains(q, autoescape=True),
                EpisodeRow.robot.icontains(q, autoescape=True),
                EpisodeRow.operator.icontains(q, autoescape=True),
                EpisodeRow.id.istartswith(q, autoescape=True),
            )
        )
    return conditions


def _is_flagged(flag: EpisodeFlag, wanted: EpisodeFilter) -> ColumnElement[bool]:
    match flag:
        case EpisodeFlag.UNLABELED:
            return EpisodeRow.outcome == Outcome.NONE.value
        case EpisodeFlag.DISAGREE:
            return _disagreement(wanted) >= DISAGREES
        case EpisodeFlag.HUMAN:
            return and_(EpisodeRow.num_steps > 0, _is_human(MOSTLY_HUMAN))
        case EpisodeFlag.EXCLUDED:
            return EpisodeRow.excluded.is_(True)
        case EpisodeFlag.MISTAKE:
            return EpisodeRow.num_mistakes > 0
        case EpisodeFlag.NOTE:
            return EpisodeRow.note != ""


def _is_human(share: float) -> ColumnElement[bool]:
    return EpisodeRow.num_human_steps >= share * EpisodeRow.num_steps


def _disagreement(wanted: EpisodeFilter) -> ColumnElement[float | None]:
    of = EpisodeRow if wanted.scored_by is None else ScoreRow
    return of.disagreement.expression


def _scorers(db: Session) -> dict[str, int]:
    found = db.execute(
        select(ScoreRow.checkpoint_id, func.count())
        .group_by(ScoreRow.checkpoint_id)
        .order_by(func.max(ScoreRow.created_s).desc())
    )
    return {row[0]: row[1] for row in found}


def _order(
    order: EpisodeOrder, wanted: EpisodeFilter
) -> tuple[tuple[ColumnElement[Any], ...], bool]:
    newest = EpisodeRow.started_s.expression
    length = EpisodeRow.num_steps.expression
    human_share: ColumnElement[Any] = case(
        (EpisodeRow.num_steps == 0, 0.0),
        else_=EpisodeRow.num_human_steps * 1.0 / EpisodeRow.num_steps,
    )
    unlabeled: ColumnElement[Any] = case((EpisodeRow.outcome == Outcome.NONE.value, 1), else_=0)
    # Those without a score or an outcome come last.
    apart: ColumnElement[Any] = func.coalesce(_disagreement(wanted), -1.0)
    orders: dict[EpisodeOrder, tuple[tuple[ColumnElement[Any], ...], bool]] = {
        EpisodeOrder.NEWEST: ((newest,), True),
        EpisodeOrder.OLDEST: ((newest,), False),
        EpisodeOrder.LONGEST: ((length,), True),
        EpisodeOrder.SHORTEST: ((length,), False),
        EpisodeOrder.HUMAN_SHARE: ((human_share, newest), True),
        EpisodeOrder.HUMAN: ((human_share, newest), True),
        EpisodeOrder.DISAGREE: ((apart, newest), True),
        EpisodeOrder.UNLABELED: ((unlabeled, apart, human_share, newest), True),
    }
    return orders[order]
