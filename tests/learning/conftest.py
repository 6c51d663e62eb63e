"""What the learning tests share: one thread, a tiny learner."""

import copy
from pathlib import Path

import jaxtyping
import pytest
import torch
from hypothesis import settings

from backend.learning.checkpoints import create_tiny_checkpoint
from backend.learning.config import LearnerConfig
from backend.learning.config_files import load_config
from backend.learning.embodiment import embodiment_of
from backend.learning.inputs import dataset_stats
from backend.learning.learner import Learner
from backend.learning.models import Models, start_models
from backend.learning.replay import EpisodeArrays
from backend.learning.training import start_run
from tests.learning.synthetic import good_and_bad

# A busy machine is no reason to fail: examples have no deadline here.
settings.register_profile("learning", deadline=None, max_examples=50)
settings.load_profile("learning")


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    # Two threads of one small matrix product wait for each other whenever the cores are busy.
    torch.set_num_threads(1)


@pytest.fixture
def shapes_unchecked(monkeypatch):
    """For garbage given on purpose: under `--jaxtyping-packages` our own refusal is still met."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


@pytest.fixture(scope="session")
def episodes() -> list[EpisodeArrays]:
    return good_and_bad(3, steps=12)


@pytest.fixture(scope="session")
def fresh_models(episodes):
    """Models of a config as a run starts with them: made once, copied for whoever asks."""
    made: dict[LearnerConfig, Models] = {}

    def fresh(config: LearnerConfig) -> Models:
        if config not in made:
            made[config] = start_models(
                config, embodiment_of(episodes), data_stats=dataset_stats(episodes), device="cpu"
            )
        return copy.deepcopy(made[config])

    return fresh


@pytest.fixture
def make_learner(episodes, fresh_models):
    def make(overrides: dict | None = None, of: list[EpisodeArrays] | None = None) -> Learner:
        config = debug_config(overrides)
        if of is not None:
            return start_run(config, of, device="cpu")
        learner = Learner(fresh_models(config), config)
        learner.set_episodes(episodes)
        return learner

    return make


@pytest.fixture(scope="session")
def tiny(tmp_path_factory) -> Path:
    """A checkpoint that was never trained; not to be written to."""
    return create_tiny_checkpoint(
        tmp_path_factory.mktemp("made") / "tiny",
        cameras=["front"],
        state_dim=2,
        action_dim=2,
        chunk_size=4,
    )


def debug_config(overrides: dict | None = None) -> LearnerConfig:
    # Half of tiny's prompt: enough for these tasks, and a third less work in every step.
    return load_config("debug", {"model.tokenizer_max_length": 32, **(overrides or {})})
