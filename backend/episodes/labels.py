"""What people said of an episode, as a log of events, and what follows from it. No SQL, no files.

A label is never overwritten: every act appends an event, and the labels in force are what is left
when the log is folded. Undo and redo are events too, aimed at earlier acts of the same author
(`label_undo.py` says at which); they switch them off and on again at their old place in the log, so
what others said in between stays. Revert brings an episode back to what held after an earlier
event; erase takes away one range. Both are acts like any other and can be undone.

How ranges of steps lie over each other is decided in `label_ranges.py`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from backend.domain import Outcome
from backend.episodes.label_ranges import LabelRange, RangeKind, visible_ranges

MAX_TEXT = 4000


class LabelKind(StrEnum):
    """What an event says."""

    # {"outcome": "success" | "failure" | "none"}
    OUTCOME = "outcome"
    # {"excluded": bool, "reason": text}: left out of exports and training, never deleted.
    EXCLUDE = "exclude"
    # {"note": text}: for people; empty takes it away.
    NOTE = "note"
    # {"step": n | null}: the episode ends after step n; null: where the recording does.
    TERMINAL = "terminal"
    # Of the steps [start_step, end_step): see `RangeKind`. A subtask says {"text": …}.
    MISTAKE = "mistake"
    RECOVERY = "recovery"
    CORRECTION = "correction"
    SUBTASK = "subtask"
    # Takes away the range that the event `target_id` made.
    ERASE = "erase"
    # These three speak of another event, `target_id`.
    UNDO = "undo"
    REDO = "redo"
    REVERT = "revert"

    @property
    def is_act(self) -> bool:
        """Whether undo can take it back."""
        return self not in (LabelKind.UNDO, LabelKind.REDO)

    @property
    def is_range(self) -> bool:
        """Whether it speaks of a range of steps."""
        return self.value in list(RangeKind)


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
    # Undo, redo: the act. Erase: the event that made the range. Revert: the last event that stays
    # in force, None for none at all.
    target_id: int | None = None
    # Steps [start, end) for kinds that speak of a range.
    start_step: int | None = None
    end_step: int | None = None
    # What events have in common that one act made together.
    bulk_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class LabelsInForce:
    """What holds for one episode after all its events."""

    outcome: Outcome = Outcome.NONE
    excluded: bool = False
    exclude_reason: str = ""
    note: str = ""
    # The last step that counts; None: the last one recorded.
    terminal_step: int | None = None
    # As they were said, oldest first; where they overlap, `ranges` tells what holds.
    said_ranges: tuple[LabelRange, ...] = ()

    @property
    def ranges(self) -> tuple[LabelRange, ...]:
        """Ranges that hold, by their first step."""
        return visible_ranges(self.said_ranges)

    def num_steps(self, recorded: int) -> int:
        """Steps that count, of an episode with so many recorded ones."""
        return recorded if self.terminal_step is None else min(recorded, self.terminal_step + 1)

    def said(self, kind: LabelKind) -> dict[str, Any]:
        """What an event of this kind would have to say to make things as they are."""
        ranges = {"ranges": [labelled.to_dict() for labelled in self.ranges]}
        match kind:
            case LabelKind.OUTCOME:
                return {"outcome": self.outcome.value}
            case LabelKind.EXCLUDE:
                return {"excluded": self.excluded, "reason": self.exclude_reason}
            case LabelKind.NOTE:
                return {"note": self.note}
            case LabelKind.TERMINAL:
                return {"step": self.terminal_step}
            case _ if kind.is_range or kind is LabelKind.ERASE:
                return ranges
            case _:
                return {
                    "outcome": self.outcome.value,
                    "excluded": self.excluded,
                    "reason": self.exclude_reason,
                    "note": self.note,
                    "terminal_step": self.terminal_step,
                    **ranges,
                }


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
        case LabelKind.TERMINAL:
            _check_words(kind, new, required={"step"})
            if new["step"] is not None and not _is_step(new["step"]):
                raise LabelError(f"step is a step's number or null, got {new['step']!r}")
            return {"step": new["step"]}
        case LabelKind.SUBTASK:
            _check_words(kind, new, required={"text"})
            if not (text := _text(new["text"], "text")):
                raise LabelError("a subtask says what is done in it: give a text")
            return {"text": text}
        case LabelKind.MISTAKE | LabelKind.RECOVERY | LabelKind.CORRECTION:
            _check_words(kind, new, required=set(), optional={"text"})
            return {"text": _text(new.get("text", ""), "text")}
        case LabelKind.ERASE:
            _check_words(kind, new, required=set())
            return {}
        case _:
            raise LabelError(f"{kind} speaks of another event; it says nothing by itself")


def check_steps(
    kind: LabelKind,
    new: Mapping[str, Any],
    *,
    start_step: int | None,
    end_step: int | None,
    num_steps: int,
) -> None:
    """Refuse steps that a label of this kind does not take or that the episode does not have.

    Args:
        kind: Of the label.
        new: What it says, checked.
        start_step: First step it speaks of.
        end_step: Step behind the last one.
        num_steps: Steps recorded.

    Raises:
        LabelError: Naming the steps and what is possible.
    """
    if kind is LabelKind.TERMINAL and new["step"] is not None and new["step"] >= num_steps:
        raise LabelError(
            f"step is one from 0 to {num_steps - 1}, the last one recorded, got {new['step']}"
        )
    if not kind.is_range:
        if (start_step, end_step) != (None, None):
            raise LabelError(f"a label of kind {kind} takes no start_step and no end_step")
        return
    if start_step is None or end_step is None or not 0 <= start_step < end_step <= num_steps:
        raise LabelError(
            f"a {kind} speaks of the steps from start_step up to, not including, end_step, within "
            f"0 to {num_steps}; got {start_step} and {end_step}"
        )


def fold(events: Sequence[LabelEvent]) -> LabelsInForce:
    """The labels in force after `events`: one episode's log, or a beginning of it, oldest first."""
    off = _switched_off(events)
    labels = LabelsInForce()
    for position, event in enumerate(events):
        if event.kind.is_act and event.id not in off:
            labels = _after(labels, event, events[:position])
    return labels


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
        case LabelKind.TERMINAL:
            return replace(labels, terminal_step=event.new["step"])
        case LabelKind.ERASE:
            kept = [said for said in labels.said_ranges if said.id != event.target_id]
            return replace(labels, said_ranges=tuple(kept))
        case LabelKind.REVERT:
            stays = event.target_id or 0
            return fold([earlier for earlier in before if earlier.id <= stays])
        case _:
            return replace(labels, said_ranges=(*labels.said_ranges, _range(event)))


