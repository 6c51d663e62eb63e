"""Writes one episode's folder while the robot moves, and reads it back.

What is on disk is described in `format.py`. The folder appears under its name with its header and
its lock in place; after that, steps and frames are appended and brought to the disk at least once
a second of recorded time, so a killed recorder loses at most that second. The folder becomes final
when `episode.json` appears. A take that never got there is the business of `recovery.py`.

Called from one thread, the recorder's. Nothing here looks at a clock: steps carry their times.
"""

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

import pyarrow as pa

from backend.domain import Driver, EndReason, Outcome
from backend.episodes.columns import (
    EpisodeSteps,
    batch_from_steps,
    check_step,
    schema_of,
    steps_from_table,
)
from backend.episodes.files import LOCK_FILE, fsync_path, take_lock, write_json
from backend.episodes.format import (
    FINAL_FILE,
    FORMAT_VERSION,
    HEADER_FILE,
    STEPS_FILE,
    CameraSize,
    EpisodeEnd,
    EpisodeHeader,
    Step,
)
from backend.episodes.video import VideoWriter

FLUSH_INTERVAL_S = 1.0


class EpisodeFormatError(ValueError):
    """A folder that is no episode of this format. Says which file and what is wrong with it."""


def video_path(folder: Path, camera: str) -> Path:
    """Where `camera`'s pictures are."""
    return folder / f"{camera}.mp4"


class EpisodeWriter:
    """Appends to one episode until `finish`, or until `close` leaves it unfinished."""

    def __init__(self, folder: Path, header: EpisodeHeader, lock: int) -> None:
        """Use `create`."""
        self.folder = folder
        self.header = header
        self.num_steps = 0
        self.num_human_steps = 0
        self._lock: int | None = lock
        self._waiting: list[Step] = []
        self._flushed_wall_s: float | None = None
        self._starts_fragment = False
        self._torn = False
        self._schema = schema_of(header)
        self._file = (folder / STEPS_FILE).open("wb")
        self._stream = pa.ipc.new_stream(self._file, self._schema)
        self._videos = {
            camera: VideoWriter(
                video_path(folder, camera), width=size.width, height=size.height, fps=header.fps
            )
            for camera, size in header.cameras.items()
        }

    @classmethod
    def create(cls, episodes_dir: Path, header: EpisodeHeader) -> Self:
        """Make `episodes_dir/<id>` with its header, locked by this process.

        Raises:
            FileExistsError: An episode of this id is there already.
            ValueError: The header cannot be recorded (odd picture size, fps of 0).
        """
        folder = episodes_dir / header.id
        if folder.exists():
            raise FileExistsError(f"episode {header.id} exists already in {episodes_dir}")
        # Dressed under another name, so that nobody sees the folder without header and lock.
        aside = episodes_dir / f".{header.id}.new"
        aside.mkdir(parents=True)
        lock = take_lock(aside / LOCK_FILE)
        try:
            write_json(aside / HEADER_FILE, asdict(header))
            aside.rename(folder)
            fsync_path(episodes_dir)
            return cls(folder, header, lock)
        except BaseException:
            os.close(lock)
            raise

    def add(self, step: Step) -> None:
        """Append one step and its frames.

        Raises:
            ValueError: It does not fit the header or does not follow the last step.
            OSError: The disk did not take it.
        """
        self._check_open()
        check_step(step, self.header, expected_step=self.num_steps)
        # Until everything has the step, files may differ in length: no such take may be finished.
        self._torn = True
        if self._flushed_wall_s is None:
            self._flushed_wall_s = step.wall_s
        if (
            step.wall_s - self._flushed_wall_s >= FLUSH_INTERVAL_S
            or len(self._waiting) >= self.header.fps * FLUSH_INTERVAL_S
        ):
            self.flush()
            self._flushed_wall_s = step.wall_s
        for camera, video in self._videos.items():
            video.add(step.frames[camera], starts_fragment=self._starts_fragment)
        self._starts_fragment = False
        self._waiting.append(step)
        self.num_steps += 1
        self.num_human_steps += step.driver is Driver.HUMAN
        self._torn = False

    def flush(self) -> None:
        """Bring all steps to the disk; their last frames follow with the next step."""
        if not self._waiting or self._lock is None:
            return
        torn, self._torn = self._torn, True
        self._write_waiting()
        for video in self._videos.values():
            fsync_path(video.path)
        self._torn = torn
        self._starts_fragment = True

    def _write_waiting(self) -> None:
        self._stream.write_batch(batch_from_steps(self._waiting, self._schema))
        self._waiting.clear()
        self._file.flush()
        os.fsync(self._file.fileno())

    def finish(self, end: EpisodeEnd) -> Path:
        """Make the episode final; return its folder.

        Raises:
            ValueError: `end` counts other steps than were added, or the episode is closed.
            OSError: The disk did not take it; the take stays unfinished and can be recovered.
        """
        self._check_open()
        counted = (end.num_steps, end.num_human_steps)
        if counted != (self.num_steps, self.num_human_steps):
            raise ValueError(
                f"episode {self.header.id} has {self.num_steps} steps, {self.num_human_steps} of "
                f"them human; its end speaks of {counted[0]} and {counted[1]}"
            )
        self._close_files()
        write_end(self.folder, self.header, end)
        self._let_go()
        return self.folder

    def close(self) -> None:
        """Leave the take as it is: unfinished, unless `finish` was called. May be repeated."""
        if self._lock is None:
            return
        try:
            self._close_files()
        finally:
            self._let_go()

    def _check_open(self) -> None:
        if self._lock is None:
            raise ValueError(f"episode {self.header.id} is closed")
        if self._torn:
            raise ValueError(
                f"step {self.num_steps} of episode {self.header.id} could not be written: close "
                "it and recover what was"
            )

    def _close_files(self) -> None:
        for video in self._videos.values():
            video.close()
            if video.num_frames:
                fsync_path(video.path)
            else:
                video.path.unlink(missing_ok=True)
        if not self._file.closed:
            if self._waiting:
                self._write_waiting()
            self._stream.close()
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()

    def _let_go(self) -> None:
        assert self._lock is not None
        (self.folder / LOCK_FILE).unlink(missing_ok=True)
        os.close(self._lock)
        self._lock = None


