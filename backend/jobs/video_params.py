"""What critic videos may be asked for, and where they are. Needs no imageio.

{"episodes": "all" | [ids] | {filter}, "checkpoint": "run/000500" | "job:<id>" | null, "every": 1,
 "again": false}

videos/<run>/<step>/<episode>.mp4      the critic of that checkpoint
videos/recorded/<episode>.mp4          what the acting critic said while it was recorded
… .json beside each                    what it shows: labels and scores it was made with
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.checkpoints import PROMISED, CheckpointError, checkpoint_path
from backend.db.queries import EpisodeFilter
from backend.jobs.export_params import ExportParamsError, read_episodes

VIDEOS_DIR = "videos"
RECORDED = "recorded"
WORDS = ("episodes", "checkpoint", "every", "again")


class VideoParamsError(ValueError):
    """Videos nobody could make. Says which word, why, and what is possible."""


@dataclass(frozen=True, kw_only=True)
class VideoParams:
    """What was asked for."""

    wanted: EpisodeFilter
    # Whose scores; None: the values that were recorded with the episode.
    checkpoint_id: str | None
    # Of the chosen episodes, oldest first, the first of each so many.
    every: int
    # Also videos that are there and show the same.
    again: bool


def read_video_params(params: Mapping[str, Any], data_dir: Path) -> VideoParams:
    """Check what was asked for.

    Raises:
        VideoParamsError: Naming the word and what is possible.
    """
    unknown = sorted(params.keys() - set(WORDS))
    if unknown:
        raise VideoParamsError(f"videos take {', '.join(WORDS)}; got {', '.join(unknown)} too")
    every, again = params.get("every", 1), params.get("again", False)
    if isinstance(every, bool) or not isinstance(every, int) or every < 1:
        raise VideoParamsError(f"every is a whole number above 0, got {every!r}")
    if not isinstance(again, bool):
        raise VideoParamsError(f"again is true or false, got {again!r}")
    checkpoint_id = params.get("checkpoint")
    try:
        if checkpoint_id is not None and not PROMISED.fullmatch(str(checkpoint_id)):
            checkpoint_path(data_dir, str(checkpoint_id))
        wanted = read_episodes(params.get("episodes", "all"))
    except (CheckpointError, ExportParamsError) as error:
        raise VideoParamsError(str(error)) from error
    return VideoParams(wanted=wanted, checkpoint_id=checkpoint_id, every=every, again=again)


def check(params: Mapping[str, Any], data_dir: Path) -> None:
    """Refuse videos that could not be made, before they are queued.

    Raises:
        VideoParamsError: See `read_video_params`.
    """
    read_video_params(params, data_dir)


def critic_video_path(data_dir: Path, checkpoint_id: str | None, episode_id: str) -> Path:
    """Where the critic video of an episode is, or will be."""
    return data_dir / VIDEOS_DIR / (checkpoint_id or RECORDED) / f"{episode_id}.mp4"


def aside_video_path(path: Path, job_id: str) -> Path:
    """Where a job writes a video that is not finished."""
    return path.with_name(f".{job_id}.{path.name}")


def remove_leftovers(data_dir: Path, job_id: str) -> None:
    """Remove videos that a killed job left half written."""
    for path in (data_dir / VIDEOS_DIR).rglob(f".{job_id}.*"):
        path.unlink(missing_ok=True)
