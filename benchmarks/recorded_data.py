"""Recorded episodes for benchmarks, and the same episodes as a LeRobot dataset: same packets."""

import argparse
from pathlib import Path

import cv2
import numpy as np

from backend.db.engine import migrate, open_database, sqlite_url
from backend.db.queries import EpisodeFilter
from backend.domain import Driver, EndReason, Outcome
from backend.episodes.format import CameraSize, EpisodeEnd, EpisodeHeader, Step
from backend.episodes.lerobot_io import EpisodeToWrite, write_dataset
from backend.episodes.store import EpisodeWriter, read_header
from backend.intake import reconcile
from backend.jobs.train_params import StoreSource
from backend.jobs.train_plan import TrainPlan, make_train_plan

JOINTS = tuple(f"joint_{number}.pos" for number in range(6))
REPO_ID = "local/benchmark"


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Let a benchmark be told how much to record; `record_as_asked` reads it."""
    parser.add_argument("--episodes", type=int, default=6)
    parser.add_argument("--steps", type=int, default=120)
    parser.add_argument("--cameras", type=int, default=2)
    parser.add_argument("--width", type=int, default=320)
    parser.add_argument("--height", type=int, default=240)
    parser.add_argument("--fps", type=int, default=30)


def record_as_asked(data_dir: Path, args: argparse.Namespace) -> TrainPlan:
    """Record what the flags of `add_flags` say."""
    return record_episodes(
        data_dir,
        episodes=args.episodes,
        steps=args.steps,
        cameras=args.cameras,
        width=args.width,
        height=args.height,
        fps=args.fps,
    )


def record_episodes(
    data_dir: Path, *, episodes: int, steps: int, cameras: int, width: int, height: int, fps: float
) -> TrainPlan:
    """Record episodes of moving textures; return what a training would learn from.

    Args:
        data_dir: An empty data directory.
        episodes: How many; successes and failures in turn.
        steps: Of each.
        cameras: Of each step.
        width: Of the pictures, pixels.
        height: Of the pictures, pixels.
        fps: Steps a second.
    """
    rng = np.random.default_rng(0)
    small = rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)
    texture = cv2.resize(small, (width * 2, height * 2), interpolation=cv2.INTER_CUBIC)
    for number in range(episodes):
        header = EpisodeHeader(
            id=f"episode{number:03d}",
            session_id="benchmark",
            number=number + 1,
            robot="synthetic",
            robot_type="synthetic",
            task="follow the texture",
            fps=fps,
            state_names=JOINTS,
            action_names=JOINTS,
            cameras={
                f"camera{camera}": CameraSize(width=width, height=height)
                for camera in range(cameras)
            },
            policy="scripted",
            checkpoint_id=None,
            started_s=1_700_000_000.0 + 1000 * number,
            operator="benchmark",
        )
        _record(
            data_dir, header, steps, texture, Outcome.SUCCESS if number % 2 else Outcome.FAILURE
        )
    migrate(sqlite_url(data_dir))
    database = open_database(sqlite_url(data_dir))
    try:
        reconcile(database, data_dir)
        with database.read() as db:
            source = StoreSource(wanted=EpisodeFilter(), share=None)
            return make_train_plan(db, [source], roots={})
    finally:
        database.close()


def export_episodes(data_dir: Path, plan: TrainPlan) -> Path:
    """Write the same episodes as a LeRobot dataset, their video packets copied; return it."""
    root = data_dir / "datasets" / REPO_ID
    folders = [data_dir / "episodes" / episode.id for episode in plan.episodes]
    write_dataset(
        root,
        REPO_ID,
        [
            EpisodeToWrite(
                folder=folder,
                header=read_header(folder),
                outcome=episode.outcome,
                num_steps=episode.num_steps,
                num_recorded=episode.num_recorded,
            )
            for folder, episode in zip(folders, plan.episodes, strict=True)
        ],
        columns=("next.reward", "next.done"),
        on_episode=lambda _: None,
    )
    return root


def _record(
    data_dir: Path, header: EpisodeHeader, steps: int, texture: np.ndarray, outcome: Outcome
) -> None:
    writer = EpisodeWriter.create(data_dir / "episodes", header)
    for step in range(steps):
        frames = {}
        for number, (name, size) in enumerate(header.cameras.items()):
            top, left = (3 * step + 40 * number) % size.height, (5 * step) % size.width
            frames[name] = texture[top : top + size.height, left : left + size.width]
        state = np.full(len(JOINTS), np.sin(step / 20), np.float32)
        writer.add(
            Step(
                step=step,
                timestamp_s=step / header.fps,
                wall_s=header.started_s + step / header.fps,
                state=state,
                action=state,
                requested=state,
                driver=Driver.POLICY,
                frames=frames,
            )
        )
    writer.finish(
        EpisodeEnd(
            end_reason=EndReason(outcome.value),
            outcome=outcome,
            ended_s=header.started_s + steps / header.fps,
            num_steps=steps,
            num_human_steps=0,
            command_id=f"grade {header.id}",
            author="benchmark",
        )
    )
