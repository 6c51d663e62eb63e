"""What each `open` looks at first: quick, moves nothing, and finds what forbids to move."""

import pytest

from backend.robots.config import load_robot_config
from backend.robots.preflight import check_to_open
from backend.robots.preflight_finding import Level, in_words, may_move
from tests.hardware.arms import JOINTS
from tests.hardware.cameras import write_video
from tests.hardware.rigs import so101_config
from tests.hardware.servo import Alarm


@pytest.fixture
def look(tmp_path, follower_arm, leader_arm):
    camera = write_video(tmp_path / "wrist.mp4")

    def look(**changes):
        config = so101_config(
            tmp_path,
            follower=follower_arm,
            leader=leader_arm,
            cameras={"wrist": camera},
            **changes,
        )
        return check_to_open(config)

    return look


def test_a_whole_robot_may_move_and_was_not_touched(look, follower_arm, leader_arm):
    arms = (follower_arm, leader_arm)
    before = [arm.servo(joint).read(0, 128) for arm in arms for joint in JOINTS]

    findings = look()

    assert may_move(findings)
    assert in_words(findings) == ""
    assert {finding.check for finding in findings} == {"config", "port", "calibration", "servos"}
    assert [arm.servo(joint).read(0, 128) for arm in arms for joint in JOINTS] == before


def test_everything_that_forbids_to_move_is_said_with_its_remedy(look, follower_arm, leader_arm):
    follower_arm.raise_alarm("gripper", Alarm.OVERLOAD)
    leader_arm.write_calibration_file(wrist_flex={"range_min": 2000, "range_max": 2010})

    findings = look()

    assert not may_move(findings)
    words = in_words(findings)
    assert "gripper has shut itself off" in words
    assert "free the joint" in words
    assert "wrist_flex was moved by only 1° while calibrating" in words
    assert "lerobot-calibrate --teleop.type=so101_leader" in words


def test_a_camera_that_is_not_there_forbids_to_open(tmp_path, follower_arm):
    config = so101_config(
        tmp_path, follower=follower_arm, cameras={"wrist": tmp_path / "unplugged.mp4"}
    )

    blocking = [f for f in check_to_open(config) if f.level is Level.BLOCKING]

    assert [finding.check for finding in blocking] == ["cameras"]


@pytest.mark.parametrize("name", ["synthetic", "so101_sim_touch"])
def test_a_simulated_robot_opens_at_once(name):
    assert check_to_open(load_robot_config(name)) == []
