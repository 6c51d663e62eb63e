"""Job `video`: critic videos, cameras with value and advantage under them, to look at anywhere.

    python -m backend.jobs.video --data-dir DIR --job-id ID

H.264, yuv420p, index in front: it plays in Chrome and on phones. Runs beside training and needs no
GPU. An episode that the checkpoint has not scored gets its video too, which says so. A video that
shows the present labels and scores is not made again.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import imageio.v2 as imageio
import numpy as np

from backend.db.engine import open_database
from backend.episodes.files import fsync_path, write_json
from backend.episodes.format import EPISODES_DIR
from backend.episodes.frames import FramesError, Pictures
from backend.episodes.scores import EpisodeScores, read_scores
from backend.episodes.store import EpisodeFormatError, read_header, read_steps, video_path
from backend.jobs.child import JobChild, JobFailedError, run_child
from backend.jobs.critic_picture import Caption, CriticPicture, Curves
from backend.jobs.train_config import TrainParamsError
from backend.jobs.train_params import StoreSource
from backend.jobs.train_plan import TrainEpisode, recorded_episodes
from backend.jobs.video_params import (
    VideoParams,
    VideoParamsError,
    aside_video_path,
    critic_video_path,
    read_video_params,
    remove_leftovers,
)

FFMPEG_PARAMS = (
    *("-preset", "veryfast", "-crf", "23", "-movflags", "+faststart"),
    # Without tags, players guess the colours from the picture's size.
    *("-vf", "scale=out_color_matrix=bt709:out_range=tv"),
    *("-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709"),
)


def make_videos(child: JobChild) -> dict[str, Any]:
    """Carry out the orders; return what was made.

    Raises:
        JobFailedError: The orders cannot be obeyed.
    """
    child.report(0.0, "choosing episodes")
    try:
        params = read_video_params(child.params, child.data_dir)
    except VideoParamsError as error:
        raise JobFailedError(str(error)) from error
    episodes, skipped = _choose(child, params)
    remove_leftovers(child.data_dir, child.job_id)
    made, known = [], 0
    for number, episode in enumerate(episodes):
        child.report(number / len(episodes), f"video {number + 1} of {len(episodes)}")
        path = critic_video_path(child.data_dir, params.checkpoint_id, episode.id)
        try:
            scores = _scores(child.data_dir, params, episode)
            shows = _shows(params, episode, scores)
            if not params.again and _is_up_to_date(path, shows):
                known += 1
                continue
            render(child, episode, scores, path, checkpoint_id=params.checkpoint_id)
        except (FramesError, EpisodeFormatError, ValueError, OSError) as error:
            skipped[episode.id] = f"no video: {error}"
            continue
        write_json(path.with_suffix(".json"), shows)
        made.append({"episode_id": episode.id, "path": str(path.relative_to(child.data_dir))})
    child.report(1.0, f"{len(made)} videos made, {known} there already")
    return {
        "checkpoint": params.checkpoint_id,
        "videos": made,
        "known": known,
        "skipped": [{"id": id, "reason": why} for id, why in skipped.items()],
    }


def render(
    child: JobChild,
    episode: TrainEpisode,
    scores: EpisodeScores | None,
    path: Path,
    *,
    checkpoint_id: str | None,
) -> None:
    """Make one video, aside, and put it into place.

    Raises:
        FramesError, EpisodeFormatError, OSError: The episode cannot be read or written.
    """
    folder = child.data_dir / EPISODES_DIR / episode.id
    header, steps = read_header(folder), read_steps(folder)
    nothing = np.full(len(steps), np.nan)
    if scores is not None:
        value, spread, advantage = scores.value, scores.spread, scores.advantage
        word, value_range = scores.word, scores.value_range
    else:
        live = checkpoint_id is None
        value, spread = (steps.value, steps.spread) if live else (nothing, nothing)
        advantage, word = nothing, np.full(len(steps), "")
        value_range = _range_of(value)
    picture = CriticPicture(
        Curves(
            value=value,
            spread=spread,
            advantage=advantage,
            word=word,
            is_human=steps.is_human,
            value_range=value_range,
            fps=header.fps,
        ),
        Caption(
            task=header.task,
            outcome=episode.outcome,
            critic=checkpoint_id or f"while acting, {header.policy}",
            episode=episode.id[:8],
            why_empty="no critic spoke while this was recorded"
            if checkpoint_id is None
            else f"{checkpoint_id} has not scored this episode yet",
        ),
        {name: (size.width, size.height) for name, size in sorted(header.cameras.items())},
    )
    cameras = {
        name: Pictures(
            path=video_path(folder, name), num_frames=len(steps), fps=header.fps
        ).frames()
        for name in sorted(header.cameras)
    }
    aside = aside_video_path(path, child.job_id)
    aside.parent.mkdir(parents=True, exist_ok=True)
    writer = imageio.get_writer(
        aside,
        format="FFMPEG",
        mode="I",
        fps=header.fps,
        codec="libx264",
        pixelformat="yuv420p",
        macro_block_size=2,
        ffmpeg_log_level="error",
        # imageio-ffmpeg has a quality of its own unless told that ours decides.
        quality=None,
        output_params=list(FFMPEG_PARAMS),
    )
    try:
        with writer:
            for step in range(len(steps)):
                shown = {name: next(frames) for name, frames in cameras.items()}
                writer.append_data(picture.frame(step, shown))
        fsync_path(aside)
        aside.replace(path)
        fsync_path(path.parent)
    finally:
        aside.unlink(missing_ok=True)


def _choose(child: JobChild, params: VideoParams) -> tuple[list[TrainEpisode], dict[str, str]]:
    skipped: dict[str, str] = {}
    database = open_database(child.database_url)
    try:
        with database.read() as db:
            source = StoreSource(wanted=params.wanted, share=None)
            found = recorded_episodes(db, 0, source, skipped)
    except TrainParamsError as error:
        raise JobFailedError(str(error)) from error
    finally:
        database.close()
    if not found:
        raise JobFailedError("there is no episode to show: record one, or widen the filter")
    return found[:: params.every], skipped


def _scores(data_dir: Path, params: VideoParams, episode: TrainEpisode) -> EpisodeScores | None:
    if params.checkpoint_id is None:
        return None
    scores = read_scores(data_dir, params.checkpoint_id, episode.id)
    return scores if scores and len(scores.value) == episode.num_recorded else None


def _shows(
    params: VideoParams, episode: TrainEpisode, scores: EpisodeScores | None
) -> dict[str, Any]:
    """What a video is of: it is made again when any of this changes."""
    return {
        "episode_id": episode.id,
        "checkpoint": params.checkpoint_id,
        "outcome": episode.outcome.value,
        "label_revision": episode.label_revision,
        "task": episode.task,
        "num_steps": episode.num_steps,
        "fps": episode.fps,
        "scored_s": scores.created_s if scores else None,
    }


def _is_up_to_date(path: Path, shows: Mapping[str, Any]) -> bool:
    try:
        before = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return path.is_file() and before == shows


def _range_of(value: np.ndarray) -> tuple[float, float]:
    """A range for values of an unknown scheme: most count from -1 to 0."""
    known = value[np.isfinite(value)]
    low = min(-1.0, float(known.min())) if len(known) else -1.0
    high = max(0.0, float(known.max())) if len(known) else 0.0
    return low, high


if __name__ == "__main__":
    sys.exit(run_child(make_videos))
