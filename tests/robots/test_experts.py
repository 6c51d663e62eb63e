"""The scripted experts do what they are there for, in every scene of a few."""

from dataclasses import replace

import numpy as np
import pytest

from backend.control import Observation
from backend.robots.config import load_robot_config
from backend.robots.experts import ClumsyExpert, Slips, make_expert
from backend.robots.make import make_arm, make_policy


def blind(name):
    """Without cameras an attempt takes a tenth of the time."""
    config = load_robot_config(name)
    return replace(config, robot={**config.robot, "cameras": {}})


@pytest.mark.parametrize("name", ["so101_sim_touch", "so101_sim_pick"])
def test_the_expert_succeeds_in_scene_after_scene(name):
    config = blind(name)
    arm = make_arm(config, seed=11)
    arm.connect()
    policy = make_policy("scripted", config, arm)

    outcomes = []
    for _ in range(4):
        policy.reset()
        seen = arm.observe()
        for _ in range(round(10 * arm.fps)):
            action = policy.act(seen)
            executed = arm.act(action)
            assert np.abs(executed - action).max() < 15, "what it asks for is within reach"
            seen = arm.observe()
            if seen.privileged["success"]:
                break
        outcomes.append(seen.privileged["success"])
        arm.begin_reset()
    arm.close()

    assert outcomes == [True] * 4


def test_a_clumsy_expert_misses_until_it_notices():
    config = blind("so101_sim_touch")
    # Starts where the wrong way does not push the cube out of reach.
    arm = make_arm(config, seed=3)
    arm.connect()
    # The object's half width is 15 mm, the margin 5 mm: 4 cm beside it touches nothing.
    slips = Slips(share=1.0, reach_m=(0.04, 0.05), noticed_share=1.0, notices_s=(4.0, 4.0))
    policy = ClumsyExpert(
        make_expert(config, arm), fps=arm.fps, slips=slips, rng=np.random.default_rng(0)
    )

    steps_needed = []
    for _ in range(3):
        policy.reset()
        seen = arm.observe()
        steps_needed.append(0)
        while not seen.privileged["success"]:
            arm.act(policy.act(seen))
            seen = arm.observe()
            steps_needed[-1] += 1
            assert steps_needed[-1] < 100
        arm.begin_reset()
    arm.close()

    assert min(steps_needed) > 40, "it noticed after four seconds"


def test_an_expert_says_what_it_needs():
    config = blind("so101_sim_touch")
    policy = make_policy("scripted", config, make_arm(config))
    real = Observation(state=np.zeros(6, dtype=np.float32), frames={}, frame_wall_s={})

    with pytest.raises(ValueError, match="object_pose"):
        policy.act(real)
