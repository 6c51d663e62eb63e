"""One episode as a training sees it before its arrays are read."""

from dataclasses import dataclass

from backend.domain import Outcome
from backend.episodes.label_ranges import LabelRange


@dataclass(frozen=True, kw_only=True)
class TrainEpisode:
    """One episode that will be learned from."""

    id: str
    # Position of its source among the params' sources.
    source: int
    # What made it: a policy, a checkpoint, a dataset.
    origin: str
    # Folder of the dataset and index in it; None for recorded episodes.
    dataset: str | None
    index: int | None
    task: str
    fps: float
    # Steps that count.
    num_steps: int
    num_human_steps: int
    # The outcome in force; `none`: nobody judged it.
    outcome: Outcome
    # Newest label event of this episode; 0 for datasets.
    label_revision: int
    is_demonstration: bool
    # What must be alike in all episodes of a run.
    shape: str
    # Names of the action's dimensions, in order; empty when unknown.
    joints: tuple[str, ...] = ()
    # Steps recorded behind those that count, because a label moved the end forward.
    num_behind: int = 0
    # What people said of its steps.
    ranges: tuple[LabelRange, ...] = ()

    @property
    def num_recorded(self) -> int:
        """All steps, also those that do not count."""
        return self.num_steps + self.num_behind
