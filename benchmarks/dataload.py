"""How fast training batches come: our frame cache beside LeRobotDataset + DataLoader, same data.

Episodes are recorded, exported to a LeRobot dataset whose video packets are copied, and then drawn
in random batches of chunks: by LeRobot (default decoder, shuffled, with and without workers) and by
us (pictures decoded once into the cache, batches through `MixedSampler`). A frame is one step with
all its cameras, as floats ready for the model. The ways take turns for some rounds in one run.
Prints JSON.

    python -m benchmarks.dataload --episodes 6 --steps 120 --cameras 2 --width 320 --height 240

LeRobot hands out full pictures, we the model's size; both are what the trainer then uses. What the
cache costs before the first batch is printed as `decode_once`.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lerobot.datasets import LeRobotDataset

from backend.episodes.frames import FrameCache, free_bytes
from backend.jobs.mixing import MixedSampler
from backend.jobs.train_data import EpisodeLoader
from backend.jobs.train_plan import TrainPlan
from backend.learning.config import RewardConfig
from backend.learning.inputs import pixels
from backend.learning.replay import EpisodeArrays
from benchmarks.recorded_data import REPO_ID, add_flags, export_episodes, record_as_asked

CHUNK = 16


def lerobot_batches(root: Path, batch_size: int, workers: int) -> Iterator[int]:
    """Yield the size of each batch that LeRobot's loader gives, endlessly."""
    fps = LeRobotDataset(REPO_ID, root=root).fps
    dataset = LeRobotDataset(
        REPO_ID, root=root, delta_timestamps={"action": [step / fps for step in range(CHUNK)]}
    )
    loader = torch.utils.data.DataLoader(
        dataset,
        batch_size=batch_size,
        shuffle=True,
        num_workers=workers,
        persistent_workers=workers > 0,
        drop_last=True,
    )
    while True:
        for batch in loader:
            yield len(batch["action"])


def load_cached(data_dir: Path, plan: TrainPlan, size_px: int) -> tuple[list[EpisodeArrays], float]:
    """Decode everything into the cache; return the episodes and how long it took, in seconds."""
    cache = FrameCache(data_dir, owner="benchmark", free_bytes=free_bytes)
    begun_s = time.perf_counter()
    episodes, unreadable = EpisodeLoader(data_dir, cache, size_px=size_px).load(
        plan.episodes, on_episode=lambda _: None
    )
    if unreadable:
        raise RuntimeError(f"episodes cannot be read: {unreadable}")
    return episodes, time.perf_counter() - begun_s


def cached_batches(
    plan: TrainPlan, episodes: list[EpisodeArrays], batch_size: int
) -> Iterator[int]:
    """Yield the size of each batch that our sampler gives, endlessly."""
    sampler = MixedSampler(
        horizon=CHUNK,
        reward=RewardConfig(),
        rng=np.random.default_rng(0),
        source_of={episode.id: episode.source for episode in plan.episodes},
        shares=plan.shares,
        clock=time.perf_counter,
    )
    sampler.set_episodes(episodes)
    while True:
        batch = sampler.draw(batch_size)
        for frames in batch.observations.images.values():
            pixels(frames)
        yield len(batch)


def frames_per_s(batches: Iterator[int], seconds: float) -> float:
    """How many frames a second come, over about so many seconds."""
    begun_s, count = time.perf_counter(), 0
    while (elapsed_s := time.perf_counter() - begun_s) < seconds:
        count += next(batches)
    return count / elapsed_s


def measure(args: argparse.Namespace, data_dir: Path) -> dict[str, Any]:
    """Run all ways in turns; return medians and what was measured."""
    plan = record_as_asked(data_dir, args)
    root = export_episodes(data_dir, plan)
    episodes, decode_s = load_cached(data_dir, plan, args.size_px)
    # Workers first: LeRobot's open decoders do not survive a fork.
    ways: dict[str, Callable[[], Iterator[int]]] = {
        f"lerobot_{args.workers}_workers": lambda: lerobot_batches(root, args.batch, args.workers),
        "lerobot_0_workers": lambda: lerobot_batches(root, args.batch, 0),
        "handrail": lambda: cached_batches(plan, episodes, args.batch),
    }
    running = {name: begin() for name, begin in ways.items()}
    for batches in running.values():
        next(batches)
    found: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(args.rounds):
        for name, batches in running.items():
            found[name].append(frames_per_s(batches, args.seconds))
    medians = {name: statistics.median(values) for name, values in found.items()}
    best = max(value for name, value in medians.items() if name != "handrail")
    steps = sum(len(episode) for episode in episodes)
    return {
        "frames_per_s": {name: round(value, 1) for name, value in medians.items()},
        "times_lerobot": round(medians["handrail"] / best, 1),
        "decode_once": {
            "seconds": round(decode_s, 2),
            "frames_per_s": round(steps / decode_s, 1),
            # Frames of LeRobot's best loader in that time: after so many, the cache has paid.
            "paid_after_frames": round(best * decode_s),
        },
        "rounds": {name: [round(v, 1) for v in values] for name, values in found.items()},
        "data": {**vars(args), "steps_in_all": steps},
    }


def main() -> None:
    """Measure and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_flags(parser)
    parser.add_argument("--size-px", type=int, default=96, help="the model's pictures")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each way and round")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(measure(args, Path(folder)), indent=2))


if __name__ == "__main__":
    main()