def write_end(folder: Path, header: EpisodeHeader, end: EpisodeEnd) -> None:
    """Write `episode.json`, which makes the folder final."""
    write_json(folder / FINAL_FILE, {"header": asdict(header), "end": asdict(end)})


def read_header(folder: Path) -> EpisodeHeader:
    """What was known when the episode started.

    Raises:
        EpisodeFormatError: There is no such file, or it is not of this format.
    """
    return _header_from(_read_json(folder / HEADER_FILE), folder)


def read_end(folder: Path) -> EpisodeEnd | None:
    """How the episode ended; None while it has not.

    Raises:
        EpisodeFormatError: The file is there and is not of this format.
    """
    if not (folder / FINAL_FILE).is_file():
        return None
    content = _read_json(folder / FINAL_FILE)
    try:
        end = dict(content["end"])
        end["end_reason"] = EndReason(end["end_reason"])
        end["outcome"] = Outcome(end["outcome"])
        return EpisodeEnd(**end)
    except (KeyError, TypeError, ValueError) as error:
        raise EpisodeFormatError(f"{folder / FINAL_FILE} is damaged: {error}") from error


def read_table(folder: Path) -> pa.Table:
    """Whole record batches of `steps.arrow`; what a killed recorder tore off is left out.

    Raises:
        EpisodeFormatError: Not even the schema is there.
    """
    path = folder / STEPS_FILE
    try:
        with pa.OSFile(str(path), "rb") as file:
            reader = pa.ipc.open_stream(file)
            batches = []
            while True:
                try:
                    batches.append(reader.read_next_batch())
                except (StopIteration, pa.ArrowInvalid, OSError):
                    return pa.Table.from_batches(batches, schema=reader.schema)
    except (pa.ArrowInvalid, OSError) as error:
        raise EpisodeFormatError(f"{path} holds no steps: {error}") from error


def read_steps(folder: Path) -> EpisodeSteps:
    """All whole steps as numpy columns.

    Raises:
        EpisodeFormatError: Not even the schema is there.
    """
    return steps_from_table(read_table(folder))


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise EpisodeFormatError(f"{path} cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise EpisodeFormatError(f"{path} must hold an object, holds a {type(content).__name__}")
    return content


def _header_from(content: dict[str, Any], folder: Path) -> EpisodeHeader:
    version = content.get("format_version")
    if version != FORMAT_VERSION:
        raise EpisodeFormatError(
            f"{folder} has format version {version}, this Handrail reads {FORMAT_VERSION}: "
            "it was written by another version"
        )
    try:
        fields = dict(content)
        fields["state_names"] = tuple(fields["state_names"])
        fields["action_names"] = tuple(fields["action_names"])
        fields["cameras"] = {
            camera: CameraSize(**size) for camera, size in fields["cameras"].items()
        }
        return EpisodeHeader(**fields)
    except (KeyError, TypeError, AttributeError) as error:
        raise EpisodeFormatError(f"{folder / HEADER_FILE} is damaged: {error}") from error