def _range(event: LabelEvent) -> LabelRange:
    assert event.start_step is not None
    assert event.end_step is not None
    return LabelRange(
        id=event.id,
        kind=RangeKind(event.kind.value),
        start_step=event.start_step,
        end_step=event.end_step,
        text=event.new["text"],
        author=event.author,
    )


def _switched_off(events: Iterable[LabelEvent]) -> set[int]:
    off: set[int] = set()
    for event in events:
        if event.kind is LabelKind.UNDO and event.target_id is not None:
            off.add(event.target_id)
        elif event.kind is LabelKind.REDO and event.target_id is not None:
            off.discard(event.target_id)
    return off


def _check_words(
    kind: LabelKind,
    new: Mapping[str, Any],
    *,
    required: set[str],
    optional: frozenset[str] | set[str] = frozenset(),
) -> None:
    if not required <= new.keys() <= required | optional:
        raise LabelError(
            f"a label of kind {kind} says {', '.join(sorted(required | optional)) or 'nothing'}; "
            f"got {', '.join(sorted(new)) or 'nothing'}"
        )


def _is_step(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise LabelError(f"{name} is a text, got {value!r}")
    if len(value) > MAX_TEXT:
        raise LabelError(f"{name} may have {MAX_TEXT} characters, got {len(value)}")
    return value.strip()
