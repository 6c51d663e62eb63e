"""A few updates of a learner that trains with others; each process says what it drew and has."""

import hashlib
import json
from pathlib import Path

from backend.jobs.ranks import Ranks
from backend.learning.config_files import load_config
from backend.learning.training import start_run
from tests.learning.synthetic import good_and_bad


def train_together(ranks: Ranks, out: Path) -> None:
    """Make four updates; leave weights and draws as `<rank>.json`."""
    learner = start_run(load_config("debug"), good_and_bad(2, steps=8), device=ranks.device)
    ranks.join(learner)
    drawn = []
    draw = learner.sampler.draw

    def noted(size, **kwargs):
        batch = draw(size, **kwargs)
        drawn.append([*batch.episode_ids, *map(int, batch.starts)])
        return batch

    learner.sampler.draw = noted
    for _ in range(4):
        learner.train_step()
    digest = hashlib.sha256()
    for module in (learner.models.policy, learner.models.critic):
        for parameter in module.parameters():
            digest.update(parameter.detach().numpy().tobytes())
    said = {
        "size": ranks.size,
        "weights": digest.hexdigest(),
        "drawn": drawn,
        "one_wants_to_stop": ranks.any(ranks.rank == 1),
        "none_wants_to_stop": ranks.any(False),
    }
    (out / f"{ranks.rank}.json").write_text(json.dumps(said))
