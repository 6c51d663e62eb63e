"""What people said of an episode, as a log of events, and what follows from it. No SQL, no files.

A label is never overwritten: every act appends an event, and the labels in force are what is left
when the log is folded. Undo and redo are events too, aimed at an earlier act of the same author;
they switch it off and on again at its old place in the log, so what others said in between stays.
Revert brings an episode back to what held after an earlier event; it is an act like any other and
can be undone.

Kinds that speak of a range of steps fit in: `LabelEvent` carries the range, and their fold adds a
field to `LabelsInForce`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from backend.domain import Outcome

MAX_TEXT = 4000


class LabelKind(StrEnum):
    """What an event says."""

    # {"outcome": "success" | "failure" | "none"}
    OUTCOME = "outcome"
    # {"excluded": bool, "reason": text}: left out of exports and training, never deleted.
    EXCLUDE = "exclude"
    # {"note": text}: for people; empty takes it away.
    NOTE = "note"
    # These three speak of another event, `target_id`.
    UNDO = "undo"
    REDO = "redo"
    REVERT = "revert"

    @property
    def is_act(self) -> bool:
        """Whether undo can take it back."""
        return self not in (LabelKind.UNDO, LabelKind.REDO)


class LabelError(ValueError):
    """A label that cannot be given. Says what came and what would be possible."""


@dataclass(frozen=True, kw_only=True)
class LabelEvent:
    """One line of the log; `id` orders it."""

    id: int
    episode_id: str
    author: str
    kind: LabelKind
    new: Mapping[str, Any] = field(default_factory=dict)
    # Undo, redo: the act. Revert: the last event that stays in force, None for none at all.
    target_id: int | None = None
    # Steps [start, end) for kinds that speak of a range.
    start_step: int | None = None
    end_step: int | None = None


@dataclass(frozen=True, kw_only=True)
class LabelsInForce:
    """What holds for one episode after all its events."""

    outcome: Outcome = Outcome.NONE
    excluded: bool = False
    exclude_reason: str = ""
    note: str = ""

    def said(self, kind: LabelKind) -> dict[str, Any]:
        """What an event of this kind would have to say to make things as they are."""
        by_kind: dict[LabelKind, dict[str, Any]] = {
            LabelKind.OUTCOME: {"outcome": self.outcome.value},
            LabelKind.EXCLUDE: {"excluded": self.excluded, "reason": self.exclude_reason},
            LabelKind.NOTE: {"note": self.note},
        }
        if kind in by_kind:
            return by_kind[kind]
        return {key: value for said in by_kind.values() for key, value in said.items()}


def check_label(kind: LabelKind, new: Mapping[str, Any]) -> dict[str, Any]:
    """What `new` says, complete and checked.

    Raises:
        LabelError: Unknown or missing words, naming them and what is possible.
    """
    match kind:
        case LabelKind.OUTCOME:
            _check_words(kind, new, required={"outcome"})
            if new["outcome"] not in [outcome.value for outcome in Outcome]:
                raise LabelError(
                    f"an outcome is one of {', '.join(Outcome)}, got {new['outcome']!r}"
                )
            return {"outcome": Outcome(new["outcome"]).value}
        case LabelKind.EXCLUDE:
            _check_words(kind, new, required={"excluded"}, optional={"reason"})
            if not isinstance(new["excluded"], bool):
                raise LabelError(f"excluded is true or false, got {new['excluded']!r}")
            reason = _text(new.get("reason", ""), "reason") if new["excluded"] else ""
            return {"excluded": new["excluded"], "reason": reason}
        case LabelKind.NOTE:
            _check_words(kind, new, required={"note"})
            return {"note": _text(new["note"], "note")}
        case _:
            raise LabelError(f"{kind} speaks of another event; it says nothing by itself")


def fold(events: Sequence[LabelEvent]) -> LabelsInForce:
    """The labels in force after `events`: one episode's log, or a beginning of it, oldest first."""
    off = _switched_off(events)
    labels = LabelsInForce()
    for position, event in enumerate(events):
        if event.kind.is_act and event.id not in off:
            labels = _after(labels, event, events[:position])
    return labels


def next_undo(events: Iterable[LabelEvent], author: str) -> LabelEvent | None:
    """The act that `author`'s undo would take back; None when there is none.

    Args:
        events: The log, oldest first: of one episode, or of all for an undo across episodes.
        author: Nobody undoes what somebody else said.
    """
    done, _ = _stacks(events, author)
    return done[-1] if done else None


def next_redo(events: Iterable[LabelEvent], author: str) -> LabelEvent | None:
    """The act that `author`'s redo would bring back; None when nothing was undone since."""
    _, undone = _stacks(events, author)
    return undone[-1] if undone else None


def _after(labels: LabelsInForce, event: LabelEvent, before: Sequence[LabelEvent]) -> LabelsInForce:
    match event.kind:
        case LabelKind.OUTCOME:
            return replace(labels, outcome=Outcome(event.new["outcome"]))
        case LabelKind.EXCLUDE:
            return replace(
                labels, excluded=event.new["excluded"], exclude_reason=event.new["reason"]
            )
        case LabelKind.NOTE:
            return replace(labels, note=event.new["note"])
        case _:
            kept = event.target_id or 0
            return fold([earlier for earlier in before if earlier.id <= kept])


def _switched_off(events: Iterable[LabelEvent]) -> set[int]:
    off: set[int] = set()
    for event in events:
        if event.kind is LabelKind.UNDO and event.target_id is not None:
            off.add(event.target_id)
        elif event.kind is LabelKind.REDO and event.target_id is not None:
            off.discard(event.target_id)
    return off


def _stacks(events: Iterable[LabelEvent], author: str) -> tuple[list[LabelEvent], list[LabelEvent]]:
    """Acts of `author` that undo and redo would reach next, the nearest last."""
    done: list[LabelEvent] = []
    undone: list[LabelEvent] = []
    for event in events:
        if event.author != author:
            continue
        if event.kind.is_act:
            done.append(event)
            undone.clear()
            continue
        giver, taker = (done, undone) if event.kind is LabelKind.UNDO else (undone, done)
        for act in [act for act in giver if act.id == event.target_id]:
            giver.remove(act)
            taker.append(act)
    return done, undone


def _check_words(
    kind: LabelKind,
    new: Mapping[str, Any],
    *,
    required: set[str],
    optional: frozenset[str] | set[str] = frozenset(),
) -> None:
    if not required <= new.keys() <= required | optional:
        raise LabelError(
            f"a label of kind {kind} says {', '.join(sorted(required | optional))}; "
            f"got {', '.join(sorted(new)) or 'nothing'}"
        )


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise LabelError(f"{name} is a text, got {value!r}")
    if len(value) > MAX_TEXT:
        raise LabelError(f"{name} may have {MAX_TEXT} characters, got {len(value)}")
    return value.strip()
