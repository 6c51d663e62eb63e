"""Columns that follow from an episode's steps and the labels in force, computed when needed.

Reward scheme `sparse`: 1 at the last frame of a success, 0 everywhere else, as LeRobot's HIL-SERL
has it. An episode nobody has judged gives no reward and counts as truncated at its last frame. The
last frame is that of the last step that counts: people may have moved the end forward.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from backend.domain import Outcome
from backend.episodes.label_ranges import LabelRange, subtask_texts

REWARD_SCHEME = "sparse"
# LeRobot features of one number a frame. The human flag has two names in LeRobot's own tools.
OUTCOME_COLUMNS: Mapping[str, str] = MappingProxyType(
    {
        "next.reward": "float32",
        "next.done": "bool",
        "next.truncated": "bool",
        "next.success": "bool",
        "complementary_info.is_intervention": "float32",
        "intervention": "bool",
    }
)

# The subtask that people have named for a frame; exported where at least one has a name.
SUBTASK_COLUMN = "subtask"
EXPORT_COLUMNS: Mapping[str, str] = MappingProxyType({**OUTCOME_COLUMNS, SUBTASK_COLUMN: "string"})


def outcome_columns(is_human: np.ndarray, outcome: Outcome) -> dict[str, np.ndarray]:
    """All of `OUTCOME_COLUMNS` for one episode.

    Args:
        is_human: bool [n], n > 0: who drove each step that counts.
        outcome: The outcome in force.

    Returns:
        Arrays [n] of the dtypes that `OUTCOME_COLUMNS` names.
    """
    last = np.zeros(len(is_human), dtype=bool)
    last[-1] = True
    columns: dict[str, Any] = {
        "next.reward": last & (outcome is Outcome.SUCCESS),
        "next.done": last,
        "next.truncated": last & (outcome is Outcome.NONE),
        "next.success": last & (outcome is Outcome.SUCCESS),
        "complementary_info.is_intervention": is_human,
        "intervention": is_human,
    }
    return {name: columns[name].astype(dtype) for name, dtype in OUTCOME_COLUMNS.items()}


def export_columns(
    is_human: np.ndarray, outcome: Outcome, ranges: Sequence[LabelRange]
) -> dict[str, np.ndarray]:
    """All of `EXPORT_COLUMNS` for one episode.

    Args:
        is_human: bool [n], n > 0: who drove each step that counts.
        outcome: The outcome in force.
        ranges: The ranges in force; what lies behind step n does not count.

    Returns:
        Arrays [n]; a subtask is empty where nobody has named one.
    """
    subtasks = np.array(subtask_texts(ranges, len(is_human)), dtype=np.str_)
    return {**outcome_columns(is_human, outcome), SUBTASK_COLUMN: subtasks}
