"""Label and revert: each appends a label event and brings the episode's row up to date."""

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
    check_steps,
    fold,
)
from backend.review.gathering import Gathered, append, event_from_row
from backend.review.rows import scores_of


class EpisodeNotFoundError(LookupError):
    """There is no episode of that id."""


class LabelConflictError(Exception):
    """Somebody else labelled the episode since the caller looked.

    Attributes:
        expected_revision: What the caller had seen.
        expected: What held then.
        present: What holds now, with the event that made it so.
    """

    def __init__(
        self, expected_revision: int, expected: LabelsInForce, present: "EpisodeLabels"
    ) -> None:
        self.expected_revision = expected_revision
        self.expected = expected
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
    # All episodes that the same act changed, this one included.
    changed: tuple[str, ...] = ()


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
    start_step: int | None = None,
    end_step: int | None = None,
    target_id: int | None = None,
) -> EpisodeLabels:
    """Say something of an episode; return what holds then.

    Args:
        db: A session of `Database.write()`.
        episode_id: Of a finished or recovered episode.
        kind: Anything but undo, redo and revert.
        new: See `LabelKind`.
        author: Who says so.
        source: Whence: `key`, `button`, `api`, `cli`, `review`, …
        created_s: When, Unix seconds.
        event_id: Made by the client; a repeat does nothing.
        expected_revision: Refuse if the episode has been labelled since this one; None: do not.
        start_step: First step of a range.
        end_step: Step behind its last one.
        target_id: The event whose range `erase` takes away.

    Raises:
        EpisodeNotFoundError: No such episode.
        LabelConflictError: See `expected_revision`.
        LabelError: The label makes no sense, or the episode cannot be labelled yet.
    """
    said = check_label(kind, new)
    episode = _labelable(db, episode_id)
    check_steps(kind, said, start_step=start_step, end_step=end_step, num_steps=episode.num_steps)
    rows = label_events(db, episode_id=episode_id)
    log = [event_from_row(row) for row in rows]
    before = _labels_after(episode_id, rows, log)
    if _is_repeat(db, event_id, episode_id, kind):
        return before
    if expected_revision is not None and expected_revision != before.revision:
        seen = fold([event for event in log if event.id <= expected_revision])
        raise LabelConflictError(expected_revision, seen, before)
    _check_target(kind, target_id, before.labels)
    event = LabelEventRow(
        event_id=event_id,
        episode_id=episode_id,
        created_s=created_s,
        author=author,
        kind=kind.value,
        start_step=start_step,
        end_step=end_step,
        old=before.labels.said(kind),
        new=said,
        source=source,
        target_id=target_id,
    )
    return _append(db, episode, log, event)


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
    rows = label_events(db, episode_id=episode_id)
    log = [event_from_row(row) for row in rows]
    if _is_repeat(db, event_id, episode_id, LabelKind.REVERT):
        return _labels_after(episode_id, rows, log)
    if revision and revision not in [row.id for row in rows]:
        raise LabelError(
            f"episode {episode_id} has no label event {revision}; it has "
            f"{', '.join(str(row.id) for row in rows) or 'none'}"
        )
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
    return _append(db, episode, log, event)


def current_labels(db: Session, episode_id: str) -> EpisodeLabels:
    """What holds for an episode now."""
    rows = label_events(db, episode_id=episode_id)
    return _labels_after(episode_id, rows, [event_from_row(row) for row in rows])


def history(db: Session, episode_id: str) -> Sequence[LabelEventRow]:
    """Everything that was ever said of an episode, oldest first.

    Raises:
        EpisodeNotFoundError: No such episode.
    """
    if db.get(EpisodeRow, episode_id) is None:
        raise EpisodeNotFoundError(f"there is no episode {episode_id}")
    return label_events(db, episode_id=episode_id)


def part_id(event_id: str, number: int) -> str:
    """Id of one of the events that one act makes: they begin with the act's own."""
    return f"{event_id}:{number}"


def find_event(db: Session, event_id: str) -> LabelEventRow | None:
    """The event of that id, or the first one of the act of that id."""
    wanted = LabelEventRow.event_id.in_((event_id, part_id(event_id, 0)))
    return db.scalars(select(LabelEventRow).where(wanted)).first()


def _append(
    db: Session, episode: EpisodeRow, log: list[LabelEvent], event: LabelEventRow
) -> EpisodeLabels:
    id = episode.id
    gathered = Gathered(
        episodes={id: episode}, logs={id: log}, scores={id: list(scores_of(db, id))}
    )
    present = append(db, [event], gathered)
    return EpisodeLabels(
        episode_id=id, labels=present[id], revision=event.id, newest=event, changed=(id,)
    )


def _labels_after(
    episode_id: str, rows: Sequence[LabelEventRow], log: Sequence[LabelEvent]
) -> EpisodeLabels:
    return EpisodeLabels(
        episode_id=episode_id,
        labels=fold(log),
        revision=rows[-1].id if rows else 0,
        newest=rows[-1] if rows else None,
        changed=(episode_id,),
    )


def _labelable(db: Session, episode_id: str) -> EpisodeRow:
    return check_labelable(db.get(EpisodeRow, episode_id), episode_id)


def check_labelable(episode: EpisodeRow | None, episode_id: str) -> EpisodeRow:
    """Return the episode.

    Raises:
        EpisodeNotFoundError: There is none.
        LabelError: It is not over yet.
    """
    if episode is None:
        raise EpisodeNotFoundError(f"there is no episode {episode_id}")
    if episode.state not in FINAL_STATES:
        raise LabelError(
            f"episode {episode_id} is {episode.state}; only finished and recovered episodes "
            "can be labelled"
        )
    return episode


def _check_target(kind: LabelKind, target_id: int | None, labels: LabelsInForce) -> None:
    if kind is not LabelKind.ERASE:
        if target_id is not None:
            raise LabelError(f"a label of kind {kind} takes no target_id")
        return
    in_force = [said.id for said in labels.said_ranges]
    if target_id not in in_force:
        raise LabelError(
            f"erase takes away a range, by the event that made it as target_id: "
            f"{', '.join(map(str, in_force)) or 'there is none'}; got {target_id}"
        )


def _is_repeat(db: Session, event_id: str, episode_id: str, kind: LabelKind) -> bool:
    present = find_event(db, event_id)
    if present is None:
        return False
    if (present.episode_id, present.kind) != (episode_id, kind.value):
        raise LabelError(
            f"event_id {event_id} was used for a label of kind {present.kind} of episode "
            f"{present.episode_id}: make a new one for every label"
        )
    return True
