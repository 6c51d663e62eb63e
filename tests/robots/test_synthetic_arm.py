"""The synthetic robot as an arm, and the faults it can have."""

import itertools
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.control import RobotFaultError
from backend.robots.arm import LeRobotArm
from backend.robots.config import load_robot_config
from backend.robots.make import make_arm
from backend.robots.synthetic import (
    STAMP_BITS,
    STAMP_BLOCK_PX,
    SyntheticCamera,
    SyntheticCameraConfig,
    SyntheticRobot,
    SyntheticRobotConfig,
    read_stamp,
    write_stamp,
)
from tests.contracts.arm_contract import ArmContract

CONFIG = load_robot_config("synthetic")


class Clock:
    def __init__(self):
        self.now_s = 0.0

    def __call__(self):
        return self.now_s


class TestSyntheticArm(ArmContract):
    @pytest.fixture
    def clock(self):
        return Clock()

    @pytest.fixture
    def new_arm(self, clock, tmp_path):
        def make():
            cameras = {
                name: SyntheticCameraConfig(width=320, height=240, fps=30)
                for name in ("overhead", "wrist")
            }
            robot_config = SyntheticRobotConfig(calibration_dir=tmp_path, cameras=cameras)
            return LeRobotArm(CONFIG, SyntheticRobot(robot_config, clock_s=clock))

        return make

    @pytest.fixture
    def arm(self, new_arm):
        arm = new_arm()
        arm.connect()
        yield arm
        arm.close()

    @pytest.fixture
    def step_passes(self, clock):
        def pass_step():
            clock.now_s += 1 / CONFIG.fps

        return pass_step


def faulty(**faults):
    return make_arm(replace(CONFIG, robot={**CONFIG.robot, **faults}))


def test_an_unplugged_robot_says_what_to_check():
    arm = faulty(fail_after_steps=2)
    arm.connect()
    still = arm.position(arm.observe().state)
    arm.act(still)
    arm.act(still)

    with pytest.raises(RobotFaultError, match=r"unplugged after 2 steps.*USB cable"):
        arm.act(still)
    with pytest.raises(RobotFaultError, match="could not read"):
        arm.observe()
    arm.close()


def test_a_frozen_camera_keeps_the_time_of_its_last_picture():
    arm, running = faulty(freeze_cameras_after_steps=1), make_arm(CONFIG)
    arm.connect()
    running.connect()
    arm.act(arm.position(arm.observe().state))
    wait_for_frames(running, 2)
    first = arm.observe()
    wait_for_frames(running, 3)
    second = arm.observe()
    arm.close()
    running.close()

    for name in arm.cameras:
        assert second.frame_wall_s[name] == pytest.approx(first.frame_wall_s[name], abs=2e-3)
        assert read_stamp(second.frames[name]) == read_stamp(first.frames[name])


def wait_for_frames(arm, count):
    """Another arm's camera is the clock: no test sleeps."""
    seen = set()
    while len(seen) <= count:
        seen.add(read_stamp(arm.observe().frames["overhead"]))


def test_a_frame_carries_its_capture_time():
    arm = make_arm(CONFIG)
    arm.connect()
    seen = arm.observe()
    arm.close()

    for name, frame in seen.frames.items():
        assert read_stamp(frame) / 1000 == pytest.approx(seen.frame_wall_s[name], abs=0.05)


@given(st.integers(0, 2**STAMP_BITS - 1), st.sampled_from([(320, 240), (640, 480)]))
def test_a_stamp_survives_jpeg(ms, size):
    width, height = size
    frame = np.random.default_rng(ms).integers(0, 256, (height, width, 3), dtype=np.uint8)
    write_stamp(frame, ms)

    jpeg = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, 80])[1]

    assert read_stamp(cv2.imdecode(jpeg, cv2.IMREAD_COLOR)) == ms


def test_a_camera_too_narrow_for_its_stamp_is_refused():
    with pytest.raises(ValueError, match=str(STAMP_BITS * STAMP_BLOCK_PX)):
        SyntheticCamera(SyntheticCameraConfig(width=96, height=96, fps=30))


def test_joints_follow_at_a_finite_speed(tmp_path):
    clock = Clock()
    robot = SyntheticRobot(
        SyntheticRobotConfig(calibration_dir=tmp_path, joint_speed=60.0), clock_s=clock
    )
    robot.connect()
    robot.send_action({**dict.fromkeys(robot.action_features, 0.0), "shoulder_pan.pos": 90.0})

    def pan_at(now_s):
        clock.now_s = now_s
        return robot.get_observation()["shoulder_pan.pos"]

    pans = [pan_at(0.5), pan_at(1.0), pan_at(2.0)]

    assert pans == pytest.approx([30.0, 60.0, 90.0])


def test_three_large_cameras_are_configured_for_the_benchmark():
    arm = make_arm(load_robot_config("synthetic_3cam"))

    assert list(arm.cameras.values()) == [(640, 480)] * 3
    assert arm.fps == 30


def test_a_way_that_is_blocked_is_given_up(tmp_path, caplog):
    clock = Clock()
    stuck = SyntheticRobotConfig(calibration_dir=tmp_path, joint_speed=0.0)
    arm = LeRobotArm(CONFIG, SyntheticRobot(stuck, clock_s=clock))
    arm.connect()

    arm.begin_reset()
    actions = list(
        itertools.takewhile(
            lambda action: action is not None,
            (arm.reset_action(arm.observe().state) for _ in range(200)),
        )
    )
    arm.close()

    assert 0 < len(actions) < 100
    assert "something is in the way" in caplog.text
