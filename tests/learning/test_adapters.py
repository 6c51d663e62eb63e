"""Low-rank adapters: they learn alone, are merged into what is saved, and resume."""

import pytest
import torch

from backend.learning.lora import merged_weights
from backend.learning.models import load_models
from backend.learning.training import resume_run, run_training, start_run
from tests.learning.conftest import debug_config


@pytest.fixture
def lora_run(tiny):
    def start(episodes):
        overrides = {
            "model.start_from": str(tiny),
            "critic": {"depth": None, "num_queries": 32, "num_bins": 201},
            "lora": {"rank": 2, "alpha": 4.0},
        }
        return start_run(debug_config(overrides), episodes, device="cpu")

    return start


def test_adapters_learn_alone_and_are_merged_into_the_checkpoint(lora_run, episodes, tmp_path):
    learner = lora_run(episodes)
    before = {n: p.clone() for n, p in learner.models.policy.state_dict().items()}
    folder = run_training(learner, tmp_path, on_step=lambda *_: None)

    after = learner.models.policy.state_dict()
    moved = {n for n in before if not torch.equal(before[n], after[n])}
    whole = ("model.action_in_proj", "model.action_out_proj", "model.time_mlp")
    assert moved
    assert all(".lora_" in name or name.startswith(whole) for name in moved)
    loaded = load_models(folder, device="cpu").policy.state_dict()
    merged = merged_weights(learner.models.policy)
    assert loaded.keys() == merged.keys()
    assert all(torch.equal(loaded[name], merged[name]) for name in merged)


def test_adapters_resume_bit_for_bit(lora_run, episodes, tmp_path):
    unbroken = lora_run(episodes)
    run_training(unbroken, tmp_path / "a", on_step=lambda *_: None)
    folder = run_training(lora_run(episodes), tmp_path / "b", on_step=lambda *_: None, until=3)

    resumed = resume_run(folder, episodes, device="cpu")
    run_training(resumed, tmp_path / "b", on_step=lambda *_: None)

    for part in ("policy", "critic"):
        expected = getattr(unbroken.models, part).state_dict()
        for name, weight in getattr(resumed.models, part).state_dict().items():
            assert torch.equal(weight, expected[name]), name
