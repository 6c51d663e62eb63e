"""The simulated SO-101 as an arm: real time, scenes, pictures, what only a simulator knows."""

import time

import numpy as np
import pytest

from backend.robots.config import load_robot_config
from backend.robots.make import make_arm
from tests.contracts.arm_contract import ArmContract

CONFIG = load_robot_config("so101_sim_touch")


@pytest.fixture(scope="module")
def shared_arm():
    arm = make_arm(CONFIG, seed=7)
    arm.connect()
    yield arm
    arm.close()


@pytest.fixture
def arm(shared_arm):
    shared_arm.begin_reset()
    return shared_arm


class TestSimArm(ArmContract):
    @pytest.fixture
    def arm(self, shared_arm):
        shared_arm.begin_reset()
        return shared_arm

    @pytest.fixture
    def new_arm(self):
        return lambda: make_arm(CONFIG, seed=7)


def environment(arm):
    return arm._robot._env.unwrapped


def test_one_action_advances_one_control_period(arm):
    still = arm.position(arm.observe().state)
    before = environment(arm).data.time
    for _ in range(5):
        arm.act(still)

    assert environment(arm).data.time - before == pytest.approx(5 / CONFIG.fps)


def test_every_reset_is_a_new_scene_from_one_seed(shared_arm):
    def scenes(seed):
        shared_arm._scene_seeds = np.random.default_rng(seed)
        places = []
        for _ in range(3):
            shared_arm.begin_reset()
            places.append(shared_arm.observe().privileged["object_pose"][:2].tolist())
        return places

    first = scenes(1)

    assert scenes(1) == first
    assert len({tuple(place) for place in first}) == 3


def red(frame):
    return (frame[..., 0] > 100) & (frame[..., 1] < 90) & (frame[..., 2] < 90)


def yellow(frame):
    return (frame[..., 0] > 100) & (frame[..., 1] > 100) & (frame[..., 2] < 90)


def test_a_person_sees_cube_and_arm(shared_arm):
    seen = []
    for _ in range(8):
        shared_arm.begin_reset()
        frames = shared_arm.observe().frames
        assert yellow(frames["overhead"]).mean() > 0.03
        assert yellow(frames["wrist"]).mean() > 0.03
        seen.append([red(frames[name]).sum() for name in ("overhead", "wrist")])

    # The arm hides the cube from one camera now and then, not from both.
    assert all(max(pixels) > 60 for pixels in seen)
    assert np.median(seen, axis=0).min() > 60


def test_pictures_show_the_scene_after_the_last_action(arm):
    before = arm.observe()
    turned = arm.position(before.state)
    turned[0] += 15
    started_s = time.time()
    arm.act(turned)
    after = arm.observe()

    assert (after.frames["wrist"] != before.frames["wrist"]).mean() > 0.05
    assert all(stamp >= started_s for stamp in after.frame_wall_s.values())


def test_meshes_are_thinned_out_for_drawing_only(arm):
    model = environment(arm).model

    assert model.mesh_facenum.sum() < 60_000
    assert (model.mesh_face >= 0).all()
    assert (model.mesh_facenum > 0).all()
    # What collides was made when the model was compiled and is longer than what is drawn.
    assert model.nmeshface > 300_000


def test_success_is_the_simulators_own_verdict(arm):
    assert arm.observe().privileged["success"] is False


def test_the_home_folder_gets_no_calibration(tmp_path, monkeypatch):
    monkeypatch.setattr("lerobot.robots.robot.HF_LEROBOT_CALIBRATION", tmp_path)

    assert make_arm(CONFIG)._robot.is_calibrated
    assert list(tmp_path.iterdir()) == []
