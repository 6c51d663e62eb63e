"""The same word for all episodes of a filter: first what it would do, then all of it or nothing.

The events of one bulk share a `bulk_id` and their ids begin with it, so one undo takes the whole
bulk back. A bulk is refused when anything was said, or an episode came, since it was looked at:
what was shown is what is done.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.db.episode_queries import FINAL_STATES, EpisodeFilter, all_episodes, episodes_of
from backend.db.models import EpisodeRow, LabelEventRow
from backend.db.queries import newest_label_revision
from backend.domain import Outcome
from backend.episodes.labels import LabelError, LabelKind, LabelsInForce, check_label, fold
from backend.review.acts import find_event, part_id
from backend.review.gathering import append, gather

BULK_KINDS = (LabelKind.OUTCOME, LabelKind.EXCLUDE, LabelKind.NOTE)


class BulkConflictError(Exception):
    """What the bulk would do is not what its maker was shown.

    Attributes:
        plan: What it would do now.
    """

    def __init__(self, plan: "BulkPlan", *, count: int, newest: int) -> None:
        self.plan = plan
        super().__init__(
            f"this was decided on {count} episodes and label event {newest}; now there are "
            f"{len(plan.matched)} and {plan.newest}"
        )


@dataclass(frozen=True, kw_only=True)
class BulkPlan:
    """What a bulk does."""

    # Ids of the episodes that the filter lets through and that can be labelled, oldest first.
    matched: tuple[str, ...]
    # Those that would change; the others are so already.
    changing: tuple[str, ...]
    # How many of the matched have which outcome in force.
    outcomes: Mapping[Outcome, int]
    # Newest label event of all episodes; 0 before the first.
    newest: int


def plan_bulk(
    db: Session, wanted: EpisodeFilter, *, kind: LabelKind, new: Mapping[str, Any]
) -> BulkPlan:
    """Say what a bulk would do, without doing it.

    Args:
        db: The database session.
        wanted: Which episodes; recordings and takes that wait are left out.
        kind: Outcome, exclude or note.
        new: See `LabelKind`.

    Raises:
        LabelError: The label makes no sense.
    """
    return _plan(db, _labelable(wanted), kind, _check(kind, new))


def apply_bulk(
    db: Session,
    wanted: EpisodeFilter,
    *,
    kind: LabelKind,
    new: Mapping[str, Any],
    expected_count: int,
    expected_newest: int,
    author: str,
    source: str,
    created_s: float,
    event_id: str,
) -> BulkPlan:
    """Say the same of all episodes of a filter, in the caller's one transaction.

    Args:
        db: A session of `Database.write()`.
        wanted: Which episodes; recordings and takes that wait are left out.
        kind: Outcome, exclude or note.
        new: See `LabelKind`.
        expected_count: Episodes that `plan_bulk` matched.
        expected_newest: Its `newest`.
        author: Who says so.
        source: Whence.
        created_s: When, Unix seconds.
        event_id: Made by the client; a repeat does nothing and answers with what it did.

    Raises:
        BulkConflictError: Something has changed since the plan.
        LabelError: The label makes no sense, or the id was used for something else.
    """
    said = _check(kind, new)
    present = find_event(db, event_id)
    if present is not None:
        return _done_before(db, present, event_id)
    plan = _plan(db, _labelable(wanted), kind, said)
    if (len(plan.matched), plan.newest) != (expected_count, expected_newest):
        raise BulkConflictError(plan, count=expected_count, newest=expected_newest)
    gathered = gather(db, plan.changing)
    events = [
        LabelEventRow(
            event_id=part_id(event_id, number),
            episode_id=id,
            created_s=created_s,
            author=author,
            kind=kind.value,
            start_step=None,
            end_step=None,
            old=fold(gathered.logs[id]).said(kind),
            new=said,
            source=source,
            target_id=None,
            bulk_id=event_id,
        )
        for number, id in enumerate(plan.changing)
    ]
    append(db, events, gathered)
    return replace(plan, newest=newest_label_revision(db))


def _check(kind: LabelKind, new: Mapping[str, Any]) -> dict[str, Any]:
    if kind not in BULK_KINDS:
        raise LabelError(
            f"in bulk one says {', '.join(BULK_KINDS)}; {kind} speaks of one episode's steps"
        )
    return check_label(kind, new)


def _labelable(wanted: EpisodeFilter) -> EpisodeFilter:
    return replace(wanted, states=tuple(s for s in wanted.states if s in FINAL_STATES))


def _plan(db: Session, wanted: EpisodeFilter, kind: LabelKind, said: dict[str, Any]) -> BulkPlan:
    # Columns instead of rows: ten times as fast, and all that a bulk can change.
    found = db.execute(
        episodes_of(wanted)
        .with_only_columns(
            EpisodeRow.id,
            EpisodeRow.outcome,
            EpisodeRow.excluded,
            EpisodeRow.exclude_reason,
            EpisodeRow.note,
        )
        .order_by(EpisodeRow.started_s, EpisodeRow.id)
    ).all()
    changing = [
        row.id
        for row in found
        if said
        != LabelsInForce(
            outcome=Outcome(row.outcome),
            excluded=row.excluded,
            exclude_reason=row.exclude_reason,
            note=row.note,
        ).said(kind)
    ]
    return BulkPlan(
        matched=tuple(row.id for row in found),
        changing=tuple(changing),
        outcomes=dict(Counter(Outcome(row.outcome) for row in found)),
        newest=newest_label_revision(db),
    )


def _done_before(db: Session, present: LabelEventRow, event_id: str) -> BulkPlan:
    if present.bulk_id != event_id:
        raise LabelError(
            f"event_id {event_id} was used for a label of episode {present.episode_id}: make a "
            "new one for every bulk"
        )
    ids = db.scalars(
        select(LabelEventRow.episode_id)
        .where(LabelEventRow.bulk_id == event_id)
        .order_by(LabelEventRow.id)
    ).all()
    rows = all_episodes(db, EpisodeFilter(ids=tuple(ids)))
    return BulkPlan(
        matched=tuple(ids),
        changing=tuple(ids),
        outcomes=dict(Counter(Outcome(row.outcome) for row in rows)),
        newest=newest_label_revision(db),
    )
