"""What an import would bring into the store, decided from the dataset's tables alone.

The same plan answers a dry run, in the server and without LeRobot, and directs the job. An episode
keeps its id from import to import: it follows from the dataset's name, the episode's number and
what it holds. So importing again adds nothing, a dataset that has grown adds what is new, and
another dataset under an old name is not mistaken for the old one.
"""

import hashlib
import uuid
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy.orm import Session

from backend.db.models import EpisodeRow
from backend.domain import Outcome
from backend.episodes.format import EPISODES_DIR
from backend.episodes.lerobot_folder import DatasetFolderError, LeRobotFolder
from backend.jobs.importing_params import ImportParams

NAMESPACE = uuid.UUID("6ab5a0f2-6f0f-5c8e-9d1c-3f6b3b0f8a51")


@dataclass(frozen=True, kw_only=True)
class PlannedImport:
    """One episode of the dataset that is not in the store yet."""

    id: str
    index: int
    task: str
    num_steps: int
    num_human_steps: int
    outcome: Outcome


@dataclass(frozen=True, kw_only=True)
class ImportPlan:
    """Everything that will come in, and what will not."""

    params: ImportParams
    folder: LeRobotFolder
    episodes: tuple[PlannedImport, ...]
    # Why not, by episode's number.
    skipped: Mapping[int, str]

    @property
    def counts_as_human(self) -> bool:
        """Whether every step counts as driven by a person."""
        return self.params.outcomes == "success" and not self.folder.says_who_drove

    def summary(self) -> dict[str, Any]:
        """The answer to a dry run, and the head of the job's result."""
        folder = self.folder
        return {
            "repo_id": self.params.repo_id,
            "path": str(self.params.root),
            "episodes": len(self.episodes),
            "frames": sum(episode.num_steps for episode in self.episodes),
            "human_frames": sum(episode.num_human_steps for episode in self.episodes),
            "fps": folder.fps,
            "robot_type": folder.robot_type,
            "cameras": list(folder.cameras),
            "joints": list(folder.action_names),
            "tasks": sorted({episode.task for episode in self.episodes}),
            "outcomes": dict(Counter(episode.outcome.value for episode in self.episodes)),
            "are_demonstrations": any(e.is_demonstration for e in folder.episodes),
            "columns_left_out": folder.unread_columns,
            "skipped": [{"index": index, "reason": why} for index, why in self.skipped.items()],
        }


def make_import_plan(db: Session, data_dir: Path, params: ImportParams) -> ImportPlan:
    """Decide what an import brings in.

    Raises:
        DatasetFolderError: There is no such dataset, or it cannot be read.
    """
    # Without rewards a dataset is a set of demonstrations only if a person says so.
    folder = LeRobotFolder(params.root, judged=params.outcomes == "stored")
    sources = folder.source_ids
    skipped: dict[int, str] = {}
    found: list[PlannedImport] = []
    for episode in folder.episodes:
        id = import_id(params.repo_id, folder, episode.index)
        source = sources.get(episode.index)
        if (data_dir / EPISODES_DIR / id).is_dir():
            skipped[episode.index] = f"is in the store already, as {id}"
        elif source is not None and db.get(EpisodeRow, source) is not None:
            skipped[episode.index] = f"was exported from episode {source}, which is here"
        elif episode.num_steps == 0:
            skipped[episode.index] = "has no steps"
        else:
            outcome = Outcome.NONE if episode.is_demonstration else episode.outcome
            human_steps = episode.num_human_steps
            if params.outcomes == "success":
                outcome = Outcome.SUCCESS
                human_steps = human_steps if folder.says_who_drove else episode.num_steps
            found.append(
                PlannedImport(
                    id=id,
                    index=episode.index,
                    task=episode.task,
                    num_steps=episode.num_steps,
                    num_human_steps=human_steps,
                    outcome=outcome,
                )
            )
    return ImportPlan(params=params, folder=folder, episodes=tuple(found), skipped=skipped)


def import_id(repo_id: str, folder: LeRobotFolder, index: int) -> str:
    """The id under which an episode of this dataset is kept in the store."""
    digest = hashlib.sha256()
    for rows in (folder.states(index), folder.actions(index)):
        digest.update(np.ascontiguousarray(rows).tobytes())
    return str(uuid.uuid5(NAMESPACE, f"{repo_id}#{index}#{digest.hexdigest()}"))


__all__ = ["DatasetFolderError", "ImportPlan", "PlannedImport", "import_id", "make_import_plan"]
