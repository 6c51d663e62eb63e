"""A data directory with graded episodes and a LeRobot dataset, made without LeRobot."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from backend.db.engine import Database, migrate, open_database, sqlite_url
from backend.domain import Outcome
from backend.episodes.format import CameraSize
from backend.episodes.video import VideoWriter
from backend.intake import reconcile
from tests.episodes.episode_fixtures import JOINTS, STARTED_S, frame_of, make_header, record

CAMERAS = {"overhead": CameraSize(width=96, height=64), "wrist": CameraSize(width=64, height=64)}


def record_graded(data_dir: Path, count: int = 4, *, num_steps: int = 14) -> list[str]:
    """Record `count` episodes, failures and successes in turn; return their ids."""
    ids = [f"e{number}" for number in range(count)]
    for number, id in enumerate(ids):
        record(
            data_dir / "episodes",
            make_header(id, started_s=STARTED_S + 60 * number),
            num_steps=num_steps + number,
            outcome=Outcome.SUCCESS if number % 2 else Outcome.FAILURE,
        )
    return ids


def prepared(data_dir: Path) -> Database:
    """Database of a data directory, with its episodes taken in."""
    migrate(sqlite_url(data_dir))
    database = open_database(sqlite_url(data_dir))
    reconcile(database, data_dir)
    return database


def write_orders(data_dir: Path, job_id: str, kind: str, **params: object) -> None:
    """Orders of a job that a child will carry out."""
    folder = data_dir / "jobs" / job_id
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"kind": kind, "params": params}))


def write_dataset(
    root: Path,
    lengths: tuple[int, ...] = (12, 9),
    *,
    version: str = "v3.0",
    columns: dict[str, list] | None = None,
    episode_ids: list[str] | None = None,
) -> Path:
    """Write a LeRobot v3 dataset; `columns` hold one value a row of all episodes."""
    count = sum(lengths)
    columns = columns or {}
    vector = {"dtype": "float32", "shape": [3], "names": list(JOINTS)}
    features = {
        "observation.state": vector,
        "action": vector,
        **{
            f"observation.images.{name}": {
                "dtype": "video",
                "shape": [size.height, size.width, 3],
                "names": ["height", "width", "channels"],
            }
            for name, size in CAMERAS.items()
        },
        **{name: {"dtype": "float32", "shape": [1], "names": None} for name in columns},
    }
    scalars = ("timestamp", "frame_index", "episode_index", "index", "task_index")
    features |= {name: {"dtype": "int64", "shape": [1], "names": None} for name in scalars}
    _write(
        root / "meta/info.json",
        {
            "codebase_version": version,
            "fps": 10,
            "features": features,
            "data_path": "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
            "video_path": "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4",
        },
    )
    if episode_ids is not None:
        _write(root / "manifest.json", {"episode_ids": episode_ids})
    starts = np.cumsum([0, *lengths])
    places = {
        "episode_index": list(range(len(lengths))),
        "tasks": [["Touch the red cube"]] * len(lengths),
        "length": list(lengths),
        "data/chunk_index": [0] * len(lengths),
        "data/file_index": [0] * len(lengths),
    }
    frames = np.concatenate([np.arange(length) for length in lengths])
    for name, size in CAMERAS.items():
        key = f"videos/observation.images.{name}"
        places[f"{key}/chunk_index"] = places[f"{key}/file_index"] = [0] * len(lengths)
        places[f"{key}/from_timestamp"] = [float(start) / 10 for start in starts[:-1]]
        path = root / key / "chunk-000/file-000.mp4"
        path.parent.mkdir(parents=True)
        video = VideoWriter(path, width=size.width, height=size.height, fps=10)
        for frame in frames:
            video.add(frame_of(int(frame), name, size))
        video.close()
    _table(root / "meta/episodes/chunk-000/file-000.parquet", places)
    vectors = pa.array(
        np.repeat(frames[:, None], 3, axis=1).astype(np.float32).tolist(),
        type=pa.list_(pa.float32(), 3),
    )
    _table(
        root / "data/chunk-000/file-000.parquet",
        {
            "observation.state": vectors,
            "action": vectors,
            "frame_index": frames,
            "episode_index": np.repeat(np.arange(len(lengths)), lengths),
            "index": np.arange(count),
            "task_index": np.zeros(count, dtype=int),
            "timestamp": frames / 10,
            **columns,
        },
    )
    return root


@pytest.fixture
def graded(tmp_path):
    """A data directory with four graded episodes, and its database."""
    data_dir = tmp_path / "data"
    record_graded(data_dir)
    database = prepared(data_dir)
    yield data_dir, database
    database.close()


def _write(path: Path, content: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def _table(path: Path, columns: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)
