"""Which checkpoints of a run stay, how much disk one needs, and deleting those that go.

The rule: the newest `keep` of the run stay whole, so that it can be resumed. Older ones go, except
the promoted one, those that drove an episode and those that a waiting job needs: these lose only
what resuming needs, which is most of their size. Nothing of other runs is touched.
"""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from backend.checkpoints import remove_folder

# Beside `pretrained_model`; see `learning.checkpoints`.
STATE_DIR = "training_state"
# Kept free beyond what a checkpoint needs, for the database, logs and recordings.
SPARE_BYTES = 512 * 1024**2


@dataclass(frozen=True, kw_only=True)
class Pruning:
    """What the rule says of a run's checkpoints, by step."""

    deleted: tuple[int, ...]
    # They stay without their training state.
    thinned: tuple[int, ...]


def prune_rule(steps: Sequence[int], *, keep: int, protected: Mapping[int, str]) -> Pruning:
    """Decide which checkpoints of a run go.

    Args:
        steps: Of all its finished checkpoints.
        keep: Newest ones that stay whole, at least 1.
        protected: Why some must not be deleted, by step.
    """
    older = sorted(steps)[:-keep]
    return Pruning(
        deleted=tuple(step for step in older if step not in protected),
        thinned=tuple(step for step in older if step in protected),
    )


def apply_pruning(
    pruning: Pruning, folder_of: Callable[[int], Path]
) -> tuple[list[int], list[int]]:
    """Delete what the rule says; return the steps that were deleted and thinned now."""
    thinned = []
    for step in pruning.thinned:
        state = folder_of(step) / STATE_DIR
        if state.is_dir():
            remove_folder(state)
            thinned.append(step)
    for step in pruning.deleted:
        remove_folder(folder_of(step))
    return list(pruning.deleted), thinned


def missing_bytes(folder: Path, needed: int) -> int:
    """How much disk is missing at `folder` for a checkpoint of that size; 0 when it fits."""
    return max(0, needed + SPARE_BYTES - shutil.disk_usage(folder).free)
