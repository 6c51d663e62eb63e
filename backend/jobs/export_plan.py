"""What an export would write, decided from the database and the episodes' headers alone.

The same plan answers a dry run, in the server and without LeRobot, and directs the job. Every
episode that was asked for is either in it or named with the reason why not.
"""

import uuid
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.db.models import DatasetRow, EpisodeRow, JobRow
from backend.db.queries import (
    FINAL_STATES,
    all_episodes,
    label_events,
    newest_label_revision,
)
from backend.domain import EpisodeState, Outcome
from backend.episodes.format import EPISODES_DIR, STEPS_FILE, EpisodeHeader
from backend.episodes.label_ranges import RangeKind
from backend.episodes.labels import LabelEvent, LabelsInForce, fold
from backend.episodes.outcomes import REWARD_SCHEME, SUBTASK_COLUMN
from backend.episodes.store import EpisodeFormatError, read_header, video_path
from backend.jobs.export_params import ExportParams, ExportParamsError
from backend.review import event_from_row


@dataclass(frozen=True, kw_only=True)
class PlannedEpisode:
    """One episode that will be written."""

    folder: Path
    header: EpisodeHeader
    labels: LabelsInForce
    # Steps that count, of those that were recorded.
    num_steps: int
    num_recorded: int
    num_bytes: int


@dataclass(frozen=True, kw_only=True)
class ExportPlan:
    """Everything that will be written, and what will not."""

    params: ExportParams
    # Oldest first.
    episodes: tuple[PlannedEpisode, ...]
    # Why, by episode id.
    skipped: Mapping[str, str]
    # Newest label event that was taken into account.
    label_revision: int

    @property
    def num_frames(self) -> int:
        return sum(episode.num_steps for episode in self.episodes)

    @property
    def num_bytes(self) -> int:
        """Size of the sources, of which the videos are copied as they are."""
        return sum(episode.num_bytes for episode in self.episodes)

    @property
    def unlabeled(self) -> list[str]:
        """Episodes that go out without a judgement: no reward, no success."""
        return [e.header.id for e in self.episodes if e.labels.outcome is Outcome.NONE]

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that follow from labels; `subtask` only where somebody has named one."""
        named = RangeKind.SUBTASK.value in self.ranges
        return tuple(c for c in self.params.columns if c != SUBTASK_COLUMN or named)

    @property
    def ranges(self) -> dict[str, int]:
        """How many ranges of each kind lie in the steps that are written."""
        return dict(
            Counter(
                each.kind.value
                for e in self.episodes
                for each in e.labels.ranges
                if each.start_step < e.num_steps
            )
        )

    def summary(self) -> dict[str, Any]:
        """The answer to a dry run, and the head of the manifest."""
        header = self.episodes[0].header if self.episodes else None
        cameras = list(header.cameras) if header else []
        return {
            "repo_id": self.params.repo_id,
            "episodes": len(self.episodes),
            "frames": self.num_frames,
            "bytes": self.num_bytes,
            "fps": header.fps if header else None,
            "robot_type": header.robot_type if header else None,
            "tasks": sorted({e.header.task for e in self.episodes}),
            "columns": [
                "observation.state",
                *(f"observation.images.{camera}" for camera in cameras),
                "action",
                *self.columns,
            ],
            "ranges": self.ranges,
            "frames_behind_end": sum(e.num_recorded - e.num_steps for e in self.episodes),
            "reward_scheme": REWARD_SCHEME,
            "outcomes": dict(Counter(e.labels.outcome.value for e in self.episodes)),
            "unlabeled": self.unlabeled,
            "skipped": [{"id": id, "reason": why} for id, why in self.skipped.items()],
            "label_revision": self.label_revision,
        }


def make_plan(db: Session, data_dir: Path, params: ExportParams) -> ExportPlan:
    """Decide what an export writes.

    Raises:
        ExportParamsError: An episode that was asked for by id does not exist.
    """
    rows = all_episodes(db, params.wanted)
    if params.wanted.ids is not None:
        missing = sorted(set(params.wanted.ids) - {row.id for row in rows})
        if missing:
            raise ExportParamsError(f"there is no episode {', '.join(missing)}")
    logs: dict[str, list[LabelEvent]] = defaultdict(list)
    for event in label_events(db):
        logs[event.episode_id].append(event_from_row(event))
    skipped: dict[str, str] = {}
    found: list[PlannedEpisode] = []
    for row in rows:
        labels = fold(logs[row.id])
        why = _why_not(row, labels)
        if why:
            skipped[row.id] = why
            continue
        try:
            found.append(_look_at(data_dir / EPISODES_DIR / row.id, row, labels))
        except (EpisodeFormatError, OSError) as error:
            skipped[row.id] = f"cannot be read: {error}"
    fitting = _fitting(found, skipped)
    return ExportPlan(
        params=params,
        episodes=tuple(fitting),
        skipped=skipped,
        label_revision=newest_label_revision(db),
    )


def record(db: Session, job: JobRow) -> None:
    """Enter a finished export into the table of datasets."""
    result = job.result
    row = db.scalars(select(DatasetRow).where(DatasetRow.repo_id == result["repo_id"])).first()
    if row is None:
        row = DatasetRow(id=uuid.uuid4().hex, repo_id=result["repo_id"])
        db.add(row)
    row.job_id = job.id
    row.created_s = result["created_s"]
    row.num_episodes = result["episodes"]
    row.num_frames = result["frames"]
    row.size_bytes = result["size_bytes"]
    row.label_revision = result["label_revision"]
    row.manifest = result


def _why_not(row: EpisodeRow, labels: LabelsInForce) -> str:
    if row.state == EpisodeState.UNFINISHED:
        return "unfinished: recover it first"
    if row.state not in FINAL_STATES:
        return row.state
    if labels.excluded:
        return f"excluded: {labels.exclude_reason}" if labels.exclude_reason else "excluded"
    if row.num_steps == 0:
        return "has no steps"
    if row.fps != round(row.fps):
        return f"was recorded at {row.fps:g} Hz; LeRobot datasets have whole frames a second"
    return ""


def _look_at(folder: Path, row: EpisodeRow, labels: LabelsInForce) -> PlannedEpisode:
    header = read_header(folder)
    files = [folder / STEPS_FILE, *(video_path(folder, camera) for camera in header.cameras)]
    return PlannedEpisode(
        folder=folder,
        header=header,
        labels=labels,
        num_steps=labels.num_steps(row.num_steps),
        num_recorded=row.num_steps,
        num_bytes=sum(file.stat().st_size for file in files),
    )


def _fitting(found: Sequence[PlannedEpisode], skipped: dict[str, str]) -> list[PlannedEpisode]:
    """Episodes that fit into one dataset: those like most others, by steps."""
    steps: Counter[str] = Counter()
    for episode in found:
        steps[_shape(episode.header)] += episode.num_steps
    common = max(steps, key=lambda shape: steps[shape], default="")
    fitting = []
    for episode in found:
        shape = _shape(episode.header)
        if shape == common:
            fitting.append(episode)
        else:
            skipped[episode.header.id] = f"is of another robot ({shape}) than most ({common})"
    return fitting


def _shape(header: EpisodeHeader) -> str:
    cameras = ", ".join(
        f"{name} {size.width}x{size.height}" for name, size in sorted(header.cameras.items())
    )
    joints = f"{len(header.state_names)} states, {' '.join(header.action_names)}"
    return f"{header.robot_type}, {header.fps:g} Hz, {cameras or 'no cameras'}, {joints}"
