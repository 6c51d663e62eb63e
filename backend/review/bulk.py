"""The same word for all episodes of a filter: first what it would do, then all of it or nothing.

The events of one bulk share a `bulk_id` and their ids begin with it, so one undo takes the whole
bulk back. A bulk is refused when anything was said, or an episode came, since it was looked at:
what was shown is what is done.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.db.episode_queries import FINAL_STATES, EpisodeFilter, all_episodes, episodes_of
from backend.db.models import EpisodeRow, LabelEventRow, ScoreRow
from backend.db.queries import newest_label_revision
from backend.domain import Outcome
from backend.episodes.labels import (
    LabelError,
    LabelEvent,
    LabelKind,
    LabelsInForce,
    check_label,
    fold,
)
from backend.review.acts import event_from_row, find_event, part_id
from backend.review.rows import follow_labels

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
    said = _check(kind, new)
    return _plan(db, all_episodes(db, _labelable(wanted)), kind, said)


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
    episodes = all_episodes(db, _labelable(wanted))
    plan = _plan(db, episodes, kind, said)
    if (len(plan.matched), plan.newest) != (expected_count, expected_newest):
        raise BulkConflictError(plan, count=expected_count, newest=expected_newest)
    changing = set(plan.changing)
    logs, scores = _logs_and_scores(db, _labelable(wanted))
    changed = [episode for episode in episodes if episode.id in changing]
    events = [
        LabelEventRow(
            event_id=part_id(event_id, number),
            episode_id=episode.id,
            created_s=created_s,
            author=author,
            kind=kind.value,
            start_step=None,
            end_step=None,
            old=_said_now(episode).said(kind),
            new=said,
            source=source,
            target_id=None,
            bulk_id=event_id,
        )
        for number, episode in enumerate(changed)
    ]
    db.add_all(events)
    db.flush()
    for episode, event in zip(changed, events, strict=True):
        labels = fold([*logs[episode.id], event_from_row(event)])
        follow_labels(episode, labels, event.id, scores[episode.id])
    db.flush()
    return replace(plan, newest=newest_label_revision(db))


def _check(kind: LabelKind, new: Mapping[str, Any]) -> dict[str, Any]:
    if kind not in BULK_KINDS:
        raise LabelError(
            f"in bulk one says {', '.join(BULK_KINDS)}; {kind} speaks of one episode's steps"
        )
    return check_label(kind, new)


def _labelable(wanted: EpisodeFilter) -> EpisodeFilter:
    return replace(wanted, states=tuple(s for s in wanted.states if s in FINAL_STATES))


def _plan(
    db: Session, episodes: Sequence[EpisodeRow], kind: LabelKind, said: dict[str, Any]
) -> BulkPlan:
    return BulkPlan(
        matched=tuple(episode.id for episode in episodes),
        changing=tuple(e.id for e in episodes if _said_now(e).said(kind) != said),
        outcomes=dict(Counter(Outcome(episode.outcome) for episode in episodes)),
        newest=newest_label_revision(db),
    )


def _said_now(episode: EpisodeRow) -> LabelsInForce:
    """What the row keeps of the labels in force: all that a bulk can change."""
    return LabelsInForce(
        outcome=Outcome(episode.outcome),
        excluded=episode.excluded,
        exclude_reason=episode.exclude_reason,
        note=episode.note,
    )


def _logs_and_scores(
    db: Session, wanted: EpisodeFilter
) -> tuple[Mapping[str, list[LabelEvent]], Mapping[str, list[ScoreRow]]]:
    ids = episodes_of(wanted).with_only_columns(EpisodeRow.id)
    logs: dict[str, list[LabelEvent]] = defaultdict(list)
    said = select(LabelEventRow).where(LabelEventRow.episode_id.in_(ids))
    for row in db.scalars(said.order_by(LabelEventRow.id)):
        logs[row.episode_id].append(event_from_row(row))
    scores: dict[str, list[ScoreRow]] = defaultdict(list)
    for score in db.scalars(select(ScoreRow).where(ScoreRow.episode_id.in_(ids))):
        scores[score.episode_id].append(score)
    return logs, scores


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
