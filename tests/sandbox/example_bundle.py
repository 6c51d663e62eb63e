"""A bundle of two attempts and a checkpoint whose weights are a few bytes."""

from pathlib import Path

import numpy as np

from backend.domain import Outcome
from backend.episodes.scores import EpisodeScores, write_scores
from tests.episodes.episode_fixtures import make_header, record

CHECKPOINT = "sandbox/000500"
OUTCOMES = {"b1": Outcome.SUCCESS, "b2": Outcome.FAILURE}


def make_bundle(folder: Path) -> Path:
    """Write it; return `folder`."""
    pretrained = folder / "checkpoints" / CHECKPOINT / "pretrained_model"
    pretrained.mkdir(parents=True)
    (pretrained / "model.safetensors").write_bytes(b"weights")
    for id, outcome in OUTCOMES.items():
        record(
            folder / "episodes",
            make_header(id, checkpoint_id=CHECKPOINT, policy=CHECKPOINT),
            num_steps=5,
            human=range(0),
            outcome=outcome,
        )
        write_scores(
            folder,
            EpisodeScores(
                checkpoint_id=CHECKPOINT,
                episode_id=id,
                value=np.linspace(-0.5, 0.0, 5),
                spread=np.full(5, 0.1),
                advantage=np.zeros(5),
                word=np.array(["positive"] * 5),
                label_revision=0,
                outcome=outcome,
                value_range=(-1.0, 0.0),
                thresholds={"Touch the red cube": 0.01},
                has_own_thresholds=True,
                created_s=1_700_000_100.0,
            ),
        )
    return folder
