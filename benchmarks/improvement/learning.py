"""Trains and loads the benchmark's checkpoints, from the episodes of a data directory.

The same functions as a `train` job, without its process: episodes and labels come from the
database, pictures from the frame cache, checkpoints go to `checkpoints/<run>/<step>/`.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from backend.actor.checkpoint_model import CheckpointModel
from backend.control import Arm, Observation
from backend.db.engine import migrate, open_database, sqlite_url
from backend.db.queries import EpisodeFilter
from backend.domain import Outcome
from backend.episodes.frames import FrameCache, free_bytes
from backend.intake import reconcile
from backend.jobs.train_data import EpisodeLoader
from backend.jobs.train_params import StoreSource
from backend.jobs.train_plan import make_train_plan
from backend.learning.config import LearnerConfig
from backend.learning.pi05_rl.sizes import SIZES
from backend.learning.replay import EpisodeArrays
from backend.learning.training import run_training, start_run

IMAGE_PX = SIZES["tiny"].image_size


def load_episodes(
    data_dir: Path, ids: Sequence[str], *, demonstrations: frozenset[str] = frozenset()
) -> list[EpisodeArrays]:
    """Return recorded episodes with the labels in force, pictures memory-mapped.

    Args:
        data_dir: The data directory; what was recorded since is taken into its database.
        ids: Which.
        demonstrations: Those that count as demonstrations.

    Raises:
        ValueError: One of them cannot be learned from.
    """
    migrate(sqlite_url(data_dir))
    database = open_database(sqlite_url(data_dir))
    try:
        reconcile(database, data_dir)
        with database.read() as db:
            source = StoreSource(wanted=EpisodeFilter(ids=tuple(ids)), share=None)
            plan = make_train_plan(db, [source], roots={})
    finally:
        database.close()
    loader = EpisodeLoader(
        data_dir,
        FrameCache(data_dir, owner="benchmark", free_bytes=free_bytes),
        size_px=IMAGE_PX,
    )
    episodes, unreadable = loader.load(plan.episodes, on_episode=lambda _: None)
    if unreadable or plan.skipped:
        raise ValueError(f"some episodes cannot be used: {unreadable} {dict(plan.skipped)}")
    return [
        replace(e, source="demonstration") if e.episode_id in demonstrations else e
        for e in episodes
    ]


def successes(episodes: Sequence[EpisodeArrays]) -> list[EpisodeArrays]:
    """Return those that somebody called a success."""
    return [episode for episode in episodes if episode.outcome is Outcome.SUCCESS]


def train(
    config: LearnerConfig,
    episodes: Sequence[EpisodeArrays],
    run: Path,
    *,
    told: Callable[[str], None],
) -> None:
    """Train from the beginning to the last checkpoint.

    Args:
        config: What and how long.
        episodes: All of them are learned from: what is held out is recorded later.
        run: Folder of the run's checkpoints; must not exist.
        told: Gets a line of progress now and then.
    """
    learner = start_run(config, episodes, device="cpu")
    began_s = time.monotonic()
    seen: dict[str, list[float]] = {}

    def on_step(step: int, metrics: dict[str, float]) -> None:
        for name, value in metrics.items():
            seen.setdefault(name, []).append(value)
        if step % 200 == 0:
            recent = "  ".join(f"{name} {np.mean(values):.4f}" for name, values in seen.items())
            told(f"step {step} {(time.monotonic() - began_s) / step:.3f} s/step  {recent}")
            seen.clear()

    run_training(learner, run, on_step=on_step)


class PatientPolicy:
    """A checkpoint that the clock waits for: thinking takes none of the attempt's time.

    On a robot thinking goes on beside the motion (`actor.chunks`); here a slow machine must not
    make a policy look worse.
    """

    def __init__(self, checkpoint: Path, *, checkpoint_id: str, task: str, replan: int) -> None:
        """Load it.

        Args:
            checkpoint: Its folder.
            checkpoint_id: `run/step`.
            task: What it is told to do.
            replan: Actions of a chunk that are played before the next one is thought of.
        """
        self.name = checkpoint_id
        self.checkpoint_id: str | None = checkpoint_id
        self._model = CheckpointModel.load(checkpoint)
        self._task = task
        self._replan = replan
        self._waiting: list[np.ndarray] = []

    def reset(self) -> None:
        self._waiting = []

    def act(self, observation: Observation) -> np.ndarray | None:
        if not self._waiting:
            with torch.no_grad():
                chunk = self._model.plan(observation, self._task, None)
            self._waiting = list(chunk.actions.numpy()[: self._replan])
        return np.asarray(self._waiting.pop(0), dtype=np.float32)


def patient(
    checkpoint: Path, *, task: str, replan: int, seed: int
) -> Callable[[Arm], PatientPolicy]:
    """Return what makes a station's policy from a checkpoint.

    Args:
        checkpoint: Its folder, `…/run/step`.
        task: What it is told to do.
        replan: As `PatientPolicy` takes it.
        seed: Of the noise that its chunks begin with.
    """

    def make(arm: Arm) -> PatientPolicy:  # noqa: ARG001
        torch.manual_seed(seed)
        return PatientPolicy(
            checkpoint,
            checkpoint_id=f"{checkpoint.parent.name}/{checkpoint.name}",
            task=task,
            replan=replan,
        )

    return make
