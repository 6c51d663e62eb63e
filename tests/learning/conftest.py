"""What the learning tests share: few threads, a tiny learner, third-party warnings by name."""

from pathlib import Path

import pytest
import torch

from backend.learning.config import LearnerConfig
from backend.learning.config_files import load_config
from backend.learning.learner import Learner
from backend.learning.replay import EpisodeArrays
from backend.learning.training import start_run
from tests.learning.synthetic import good_and_bad

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items):
    for item in items:
        if HERE in item.path.parents:
            # LeRobot's config base class says so whenever no device is named.
            item.add_marker(pytest.mark.filterwarnings("ignore:.*joblib.*:UserWarning"))


@pytest.fixture(autouse=True)
def two_threads():
    torch.set_num_threads(2)


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
