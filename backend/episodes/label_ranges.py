"""Ranges of steps that people gave a kind, and what holds where they lie over each other.

Kinds lie in three layers. In one layer a step has one kind at most: the newer range takes the steps
it covers from the older ones, which may so be cut in two. Erase the newer one and the older is
whole again. Ranges of different layers do not touch each other.

- mistake and correction share a layer, because they say the opposite of a step;
- subtasks have one, because a step belongs to one subtask;
- recovery has one: it is kept for people and datasets and changes no word.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import numpy as np


class RangeKind(StrEnum):
    """What a person says of a range of steps."""

    # Wrong: chunks that begin here get the worst word.
    MISTAKE = "mistake"
    # On the way back from a mistake: the critic judges it like the rest.
    RECOVERY = "recovery"
    # Right, as if a person had driven: chunks that begin here get the best word.
    CORRECTION = "correction"
    # A part of the task, named by its text.
    SUBTASK = "subtask"

    @property
    def layer(self) -> str:
        """Kinds of one layer take steps from each other."""
        verdict = self in (RangeKind.MISTAKE, RangeKind.CORRECTION)
        return "verdict" if verdict else self.value


@dataclass(frozen=True, kw_only=True)
class LabelRange:
    """Steps [start_step, end_step) and what was said of them."""

    # Of the event that said it, which is what `erase` names.
    id: int
    kind: RangeKind
    start_step: int
    end_step: int
    text: str
    author: str

    def to_dict(self) -> dict[str, Any]:
        """Plain values, from which `range_from_dict` makes the same."""
        return {
            "id": self.id,
            "kind": self.kind.value,
            "start_step": self.start_step,
            "end_step": self.end_step,
            "text": self.text,
            "author": self.author,
        }


def range_from_dict(content: dict[str, Any]) -> LabelRange:
    """The range that `LabelRange.to_dict` told."""
    return LabelRange(**{**content, "kind": RangeKind(content["kind"])})


def visible_ranges(said: Sequence[LabelRange]) -> tuple[LabelRange, ...]:
    """What is left of ranges, oldest first, where newer ones of their layers lie over them.

    Returns:
        Ranges by their first step; those of one layer do not overlap.
    """
    left: list[LabelRange] = []
    for newer in said:
        left = [piece for older in left for piece in _without(older, newer)]
        left.append(newer)
    return tuple(sorted(left, key=lambda each: (each.start_step, each.kind.layer, each.id)))


def steps_of(ranges: Sequence[LabelRange], kind: RangeKind, num_steps: int) -> np.ndarray:
    """bool [num_steps]: the steps that visible ranges give this kind."""
    marked = np.zeros(num_steps, dtype=bool)
    for each in ranges:
        if each.kind is kind:
            marked[each.start_step : each.end_step] = True
    return marked


def subtask_texts(ranges: Sequence[LabelRange], num_steps: int) -> list[str]:
    """The subtask that each step belongs to; empty where nobody has named one."""
    texts = [""] * num_steps
    for each in ranges:
        if each.kind is RangeKind.SUBTASK:
            end = min(each.end_step, num_steps)
            texts[each.start_step : end] = [each.text] * max(0, end - each.start_step)
    return texts


def _without(older: LabelRange, newer: LabelRange) -> list[LabelRange]:
    if older.kind.layer != newer.kind.layer:
        return [older]
    pieces = (
        (older.start_step, min(older.end_step, newer.start_step)),
        (max(older.start_step, newer.end_step), older.end_step),
    )
    return [replace(older, start_step=start, end_step=end) for start, end in pieces if start < end]
