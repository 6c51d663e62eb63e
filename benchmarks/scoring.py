"""How fast a critic scores recorded episodes, beside LeRobotDataset + DataLoader with that critic.

The same untrained checkpoint scores the same steps in three ways, in turns, in one run: as the job
`score` does (each episode decoded from front to back while the one before is scored, batches), with
LeRobot's dataset and DataLoader in order feeding the same critic in the same batches, and step by
step from LeRobot's dataset, as the project this one grew from drew its videos. Prints JSON.

    python -m benchmarks.scoring --episodes 6 --steps 120 --cameras 2 --device cpu
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lerobot.datasets import LeRobotDataset

from backend.episodes.frames import FrameCache, free_bytes
from backend.episodes.lerobot_folder import CAMERA_PREFIX
from backend.jobs.train_data import EpisodeLoader
from backend.jobs.train_plan import TrainPlan
from backend.learning.checkpoints import create_tiny_checkpoint
from backend.learning.models import Models, load_models
from backend.learning.pi05_rl.sizes import SIZES
from backend.learning.replay import Observations
from backend.learning.scoring import score_episode, score_observations
from benchmarks.recorded_data import (
    JOINTS,
    REPO_ID,
    add_flags,
    export_episodes,
    record_as_asked,
)


def ours(models: Models, data_dir: Path, plan: TrainPlan, batch_size: int) -> np.ndarray:
    """Return the values of all steps, scored as the job does."""
    # Nothing is in the cache: every picture is decoded here.
    cache = FrameCache(data_dir, owner="benchmark", free_bytes=free_bytes)
    size_px = SIZES[models.policy.config.size].image_size
    loader = EpisodeLoader(data_dir, cache, size_px=size_px)
    with ThreadPoolExecutor(max_workers=2) as pool:
        reading = [pool.submit(loader.read, episode, keep=False) for episode in plan.episodes]
        scores = [score_episode(models, r.result(), batch_size=batch_size) for r in reading]
    return np.concatenate([score.values for score in scores])


def lerobot_loader(root: Path, batch_size: int, workers: int) -> torch.utils.data.DataLoader:
    """Return LeRobot's loader of all steps in order."""
    return torch.utils.data.DataLoader(
        LeRobotDataset(REPO_ID, root=root, return_uint8=True),
        batch_size=batch_size,
        num_workers=workers,
        persistent_workers=workers > 0,
    )


def through_lerobot(models: Models, loader: torch.utils.data.DataLoader) -> np.ndarray:
    """Return the values of all steps, read through LeRobot's loader."""
    values = []
    for batch in loader:
        images = {
            name.removeprefix(CAMERA_PREFIX): frames.movedim(1, -1).numpy()
            for name, frames in batch.items()
            if name.startswith(CAMERA_PREFIX)
        }
        observed = Observations(
            tasks=list(batch["task"]), states=batch["observation.state"].numpy(), images=images
        )
        values.append(score_observations(models, observed).values)
    return np.concatenate(values)


def measure(args: argparse.Namespace, data_dir: Path) -> dict[str, Any]:
    """Run all ways in turns; return medians and what was measured."""
    plan = record_as_asked(data_dir, args)
    root = export_episodes(data_dir, plan)
    checkpoint = create_tiny_checkpoint(
        data_dir / "checkpoints/benchmark/000000",
        cameras=[f"camera{number}" for number in range(args.cameras)],
        state_dim=len(JOINTS),
        action_dim=len(JOINTS),
    )
    models = load_models(checkpoint, device=args.device)
    # Workers first, and kept: LeRobot's open decoders do not survive a fork.
    loaders = {
        f"lerobot_{args.workers}_workers": lerobot_loader(root, args.batch, args.workers),
        "lerobot_0_workers": lerobot_loader(root, args.batch, 0),
        "lerobot_step_by_step": lerobot_loader(root, 1, 0),
    }
    ways: dict[str, Callable[[], np.ndarray]] = {
        name: partial(through_lerobot, models, loader) for name, loader in loaders.items()
    }
    ways["handrail"] = lambda: ours(models, data_dir, plan, args.batch)
    rates: dict[str, list[float]] = {name: [] for name in ways}
    values: dict[str, np.ndarray] = {}
    for _ in range(args.rounds):
        for name, way in ways.items():
            begun_s = time.perf_counter()
            values[name] = way()
            rates[name].append(len(values[name]) / (time.perf_counter() - begun_s))
    medians = {name: statistics.median(found) for name, found in rates.items()}
    best = max(rate for name, rate in medians.items() if name != "handrail")
    others = [name for name in values if name != "handrail"]
    return {
        "frames_per_s": {name: round(rate, 1) for name, rate in medians.items()},
        "times_lerobot": round(medians["handrail"] / best, 2),
        "times_step_by_step": round(medians["handrail"] / medians["lerobot_step_by_step"], 2),
        # Resized from bytes or from floats: the same values but for rounding.
        "largest_difference_of_values": max(
            float(np.abs(values["handrail"] - values[name]).max()) for name in others
        ),
        "rounds": {name: [round(v, 1) for v in found] for name, found in rates.items()},
        "data": {**vars(args), "steps_in_all": sum(e.num_steps for e in plan.episodes)},
    }


def main() -> None:
    """Measure and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_flags(parser)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(measure(args, Path(folder)), indent=2))


if __name__ == "__main__":
    main()
