"""Writes an episode that was not recorded here into the store, whole or not at all.

The folder looks like a recorded one (`format.py`), so that everything that reads episodes reads it
too. What nobody measured is what a recording nominally has: `wall_s` counts from the episode's
start, `requested` is the action, there is no value. Its policy is the word `imported`.
"""

import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from backend.domain import Driver
from backend.episodes.columns import FRAME_WALL_PREFIX, schema_of
from backend.episodes.files import fsync_path, write_json
from backend.episodes.format import HEADER_FILE, STEPS_FILE, EpisodeEnd, EpisodeHeader
from backend.episodes.frames import Pictures
from backend.episodes.store import video_path, write_end
from backend.episodes.video_span import picture_size, take_span

# Stands where a recording says what drove; who drove each step is in the steps.
IMPORTED_POLICY = "imported"


@dataclass(frozen=True, kw_only=True)
class ImportedEpisode:
    """One episode as it comes from elsewhere; n steps."""

    header: EpisodeHeader
    end: EpisodeEnd
    # float32 [n, state dim] and [n, action dim]; bool [n].
    state: np.ndarray
    action: np.ndarray
    is_human: np.ndarray
    # One a camera of the header.
    pictures: Mapping[str, Pictures]


def camera_size(pictures: Pictures) -> tuple[int, int]:
    """Width and height that the store's video will have, pixels.

    Raises:
        FramesError, ValueError: They cannot be read.
    """
    if pictures.rows is None:
        width, height = picture_size(pictures.path)
    else:
        height, width = next(pictures.frames()).shape[:2]
    return width // 2 * 2, height // 2 * 2


def write_imported(episodes_dir: Path, episode: ImportedEpisode, *, owner: str) -> int:
    """Write the folder of `episode`; return how many of its videos were copied undecoded.

    Args:
        episodes_dir: Where episodes are.
        episode: What to write.
        owner: Names what is not finished, see `remove_unfinished`.

    Raises:
        FileExistsError: An episode of this id is there already.
        FramesError: A camera's pictures cannot be had.
        OSError: The disk did not take it.
    """
    folder = episodes_dir / episode.header.id
    if folder.exists():
        raise FileExistsError(f"episode {episode.header.id} exists already in {episodes_dir}")
    aside = episodes_dir / f".{owner}.{episode.header.id}"
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    try:
        write_json(aside / HEADER_FILE, asdict(episode.header))
        _write_steps(aside / STEPS_FILE, episode)
        copied = 0
        for camera, pictures in episode.pictures.items():
            copied += take_span(pictures, video_path(aside, camera))
            fsync_path(video_path(aside, camera))
        write_end(aside, episode.header, episode.end)
        aside.rename(folder)
        fsync_path(episodes_dir)
        return copied
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise


def remove_unfinished(episodes_dir: Path, owner: str) -> None:
    """Remove what a killed process of that name left half written."""
    for aside in episodes_dir.glob(f".{owner}.*"):
        shutil.rmtree(aside, ignore_errors=True)


def _write_steps(path: Path, episode: ImportedEpisode) -> None:
    schema = schema_of(episode.header)
    steps = np.arange(len(episode.state))
    timestamp_s = steps / episode.header.fps
    wall_s = episode.header.started_s + timestamp_s
    drivers = np.where(episode.is_human, Driver.HUMAN.value, Driver.POLICY.value)
    columns = {
        "step": pa.array(steps),
        "timestamp_s": pa.array(timestamp_s),
        "wall_s": pa.array(wall_s),
        "state": _vectors(episode.state),
        "action": _vectors(episode.action),
        "requested": _vectors(episode.action),
        "driver": pa.array(drivers.tolist(), pa.string()),
        "value": pa.nulls(len(steps), pa.float32()),
        "spread": pa.nulls(len(steps), pa.float32()),
        **{FRAME_WALL_PREFIX + camera: pa.array(wall_s) for camera in episode.header.cameras},
    }
    batch = pa.record_batch([columns[name] for name in schema.names], schema=schema)
    with path.open("wb") as file, pa.ipc.new_stream(file, schema) as stream:
        stream.write_batch(batch)
    fsync_path(path)


def _vectors(rows: np.ndarray) -> pa.Array:
    flat = np.ascontiguousarray(rows, dtype=np.float32).ravel()
    return pa.FixedSizeListArray.from_arrays(pa.array(flat), rows.shape[1])
