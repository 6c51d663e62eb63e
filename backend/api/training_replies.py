"""The nouns of the training routes: presets, sources, previews, advantages."""

from typing import Any, Literal

from pydantic import Field

from backend.api.checkpoint_replies import SourceCounts
from backend.api.job_replies import Skipped
from backend.api.messages import Documented


class ConfigField(Documented):
    """One field of a learner's config."""

    name: str
    """Dotted, as `overrides` of a training take it."""
    kind: Literal["integer", "number", "boolean", "text", "choice", "list", "object"]
    choices: list[str]
    optional: bool
    """Whether null is possible; what it means is in `about`."""
    about: str


class Preset(Documented):
    """A named learner config that a user may copy and change."""

    name: str
    about: str = ""
    config: dict[str, Any] = Field(default_factory=dict)
    total_steps: int = 0
    problem: str = ""
    """What is wrong with its file; empty when it can be used."""


class PresetList(Documented):
    """All presets, by name, and what their fields mean."""

    items: list[Preset]
    fields: list[ConfigField]
    total: int
    next_cursor: str | None = None


class TrainingSource(Documented):
    """Something a training can learn from, to be named in its `sources`."""

    kind: Literal["store", "dataset"]
    repo_id: str = ""
    """Of a dataset in the data directory; empty for the recorded episodes."""
    outcomes: dict[str, int]
    """Episodes by outcome; empty when the dataset cannot be read."""
    num_steps: int = 0
    problem: str = ""


class TrainingSourceList(Documented):
    """The recorded episodes, then the datasets in the data directory by name."""

    items: list[TrainingSource]
    total: int
    next_cursor: str | None = None


class PreviewBody(Documented):
    """The params of a training that nobody has started yet."""

    params: dict[str, Any] = Field(
        default_factory=dict,
        examples=[{"preset": "debug", "sources": [{"kind": "store", "episodes": "all"}]}],
    )


class TrainingPreview(Documented):
    """What a training with these params would do, found without starting it."""

    problem: str
    """Why it cannot be started; empty when it can."""
    config: dict[str, Any]
    """The whole config with everything that the start implies and the overrides laid over it."""
    total_steps: int
    run: str
    """Name of the run; empty when the job will choose one."""
    needs_hub: bool
    """Whether something named by its Hub id will be downloaded."""
    sources: list[SourceCounts]
    """Empty when they cannot be counted yet."""
    not_counted: list[str]
    """Datasets that are counted once they are downloaded."""
    episodes: int
    steps: int
    warnings: list[str]
    skipped: list[Skipped]
    label_revision: int


class AdvantageGroup(Documented):
    """Steps of one task in one source: how many have an advantage in each bin."""

    task: str
    source: str
    counts: list[int]
    """A number a bin, of the steps whose word their advantage decides."""
    num_forced: int
    """Steps that get the best word whatever their advantage is."""
    num_worst: int
    """Steps that get the worst word whatever their advantage is."""
    num_best: int
    """Steps that have the best word now, the forced ones included."""


class CalibrationPoint(Documented):
    """Steps whose value lies in one tenth of the range: what came of them."""

    value: float
    """Mean value said, and mean return that came true."""
    returned: float
    count: int


class Advantages(Documented):
    """The newest labelling of a training: enough to try other thresholds without touching it."""

    step: int
    """Optimiser step at which it was made."""
    mode: Literal["two", "five", "none"]
    words: list[str]
    """From worst to best."""
    bin_edges: list[float]
    """Ascending, one more than there are bins, in units of return."""
    groups: list[AdvantageGroup]
    thresholds: dict[str, float]
    """Two words: advantage above which a step is positive, by task."""
    word_edges: list[float]
    """Five words: advantages at which the word changes."""
    scaling: float
    """Five words: advantage at which tanh saturates; the last edge is atanh(0.8) times it."""
    positive_fraction: float
    """Two words: share of the steps that is meant to be positive, without the forced ones."""
    calibration: list[CalibrationPoint]
    """By value, lowest first; of judged episodes only."""
