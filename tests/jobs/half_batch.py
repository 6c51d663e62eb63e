"""The gradients of a fixed batch, of which every process takes its share."""

from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from backend.jobs.ranks import AveragedOptimizer, Ranks
from backend.learning.config_files import load_config
from backend.learning.learner import Learner
from backend.learning.training import start_run
from tests.learning.synthetic import good_and_bad

ROWS = 8


def start(device: str) -> Learner:
    """A learner that drops no words, on episodes that any process can make."""
    torch.set_num_threads(1)
    config = load_config("debug", {"optimizer.batch_size": ROWS, "words.dropout": 0.0})
    return start_run(config, good_and_bad(4, steps=8), device=device)


def gradients(learner: Learner, rows: slice) -> dict[str, torch.Tensor]:
    """What critic and actor would step on after these rows of the fixed batch."""
    found = {}
    for part in ("critic", "actor"):
        optimizer = getattr(learner, f"{part}_optimizer")
        own = optimizer._own if isinstance(optimizer, AveragedOptimizer) else optimizer

        def keep(part=part, own=own):
            for name in own.names:
                if (gradient := own.master(name).grad) is not None:
                    found[f"{part}|{name}"] = gradient.clone()
            return 0.0

        own.step = keep
    rng = np.random.default_rng(0)
    noise = torch.from_numpy(rng.standard_normal((ROWS, 4, 32), dtype=np.float32))
    time = torch.from_numpy(rng.uniform(0.1, 0.9, ROWS).astype(np.float32))
    learner._noise = lambda size: (noise[rows], time[rows])
    # Whole chunks: every process then counts as many steps, and the mean of means is the mean.
    everywhere = [(e.episode_id, n % 4) for n, e in enumerate(learner.sampler.episodes)]
    batch = learner.sampler.gather(everywhere[rows])
    learner.relabel()
    learner.update_critic(batch)
    learner.update_actor(batch)
    return found


def leave_gradients(ranks: Ranks, out: Path) -> None:
    """Leave what this process would step on as `<rank>.safetensors`."""
    learner = start(ranks.device)
    ranks.join(learner)
    share = ROWS // ranks.size
    mine = gradients(learner, slice(ranks.rank * share, (ranks.rank + 1) * share))
    save_file(mine, out / f"{ranks.rank}.safetensors")
