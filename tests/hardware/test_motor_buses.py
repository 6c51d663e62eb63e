"""Motor buses on which something went wrong: letting go of them, and asking them again."""

import cv2
import pytest

from backend.robots.make import make_arm
from backend.robots.motor_buses import arms_of, ask_afresh, let_go
from tests.hardware.arms import JOINTS
from tests.hardware.cameras import FileDevice, write_video
from tests.hardware.rigs import so101_config


@pytest.fixture
def connected(follower):
    follower.connect(calibrate=False)
    return follower


def test_a_whole_arm_is_limp_and_its_port_free(connected, follower_arm):
    assert let_go(connected) == []

    assert follower_arm.torque() == set()
    assert not connected.is_connected


def test_an_arm_that_was_never_connected_is_left_alone(follower, follower_arm):
    assert let_go(follower) == []
    assert not follower.is_connected


@pytest.mark.parametrize("silent", ["shoulder_pan", "elbow_flex", "gripper"])
def test_every_joint_that_answers_is_limp_and_the_other_is_named(connected, follower_arm, silent):
    follower_arm.bus.faults.silence(JOINTS[silent].servo_id)

    assert let_go(connected) == [silent]

    assert follower_arm.torque() == {silent}
    assert not connected.bus.is_connected


def test_an_unplugged_arm_frees_its_port_and_says_that_all_may_be_stiff(connected, follower_arm):
    follower_arm.bus.unplug()

    assert let_go(connected) == list(JOINTS)

    assert not connected.bus.is_connected


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_arm_whose_camera_is_gone_is_limp_although_lerobot_calls_it_not_connected(
    tmp_path, follower_arm, monkeypatch
):
    monkeypatch.setattr(cv2, "VideoCapture", FileDevice)
    cameras = {"wrist": write_video(tmp_path / "wrist.mp4")}
    config = so101_config(tmp_path, follower=follower_arm, cameras=cameras)
    robot = make_arm(config)._robot
    robot.connect(calibrate=False)
    thread = robot.cameras["wrist"].thread
    FileDevice.unplugged.set()
    thread.join(timeout=60)
    assert not robot.is_connected
    assert follower_arm.torque() == set(JOINTS)

    assert let_go(robot) == []

    assert follower_arm.torque() == set()
    FileDevice.unplugged.clear()


def test_replies_left_over_from_a_read_that_failed_answer_no_other_question(
    connected, follower_arm
):
    ask_afresh(connected)
    for angle in (10.0, 20.0, 30.0):
        follower_arm.grip(wrist_flex=angle)
        follower_arm.bus.faults.corrupt(2)
        assert connected.get_observation()["wrist_flex.pos"] == pytest.approx(angle, abs=0.1)
        assert set(connected.bus.sync_read("Status", normalize=False).values()) == {0}
    assert connected.get_observation()["gripper.pos"] == pytest.approx(50, abs=0.1)


def test_a_device_without_a_motors_bus_has_no_arms():
    assert arms_of(object()) == {}
