"""What people say of episodes, kept as events in the database beside the row it changes.

Each function takes a database session of `Database.write()`, appends at most one label event and
brings the episode's row up to date, so log and row never disagree. Repeating a call with the same
`event_id` does nothing. What events mean when folded is decided in `episodes.labels`.

How episodes get from their folders into the database is the business of `intake.py`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.db.models import EpisodeRow, LabelEventRow
from backend.db.queries import FINAL_STATES, label_events
from backend.episodes.labels import (
    LabelError,
    LabelEvent,
    LabelKind,
    LabelsInForce,
    check_label,
    fold,
    next_redo,
    next_undo,
)


class EpisodeNotFoundError(LookupError):
    """There is no episode of that id."""


class NothingToUndoError(LabelError):
    """This author has nothing left to undo or redo there."""


class LabelConflictError(Exception):
    """Somebody else labelled the episode since the caller looked.

    Attributes:
        expected_revision: What the caller had seen.
        present: What holds now, with the event that made it so.
    """

    def __init__(self, expected_revision: int, present: "EpisodeLabels") -> None:
        self.expected_revision = expected_revision
        self.present = present
        newest = present.newest
        said = f": {newest.author} said {newest.kind} {newest.new}" if newest else ""
        super().__init__(
            f"episode {present.episode_id} has label revision {present.revision}, this label was "
            f"made on {expected_revision}{said}"
        )


@dataclass(frozen=True, kw_only=True)
class EpisodeLabels:
    """What holds for one episode."""

    episode_id: str
    labels: LabelsInForce
    # Id of its newest event, 0 before the first.
    revision: int
    newest: LabelEventRow | None


def add_label(
    db: Session,
    *,
    episode_id: str,
    kind: LabelKind,
    new: Mapping[str, Any],
    author: str,
    source: str,
    created_s: float,
    event_id: str,
    expected_revision: int | None = None,
) -> EpisodeLabels:
    """Say something of an episode; return what holds then.

    Args:
        db: A session of `Database.write()`.
        episode_id: Of a finished or recovered episode.
        kind: Outcome, exclude or note.
        new: See `LabelKind`.
        author: Who says so.
        source: Whence: `key`, `button`, `api`, `cli`, `review`, …
        created_s: When, Unix seconds.
        event_id: Made by the client; a repeat does nothing.
        expected_revision: Refuse if the episode has been labelled since this one; None: do not.

    Raises:
        EpisodeNotFoundError: No such episode.
        LabelConflictError: See `expected_revision`.
        LabelError: The label makes no sense, or the episode cannot be labelled yet.
    """
    said = check_label(kind, new)
    episode = _labelable(db, episode_id)
    before = current_labels(db, episode_id)
    if _is_repeat(db, event_id, episode_id, kind):
        return before
    if expected_revision is not None and expected_revision != before.revision:
        raise LabelConflictError(expected_revision, before)
    event = LabelEventRow(
        event_id=event_id,
        episode_id=episode_id,
        created_s=created_s,
        author=author,
        kind=kind.value,
        start_step=None,
        end_step=None,
        old=before.labels.said(kind),
        new=said,
        source=source,
        target_id=None,
    )
    return _append(db, episode, event)


def undo(
    db: Session,
    *,
    author: str,
    source: str,
    created_s: float,
    event_id: str,
    episode_id: str | None = None,
) -> EpisodeLabels:
    """Take back what `author` said last, in one episode or anywhere; return what holds then.

    Raises:
        NothingToUndoError: There is nothing.
    """
    return _switch(db, LabelKind.UNDO, author, source, created_s, event_id, episode_id)


def redo(
    db: Session,
    *,
    author: str,
    source: str,
    created_s: float,
    event_id: str,
    episode_id: str | None = None,
) -> EpisodeLabels:
    """Say again what `author` took back last, in one episode or anywhere.

    Raises:
        NothingToUndoError: Nothing was taken back, or something new was said since.
    """
    return _switch(db, LabelKind.REDO, author, source, created_s, event_id, episode_id)


def revert(
    db: Session,
    *,
    episode_id: str,
    revision: int,
    author: str,
    source: str,
    created_s: float,
    event_id: str,
) -> EpisodeLabels:
    """Bring an episode back to what held after its event `revision`; 0: before the first.

    Raises:
        EpisodeNotFoundError: No such episode.
        LabelError: The episode has no such event.
    """
    episode = _labelable(db, episode_id)
    if _is_repeat(db, event_id, episode_id, LabelKind.REVERT):
        return current_labels(db, episode_id)
    rows = label_events(db, episode_id=episode_id)
    if revision and revision not in [row.id for row in rows]:
        raise LabelError(
            f"episode {episode_id} has no label event {revision}; it has "
            f"{', '.join(str(row.id) for row in rows) or 'none'}"
        )
    log = [event_from_row(row) for row in rows]
    event = LabelEventRow(
        event_id=event_id,
        episode_id=episode_id,
        created_s=created_s,
        author=author,
        kind=LabelKind.REVERT.value,
        start_step=None,
        end_step=None,
        old=fold(log).said(LabelKind.REVERT),
        new=fold([e for e in log if e.id <= revision]).said(LabelKind.REVERT),
        source=source,
        target_id=revision or None,
    )
    return _append(db, episode, event)


def current_labels(db: Session, episode_id: str) -> EpisodeLabels:
    """What holds for an episode now."""
    rows = label_events(db, episode_id=episode_id)
    return EpisodeLabels(
        episode_id=episode_id,
        labels=fold([event_from_row(row) for row in rows]),
        revision=rows[-1].id if rows else 0,
        newest=rows[-1] if rows else None,
    )


def history(db: Session, episode_id: str) -> Sequence[LabelEventRow]:
    """Everything that was ever said of an episode, oldest first.

    Raises:
        EpisodeNotFoundError: No such episode.
    """
    if db.get(EpisodeRow, episode_id) is None:
        raise EpisodeNotFoundError(f"there is no episode {episode_id}")
    return label_events(db, episode_id=episode_id)


def event_from_row(row: LabelEventRow) -> LabelEvent:
    """The event that a row keeps."""
    return LabelEvent(
        id=row.id,
        episode_id=row.episode_id,
        author=row.author,
        kind=LabelKind(row.kind),
        new=row.new,
        target_id=row.target_id,
        start_step=row.start_step,
        end_step=row.end_step,
    )


def _switch(
    db: Session,
    kind: LabelKind,
    author: str,
    source: str,
    created_s: float,
    event_id: str,
    episode_id: str | None,
) -> EpisodeLabels:
    present = _event(db, event_id)
    if present is not None:
        return current_labels(db, present.episode_id)
    rows = label_events(db, episode_id=episode_id, author=author)
    find = next_undo if kind is LabelKind.UNDO else next_redo
    target = find([event_from_row(row) for row in rows], author)
    if target is None:
        where = f" in episode {episode_id}" if episode_id else ""
        raise NothingToUndoError(f"{author} has nothing to {kind}{where}")
    episode = _labelable(db, target.episode_id)
    log = [event_from_row(row) for row in label_events(db, episode_id=target.episode_id)]
    before = fold(log)
    switch = LabelEvent(
        id=(log[-1].id + 1),
        episode_id=target.episode_id,
        author=author,
        kind=kind,
        target_id=target.id,
    )
    event = LabelEventRow(
        event_id=event_id,
        episode_id=target.episode_id,
        created_s=created_s,
        author=author,
        kind=kind.value,
        start_step=None,
        end_step=None,
        old=before.said(kind),
        new=fold([*log, switch]).said(kind),
        source=source,
        target_id=target.id,
    )
    return _append(db, episode, event)


def _append(db: Session, episode: EpisodeRow, event: LabelEventRow) -> EpisodeLabels:
    db.add(event)
    db.flush()
    present = current_labels(db, episode.id)
    episode.outcome = present.labels.outcome.value
    episode.label_revision = present.revision
    db.flush()
    return present


def _labelable(db: Session, episode_id: str) -> EpisodeRow:
    episode = db.get(EpisodeRow, episode_id)
    if episode is None:
        raise EpisodeNotFoundError(f"there is no episode {episode_id}")
    if episode.state not in FINAL_STATES:
        raise LabelError(
            f"episode {episode_id} is {episode.state}; only finished and recovered episodes "
            "can be labelled"
        )
    return episode


def _event(db: Session, event_id: str) -> LabelEventRow | None:
    return db.scalars(select(LabelEventRow).where(LabelEventRow.event_id == event_id)).first()


def _is_repeat(db: Session, event_id: str, episode_id: str, kind: LabelKind) -> bool:
    present = _event(db, event_id)
    if present is None:
        return False
    if (present.episode_id, present.kind) != (episode_id, kind.value):
        raise LabelError(
            f"event_id {event_id} was used for a label of kind {present.kind} of episode "
            f"{present.episode_id}: make a new one for every label"
        )
    return True
