"""Undo and redo: what an author said last, in one episode or anywhere.

Both append events, too. What they reach is decided in `episodes.label_undo`; here it is found
without reading an author's whole log, which may be long.
"""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.db.models import LabelEventRow
from backend.db.queries import label_events
from backend.episodes.label_undo import next_redo, next_undo
from backend.episodes.labels import LabelError, LabelEvent, LabelKind, fold
from backend.review.acts import (
    EpisodeLabels,
    check_labelable,
    current_labels,
    find_event,
    part_id,
)
from backend.review.gathering import append, event_from_row, gather

# Newest events of an author that nearly always tell what undo reaches next.
RECENT = 200


class NothingToUndoError(LabelError):
    """This author has nothing left to undo or redo there."""


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

    What was said in bulk is taken back in bulk, unless one episode is named.

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


def _switch(
    db: Session,
    kind: LabelKind,
    author: str,
    source: str,
    created_s: float,
    event_id: str,
    episode_id: str | None,
) -> EpisodeLabels:
    known = find_event(db, event_id)
    if known is not None:
        return current_labels(db, known.episode_id)
    targets = _within_reach(db, kind, author, episode_id)
    if not targets:
        where = f" in episode {episode_id}" if episode_id else ""
        raise NothingToUndoError(f"{author} has nothing to {kind}{where}")
    together = len(targets) > 1
    gathered = gather(db, [target.episode_id for target in targets])
    events = []
    for number, target in enumerate(targets):
        id = target.episode_id
        check_labelable(gathered.episodes.get(id), id)
        log = gathered.logs[id]
        switch = LabelEvent(
            id=log[-1].id + 1, episode_id=id, author=author, kind=kind, target_id=target.id
        )
        events.append(
            LabelEventRow(
                event_id=part_id(event_id, number) if together else event_id,
                episode_id=id,
                created_s=created_s,
                author=author,
                kind=kind.value,
                start_step=None,
                end_step=None,
                old=fold(log).said(kind),
                new=fold([*log, switch]).said(kind),
                source=source,
                target_id=target.id,
                bulk_id=event_id if together else None,
            )
        )
    present = append(db, events, gathered)
    newest = events[-1]
    return EpisodeLabels(
        episode_id=newest.episode_id,
        labels=present[newest.episode_id],
        revision=newest.id,
        newest=newest,
        changed=tuple(target.episode_id for target in targets),
    )


def _within_reach(
    db: Session, kind: LabelKind, author: str, episode_id: str | None
) -> list[LabelEvent]:
    """The acts that undo or redo reaches next; looks at an author's newest events first."""
    find = next_undo if kind is LabelKind.UNDO else next_redo
    if episode_id is None:
        statement = select(LabelEventRow).where(LabelEventRow.author == author)
        rows = db.scalars(statement.order_by(LabelEventRow.id.desc()).limit(RECENT)).all()
        recent = _since_the_unknown([event_from_row(row) for row in reversed(rows)])
        acts = find(recent, author)
        if len(rows) < RECENT or _are_certain(acts, kind, recent):
            return acts
    log = {row.id: row for row in label_events(db, episode_id=episode_id, author=author)}
    if kind is LabelKind.REDO and (newest := _newest_act(db, author)) is not None:
        # Of whichever episode, it empties the stack of what was undone.
        log[newest.id] = newest
    return find([event_from_row(log[id]) for id in sorted(log)], author)


def _newest_act(db: Session, author: str) -> LabelEventRow | None:
    moves = (LabelKind.UNDO.value, LabelKind.REDO.value)
    theirs = select(LabelEventRow).where(
        LabelEventRow.author == author, LabelEventRow.kind.not_in(moves)
    )
    return db.scalars(theirs.order_by(LabelEventRow.id.desc()).limit(1)).first()


def _since_the_unknown(recent: list[LabelEvent]) -> list[LabelEvent]:
    """The newest of these events that speak of nothing older than the first of them."""
    first = 0
    known = {event.id: position for position, event in enumerate(recent)}
    for position, event in enumerate(recent):
        if not event.kind.is_act and known.get(event.target_id or 0, -1) < first:
            first = position + 1
    return recent[first:]


def _are_certain(acts: Sequence[LabelEvent], kind: LabelKind, recent: Sequence[LabelEvent]) -> bool:
    """Whether events before `recent`, which speak of nothing older, could change the answer."""
    if not acts:
        # An act empties the stack of what was undone.
        return kind is LabelKind.REDO and any(event.kind.is_act for event in recent)
    # What was moved together may reach back any number of events.
    moves = [e for e in recent if acts[-1].id in (e.id, e.target_id)]
    return moves[-1].bulk_id is None
