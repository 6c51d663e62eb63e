"""What the learning tests share: one thread, a tiny learner."""

import pytest
import torch
from hypothesis import settings

from backend.learning.config import LearnerConfig
from backend.learning.config_files import load_config
from backend.learning.learner import Learner
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


@pytest.fixture(scope="session")
def episodes() -> list[EpisodeArrays]:
    return good_and_bad(3, steps=12)


@pytest.fixture
def make_learner(episodes):
    def make(overrides: dict | None = None, of: list[EpisodeArrays] | None = None) -> Learner:
        return start_run(debug_config(overrides), of or episodes, device="cpu")

    return make


def debug_config(overrides: dict | None = None) -> LearnerConfig:
    return load_config("debug", overrides)
