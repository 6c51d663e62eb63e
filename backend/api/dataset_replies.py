"""The nouns of the dataset routes."""

from typing import Any, Self

from pydantic import Field

from backend.api.job_replies import Job
from backend.api.messages import Documented
from backend.domain import Role
from backend.jobs.datasets import Dataset as FoundDataset
from backend.jobs.datasets import TrashedDataset


class Finding(Documented):
    """One thing that a health check says."""

    severity: str
    """`broken`, `warning` or `note`; then a word for programs, and three sentences for people."""
    code: str
    title: str
    detail: str
    remedy: str
    episodes: list[int]
    """Numbers of the episodes it concerns; empty: all of it."""


class Dataset(Documented):
    """One LeRobot dataset in the data directory, with what was done with it."""

    repo_id: str
    path: str
    changed_s: float
    size_bytes: int
    version: str
    """LeRobot's format; empty when it cannot be read."""
    fps: float | None
    robot_type: str
    cameras: list[str]
    columns: list[str]
    episodes: int
    frames: int
    problem: str
    """Why it cannot be read; empty when it can."""
    origin: Job | None = None
    """The export that wrote it or the import that downloaded it, if that was here."""
    health: Job | None = None
    """The newest health check; its result holds the findings."""
    imports: list[Job] = Field(default_factory=list)
    """Imports of it into the store, trainings that learned from it, and pushes; newest first."""
    trainings: list[Job] = Field(default_factory=list)
    pushes: list[Job] = Field(default_factory=list)

    @classmethod
    def of(cls, found: FoundDataset, **lineage: Any) -> Self:
        return cls(
            repo_id=found.repo_id,
            path=str(found.root),
            changed_s=found.changed_s,
            size_bytes=found.size_bytes,
            version=found.version,
            fps=found.fps,
            robot_type=found.robot_type,
            cameras=list(found.cameras),
            columns=list(found.columns),
            episodes=found.num_episodes,
            frames=found.num_frames,
            problem=found.problem,
            **lineage,
        )


class DatasetList(Documented):
    """All datasets, by name."""

    items: list[Dataset]
    total: int
    next_cursor: str | None = None
    role: Role
    """What you may do here."""


class DatasetDetail(Documented):
    """One dataset and its manifest."""

    dataset: Dataset
    manifest: dict[str, Any]
    """What the export that wrote it said: label revision, episodes, what was left out and why.
    Empty when it came from elsewhere."""


class Trashed(Documented):
    """One dataset in the trash."""

    trash_id: str
    repo_id: str
    trashed_s: float
    size_bytes: int

    @classmethod
    def of(cls, found: TrashedDataset) -> Self:
        return cls(
            trash_id=found.trash_id,
            repo_id=found.repo_id,
            trashed_s=found.trashed_s,
            size_bytes=found.size_bytes,
        )


class TrashList(Documented):
    """What is in the trash, newest first."""

    items: list[Trashed]
    total: int
    next_cursor: str | None = None


class Moved(Documented):
    """Where a dataset is now: its `trash_id` while it is in the trash, else empty."""

    repo_id: str
    trash_id: str


class ParamsBody(Documented):
    """Params of a job that is only thought of."""

    params: dict[str, Any] = Field(default_factory=dict)


class SkippedImport(Documented):
    """An episode of a dataset that an import leaves out, and why."""

    index: int
    reason: str


class ImportPreview(Documented):
    """What an import would bring into the store, found without writing anything."""

    repo_id: str
    path: str
    episodes: int
    frames: int
    human_frames: int
    fps: float
    robot_type: str
    cameras: list[str]
    joints: list[str]
    tasks: list[str]
    outcomes: dict[str, int]
    are_demonstrations: bool
    """Nothing in it says how episodes ended."""
    columns_left_out: list[str]
    skipped: list[SkippedImport]


class PushPreview(Documented):
    """What a push would upload, and where; nobody outside was asked."""

    repo_id: str
    to: str
    url: str
    private: bool
    files: int
    size_bytes: int
    folders: list[str]
    stays_here: list[str]
    """Files of the dataset that are not uploaded."""
    has_token: bool
    """Whether this server was started with a token for the Hub."""
