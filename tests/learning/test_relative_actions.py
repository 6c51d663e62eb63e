"""Actions as ways from where the robot is: the robot gets places, whatever the model says."""

import numpy as np
import pytest
from lerobot.utils.constants import ACTION

from backend.actor.checkpoint_model import CheckpointModel
from backend.learning.acting import CheckpointPolicy
from backend.learning.checkpoints import save_checkpoint
from backend.learning.embodiment import embodiment_of
from backend.learning.inputs import dataset_stats
from backend.learning.models import load_models, start_models
from backend.learning.relative_actions import chunk_ways
from backend.learning.scoring import observations_of
from backend.learning.training import start_run
from tests.learning.conftest import debug_config
from tests.learning.synthetic import make_episode

RELATIVE = {"model.actions": "relative"}


@pytest.fixture
def far_away():
    """An arm that moves by a thousandth of its range, at one place and at another."""
    episodes = []
    for number, place in enumerate((-100.0, 100.0)):
        episode = make_episode(f"e{number}", steps=12)
        step = np.array([0.1, 0.2], np.float32)
        episode.states[:] = np.arange(12)[:, None] * step + place
        episode.actions[:] = episode.states + step
        episodes.append(episode)
    return episodes


def test_ways_are_told_from_the_first_state_of_a_chunk(far_away):
    ways = chunk_ways(far_away[:1], horizon=3)

    # Ten whole chunks, then those that the episode's end cuts short.
    assert ways.shape == (10 * 3 + 2 + 1, 2)
    np.testing.assert_allclose(ways[:3], [[0.1, 0.2], [0.2, 0.4], [0.3, 0.6]], atol=1e-4)


def test_the_model_is_told_ways_and_the_robot_gets_places_back(far_away, tmp_path):
    learner = start_run(debug_config(RELATIVE), far_away, device="cpu")
    models = learner.models
    here = observations_of(far_away[1], slice(4, 5))
    chunk = far_away[1].actions[None, 4:8]

    told = learner.inputs.for_actor(here, chunk, [None])[ACTION]

    # A full scale apart for either arm's range of ways, not lost beside the range of places.
    assert float(told[0, :, 0].max() - told[0, :, 0].min()) > 1.0
    np.testing.assert_allclose(models.postprocessor(told), chunk, atol=1e-3)
    # As it was saved, so it comes back.
    loaded = load_models(
        save_checkpoint(tmp_path / "run" / "000000", models, tensors={}, state={}), device="cpu"
    )
    policy = CheckpointPolicy(loaded)
    acted = policy.predict_chunk(
        far_away[1].states[4], {"front": far_away[1].images["front"][4]}, here.tasks[0]
    )
    assert np.abs(acted - far_away[1].states[4]).max() < 10.0
    # Its leftovers start where the robot was, so they cannot lead the next chunk.
    assert not CheckpointModel(policy).can_blend


def test_a_run_goes_on_with_the_kind_of_actions_that_its_start_has(far_away, tmp_path):
    models = start_run(debug_config(RELATIVE), far_away, device="cpu").models
    start = str(save_checkpoint(tmp_path / "run" / "000000", models, tensors={}, state={}))

    on = start_run(debug_config({"model.start_from": start}), far_away, device="cpu")

    assert on.models.policy.config.use_relative_actions
    with pytest.raises(ValueError, match="are relative: set it so"):
        start_run(
            debug_config({"model.start_from": start, "model.actions": "absolute"}),
            far_away,
            device="cpu",
        )


def test_without_statistics_of_ways_there_are_none(far_away):
    with pytest.raises(ValueError, match="use 'absolute'"):
        start_models(
            debug_config(RELATIVE),
            embodiment_of(far_away),
            data_stats=dataset_stats(far_away),
            device="cpu",
        )
