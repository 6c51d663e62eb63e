"""The LeRobot datasets in the data directory: found by their folders, moved to the trash and back.

The folders are the truth; a row of the table of datasets tells who made one. Nothing is deleted:
the trash is a folder under `discarded/`, by the time at which each dataset went there.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.episodes.files import fsync_path
from backend.episodes.lerobot_folder import CAMERA_PREFIX, MANIFEST_FILE
from backend.episodes.recovery import DISCARDED_DIR
from backend.jobs.export_params import DATASETS_DIR, REPO_ID, dataset_path
from backend.jobs.importing_params import INFO_FILE

TRASH_DIR = f"{DISCARDED_DIR}/{DATASETS_DIR}"


class DatasetNotFoundError(LookupError):
    """There is no dataset of that name, here or in the trash."""


class DatasetTakenError(Exception):
    """A dataset of that name is there already. Says what to do."""


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """What a dataset says of itself."""

    repo_id: str
    root: Path
    # Unix seconds at which it was last written.
    changed_s: float
    size_bytes: int
    # LeRobot's format, `v3.0`; empty when it cannot be read.
    version: str
    fps: float | None
    robot_type: str
    cameras: tuple[str, ...]
    columns: tuple[str, ...]
    num_episodes: int
    num_frames: int
    # Why it cannot be read; empty when it can.
    problem: str = ""


@dataclass(frozen=True, kw_only=True)
class TrashedDataset:
    """One dataset in the trash."""

    # Names the trashed folder; the same dataset may be there several times.
    trash_id: str
    repo_id: str
    trashed_s: float
    size_bytes: int


def find_datasets(data_dir: Path) -> list[Dataset]:
    """All datasets, by name; those that cannot be read too."""
    root = data_dir / DATASETS_DIR
    # Exports and downloads under way are hidden folders.
    folders = sorted(info.parents[1] for info in root.glob("[!.]*/[!.]*/meta/info.json"))
    return [_look_at(folder, folder.relative_to(root).as_posix()) for folder in folders]


def find_dataset(data_dir: Path, repo_id: str) -> Dataset:
    """The dataset of that name.

    Raises:
        DatasetNotFoundError: There is none.
    """
    if (
        not REPO_ID.fullmatch(repo_id)
        or not (dataset_path(data_dir, repo_id) / INFO_FILE).is_file()
    ):
        raise DatasetNotFoundError(f"there is no dataset {repo_id}")
    return _look_at(dataset_path(data_dir, repo_id), repo_id)


def read_manifest(dataset: Dataset) -> dict[str, Any]:
    """What the export that wrote it said of it; empty when it came from elsewhere."""
    try:
        content = json.loads((dataset.root / MANIFEST_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def trash_dataset(data_dir: Path, repo_id: str, *, now_s: float) -> str:
    """Move a dataset to the trash; return its name there.

    Raises:
        DatasetNotFoundError: There is none of that name.
    """
    dataset = find_dataset(data_dir, repo_id)
    trash_id = str(round(now_s * 1000))
    destination = data_dir / TRASH_DIR / trash_id / repo_id
    _move(dataset.root, destination)
    return trash_id


def trashed_datasets(data_dir: Path) -> list[TrashedDataset]:
    """What is in the trash, newest first."""
    root = data_dir / TRASH_DIR
    found = []
    for info in root.glob(f"*/*/*/{INFO_FILE}"):
        trash_id, *name = info.relative_to(root).parts[:3]
        if trash_id.isdecimal():
            found.append(
                TrashedDataset(
                    trash_id=trash_id,
                    repo_id="/".join(name),
                    trashed_s=int(trash_id) / 1000,
                    size_bytes=_size(info.parents[1]),
                )
            )
    return sorted(found, key=lambda each: each.trashed_s, reverse=True)


def restore_dataset(data_dir: Path, trash_id: str) -> str:
    """Bring a dataset back from the trash; return its name.

    Raises:
        DatasetNotFoundError: It is not in the trash.
        DatasetTakenError: A dataset of that name is there again.
    """
    found = [each for each in trashed_datasets(data_dir) if each.trash_id == trash_id]
    if not found:
        raise DatasetNotFoundError(f"there is nothing {trash_id} in the trash")
    repo_id = found[0].repo_id
    destination = dataset_path(data_dir, repo_id)
    if destination.exists():
        raise DatasetTakenError(
            f"there is a dataset {repo_id} again: move that one to the trash first"
        )
    _move(data_dir / TRASH_DIR / trash_id / repo_id, destination)
    return repo_id


def _move(source: Path, destination: Path) -> None:
    destination.parent.mkdir(parents=True, exist_ok=True)
    source.rename(destination)
    fsync_path(destination.parent)
    fsync_path(source.parent)


def _look_at(root: Path, repo_id: str) -> Dataset:
    path = root / INFO_FILE
    problem, info = "", {}
    try:
        info = json.loads(path.read_text(encoding="utf-8"))
        features = list(info["features"])
        numbers = (
            float(info["fps"]),
            int(info.get("total_episodes") or 0),
            int(info.get("total_frames") or 0),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        problem = f"{INFO_FILE} cannot be read: {type(error).__name__} {error}"
        features, numbers = [], (0.0, 0, 0)
    return Dataset(
        repo_id=repo_id,
        root=root,
        changed_s=path.stat().st_mtime,
        size_bytes=_size(root),
        version=str(info.get("codebase_version", "")) if isinstance(info, dict) else "",
        fps=numbers[0] or None,
        robot_type=str(info.get("robot_type") or "") if isinstance(info, dict) else "",
        cameras=tuple(
            name.removeprefix(CAMERA_PREFIX) for name in features if name.startswith(CAMERA_PREFIX)
        ),
        columns=tuple(features),
        num_episodes=numbers[1],
        num_frames=numbers[2],
        problem=problem,
    )


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
