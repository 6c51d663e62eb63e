"""Takes whose recorder died: found, then kept as far as they are whole, or put aside.

A take is unfinished when its folder has no `episode.json` and no living process holds its lock.
Recovering cuts steps and videos to their common whole length, each by rename, and makes the folder
final; it can be repeated after a crash in the middle. Discarding moves the folder to a trash
folder. Nothing is deleted here.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from backend.domain import EndReason, Outcome
from backend.episodes import remux
from backend.episodes.columns import EpisodeSteps, steps_from_table
from backend.episodes.files import LOCK_FILE, fsync_path, is_locked, take_lock
from backend.episodes.format import FINAL_FILE, STEPS_FILE, EpisodeEnd, EpisodeHeader
from backend.episodes.store import (
    EpisodeFormatError,
    read_end,
    read_header,
    read_table,
    video_path,
    write_end,
)

DISCARDED_DIR = "discarded"


class RecoveryError(Exception):
    """A take that cannot be recovered or discarded. Says why and what to do."""


@dataclass(frozen=True, kw_only=True)
class UnfinishedTake:
    """A take that waits for a person's decision."""

    id: str
    folder: Path
    # None when the recorder died before it could even write the header.
    header: EpisodeHeader | None
    # Steps of which everything is whole; 0 means that there is nothing to recover.
    num_steps: int
    size_bytes: int


def find_unfinished(episodes_dir: Path) -> list[UnfinishedTake]:
    """All unfinished takes, oldest first."""
    if not episodes_dir.is_dir():
        return []
    takes = [
        _look_at(folder)
        for folder in episodes_dir.iterdir()
        if folder.is_dir()
        and not folder.name.startswith(".")
        and not (folder / FINAL_FILE).exists()
        and not is_locked(folder)
    ]
    return sorted(takes, key=lambda take: (take.header.started_s if take.header else 0.0, take.id))


def recover(folder: Path) -> EpisodeEnd:
    """Make the take final with all its whole steps; does nothing to one that is final already.

    Raises:
        RecoveryError: It is still being recorded, or holds no whole step.
    """
    try:
        lock = take_lock(folder / LOCK_FILE)
    except FileNotFoundError as error:
        raise RecoveryError(f"there is no take at {folder}") from error
    except BlockingIOError as error:
        raise RecoveryError(f"take {folder.name} is still being recorded") from error
    try:
        end = read_end(folder)
        if end is None:
            end = _recover_locked(folder)
        return end
    except EpisodeFormatError as error:
        raise RecoveryError(f"take {folder.name} cannot be recovered: {error}") from error
    finally:
        (folder / LOCK_FILE).unlink(missing_ok=True)
        os.close(lock)


def discard(folder: Path, trash_dir: Path) -> Path:
    """Move an unfinished take to `trash_dir`; return where it is now.

    Raises:
        RecoveryError: It is still being recorded, or it is a finished episode.
    """
    if not folder.is_dir():
        raise RecoveryError(f"there is no take at {folder}")
    if (folder / FINAL_FILE).exists():
        raise RecoveryError(
            f"episode {folder.name} is finished: exclude it from training instead of discarding it"
        )
    if is_locked(folder):
        raise RecoveryError(f"take {folder.name} is still being recorded")
    trash_dir.mkdir(parents=True, exist_ok=True)
    destination = trash_dir / folder.name
    folder.rename(destination)
    fsync_path(trash_dir)
    fsync_path(folder.parent)
    return destination


def _look_at(folder: Path) -> UnfinishedTake:
    try:
        header = read_header(folder)
        num_steps = _whole_length(folder, header, read_table(folder).num_rows)
    except EpisodeFormatError:
        header, num_steps = None, 0
    return UnfinishedTake(
        id=folder.name,
        folder=folder,
        header=header,
        num_steps=num_steps,
        size_bytes=sum(file.stat().st_size for file in folder.iterdir()),
    )


def _whole_length(folder: Path, header: EpisodeHeader, num_rows: int) -> int:
    counts = [remux.count_frames(video_path(folder, camera)) for camera in header.cameras]
    return min([num_rows, *counts])


def _recover_locked(folder: Path) -> EpisodeEnd:
    header = read_header(folder)
    table = read_table(folder)
    num_steps = _whole_length(folder, header, table.num_rows)
    if num_steps == 0:
        raise RecoveryError(f"take {folder.name} holds no whole step: discard it")
    for camera in header.cameras:
        source = video_path(folder, camera)
        aside = source.with_name(source.name + ".tmp")
        remux.cut(source, num_steps, aside)
        fsync_path(aside)
        aside.replace(source)
    table = table.slice(0, num_steps)
    _write_table(table, folder / STEPS_FILE)
    steps: EpisodeSteps = steps_from_table(table)
    end = EpisodeEnd(
        end_reason=EndReason.RECOVERED,
        outcome=Outcome.NONE,
        ended_s=float(steps.wall_s[-1]),
        num_steps=num_steps,
        num_human_steps=int(steps.is_human.sum()),
    )
    write_end(folder, header, end)
    return end


def _write_table(table: pa.Table, path: Path) -> None:
    aside = path.with_name(path.name + ".tmp")
    with aside.open("wb") as file, pa.ipc.new_stream(file, table.schema) as stream:
        stream.write_table(table)
    fsync_path(aside)
    aside.replace(path)
    fsync_path(path.parent)
