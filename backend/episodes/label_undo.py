"""Which acts an author's undo takes back next, and which redo brings back. Pure functions of a log.

Each author has two stacks, of what was done and of what was undone; a new act empties the second.
Nobody undoes what somebody else said. Events that were made together (they share a `bulk_id`) go
together: an undo of the newest takes all of them back, and a redo brings back exactly those that
one undo took. Looked at in one episode alone, only that episode's event goes.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from backend.episodes.labels import LabelEvent, LabelKind


@dataclass(frozen=True, kw_only=True)
class _Entry:
    act: LabelEvent
    # Of the event that put it onto its stack; None: it came alone.
    group: str | None


def next_undo(events: Iterable[LabelEvent], author: str) -> list[LabelEvent]:
    """The acts that `author`'s undo would take back, oldest first; empty when there is none.

    Args:
        events: The log, oldest first: of one episode, or of all for an undo across episodes.
        author: Whose acts.
    """
    done, _ = _stacks(events, author)
    return _top(done)


def next_redo(events: Iterable[LabelEvent], author: str) -> list[LabelEvent]:
    """The acts that `author`'s redo would bring back; empty when nothing was undone since."""
    _, undone = _stacks(events, author)
    return _top(undone)


def _top(stack: list[_Entry]) -> list[LabelEvent]:
    if not stack:
        return []
    group = stack[-1].group
    if group is None:
        return [stack[-1].act]
    return sorted((e.act for e in stack if e.group == group), key=lambda act: act.id)


def _stacks(events: Iterable[LabelEvent], author: str) -> tuple[list[_Entry], list[_Entry]]:
    """What undo and redo would reach, the nearest last."""
    done: dict[int, _Entry] = {}
    undone: dict[int, _Entry] = {}
    for event in events:
        if event.author != author:
            continue
        if event.kind.is_act:
            done[event.id] = _Entry(act=event, group=event.bulk_id)
            undone.clear()
            continue
        giver, taker = (done, undone) if event.kind is LabelKind.UNDO else (undone, done)
        entry = giver.pop(event.target_id or 0, None)
        if entry is not None:
            taker[entry.act.id] = _Entry(act=entry.act, group=event.bulk_id)
    return list(done.values()), list(undone.values())
