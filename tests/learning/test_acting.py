"""A checkpoint at work: chunks and values from what one robot sees, in its own units."""

import dataclasses

import numpy as np
import pytest
import torch

from backend.domain import Outcome
from backend.learning.acting import CheckpointPolicy
from tests.learning.synthetic import make_episode


def test_a_loaded_checkpoint_acts_and_judges(tiny):
    policy = CheckpointPolicy.load(tiny)
    episode = make_episode("a")
    seen = (episode.states[0], {"front": episode.images["front"][0], "spare": None}, episode.task)
    noise = np.zeros((4, 32), np.float32)

    chunk = policy.predict_chunk(*seen, noise=noise)
    estimate = policy.value(*seen)

    assert chunk.shape == (4, 2)
    assert np.array_equal(chunk, policy.predict_chunk(*seen, noise=noise))
    assert -1.0 <= estimate.value <= 0.0
    assert 0.0 < estimate.spread < 1.0


def test_an_observation_of_another_robot_is_refused(tiny):
    policy = CheckpointPolicy.load(tiny)
    episode = make_episode("a")

    with pytest.raises(ValueError, match="no picture of camera 'front', have"):
        policy.value(episode.states[0], {"top": episode.images["front"][0]}, "go")
    with pytest.raises(ValueError, match=r"state has shape \(3,\), must be \(2,\)"):
        policy.value(np.zeros(3, np.float32), {"front": episode.images["front"][0]}, "go")


def test_actions_come_back_in_the_robots_own_units(make_learner):
    episodes = [
        dataclasses.replace(e, actions=e.actions * 50 + 30)
        for e in (make_episode("a"), make_episode("b", outcome=Outcome.FAILURE))
    ]
    learner = make_learner(of=episodes)
    policy = CheckpointPolicy(learner.models)
    normalised = torch.tensor([[[-1.0, -1.0], [1.0, 1.0]]])
    actions = np.concatenate([e.actions for e in episodes])
    low, high = np.quantile(actions, [0.01, 0.99], axis=0)

    robot = policy.postprocessor(normalised)[0].numpy()

    assert robot == pytest.approx(np.stack([low, high]), rel=1e-4)
