"""Arms, inputs and policies from configs, through LeRobot's registries."""

from dataclasses import replace

import numpy as np
import pytest
import yaml
from lerobot.robots.robot import Robot

from backend.control import Observation, RobotFaultError
from backend.robots.arm import LeRobotArm
from backend.robots.config import RobotConfigError, load_robot_config
from backend.robots.make import make_arm, make_input, make_policy

SYNTHETIC = load_robot_config("synthetic")
SIM = load_robot_config("so101_sim_touch")


def with_robot(config, **changes):
    return replace(config, robot={**config.robot, **changes})


def test_lerobots_own_robots_are_made_from_their_own_terms(tmp_path):
    robot = {
        "type": "so101_follower",
        "port": "/dev/nothing",
        "id": "mine",
        "calibration_dir": str(tmp_path),
        "cameras": {
            "front": {"type": "opencv", "index_or_path": 0, "width": 640, "height": 480, "fps": 30}
        },
    }
    arm = make_arm(replace(SYNTHETIC, robot=robot))

    assert arm.robot_type == "so101_follower"
    assert arm.cameras == {"front": (640, 480)}
    assert arm.action_names == tuple(SYNTHETIC.limits.joints)
    with pytest.raises(RobotFaultError, match=r"could not connect.*lerobot-find-port"):
        arm.connect()


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (with_robot(SYNTHETIC, type="so101_folower"), r"robot\.type: no 'so101_folower'"),
        (with_robot(SYNTHETIC, joint_sped=3), r"robot\.joint_sped: .*did you mean 'joint_speed'"),
        (with_robot(SYNTHETIC, joint_speed="fast"), r"robot: LeRobot refuses it"),
        (
            with_robot(SYNTHETIC, cameras={"a": {"width": 3}}),
            r"robot\.cameras\.a: needs keys and a type",
        ),
        (
            with_robot(SYNTHETIC, cameras={"a": {"type": "handrail_synthetik"}}),
            r"did you mean 'handrail_synthetic'",
        ),
        (with_robot(SIM, env_id="MuJoCoTouch-v9"), r"robot\.env_id: no simulation"),
        (
            replace(SIM, limits=replace(SIM.limits, joints={"shoulder_pan": (0, 1)})),
            r"limits\.joints\.shoulder_pan: no such action; did you mean 'shoulder_pan\.pos'",
        ),
        (
            replace(SYNTHETIC, reset=replace(SYNTHETIC.reset, pose={"gripper.pos": 0.0})),
            r"reset\.pose: missing shoulder_pan\.pos",
        ),
    ],
)
def test_what_lerobot_would_stumble_over_is_named_first(config, message):
    with pytest.raises(RobotConfigError, match=message):
        make_arm(config)


def test_every_config_in_the_repository_makes_an_arm_and_its_input():
    for name in ("so101_sim_touch", "so101_sim_pick", "synthetic", "synthetic_3cam"):
        config = load_robot_config(name)
        arm = make_arm(config)
        human = make_input(config, arm)

        assert human.action_features.keys() == set(arm.action_names)


def test_speeds_of_the_teleoperator_come_from_its_config():
    config = replace(SYNTHETIC, teleop={"type": "handrail_browser", "speed": 0.2})

    assert make_input(config, make_arm(config)).speed == 0.2


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            replace(SYNTHETIC, teleop={"type": "so101_leadr", "port": "x"}),
            "did you mean 'so101_leader'",
        ),
        (
            replace(SYNTHETIC, teleop={"type": "handrail_browser", "sped": 1}),
            "did you mean 'speed'",
        ),
    ],
)
def test_an_input_that_cannot_drive_is_refused(config, message):
    with pytest.raises(RobotConfigError, match=message):
        make_input(config, make_arm(SYNTHETIC))


def test_an_arm_that_does_not_speak_degrees_is_refused_for_the_page():
    config = with_robot(SIM, use_degrees=False)

    with pytest.raises(RobotConfigError, match="use_degrees"):
        make_input(config, make_arm(SIM))


def test_hold_holds():
    policy = make_policy("hold", SYNTHETIC, make_arm(SYNTHETIC))
    seen = Observation(state=np.zeros(6, dtype=np.float32), frames={}, frame_wall_s={})

    policy.reset()
    assert policy.act(seen) is None
    assert (policy.name, policy.checkpoint_id) == ("hold", None)


def test_a_policy_that_is_not_there_is_named():
    with pytest.raises(RobotConfigError, match="no policy 'scripted'"):
        make_policy("scripted", SYNTHETIC, make_arm(SYNTHETIC))


class FakeRobot(Robot):
    """A LeRobot robot with what a test needs of it."""

    name = "fake"
    observation_features = {"a.pos": float, "camera": (2, 3, 3), "depth": (2, 3, 1)}  # noqa: RUF012
    action_features = {"a.pos": float}  # noqa: RUF012
    is_connected = False
    is_calibrated = True
    picture = np.zeros((2, 3, 3), dtype=np.uint8)
    position = 0.0

    def __init__(self, tmp_path):
        self.id, self.calibration_fpath, self.disconnects = "f", tmp_path / "f.json", 0

    def connect(self, calibrate=True):
        assert not calibrate, "nobody sits at the terminal"
        self.is_connected = True

    def calibrate(self):
        raise AssertionError("nobody sits at the terminal")

    def configure(self):
        pass

    def get_observation(self):
        return {"a.pos": self.position, "camera": self.picture, "depth": self.picture}

    def send_action(self, action):
        return action

    def disconnect(self):
        self.is_connected = False
        self.disconnects += 1


@pytest.fixture
def robot(tmp_path):
    return FakeRobot(tmp_path)


@pytest.fixture
def arm(robot, tmp_path):
    path = tmp_path / "fake.yaml"
    limits = {"joints": {"a.pos": [-10, 10]}, "max_relative_target": 3}
    path.write_text(
        yaml.safe_dump({"robot": {"type": "fake"}, "fps": 10, "task": "t", "limits": limits})
    )
    return LeRobotArm(load_robot_config(path), robot)


def test_a_robot_without_calibration_is_refused_with_the_command_that_makes_one(arm, robot):
    robot.is_calibrated = False

    with pytest.raises(
        RobotFaultError, match=r"lerobot-calibrate --robot\.type=fake --robot\.id=f"
    ):
        arm.connect()
    assert robot.disconnects == 1


def test_pictures_of_the_wrong_size_are_a_fault_at_once(arm, robot):
    robot.picture = np.zeros((4, 4, 3), dtype=np.uint8)

    with pytest.raises(RobotFaultError, match="correct width and height"):
        arm.connect()


def test_a_position_that_is_no_number_is_a_fault(arm, robot):
    arm.connect()
    robot.position = float("nan")

    with pytest.raises(RobotFaultError, match="no number"):
        arm.observe()


def test_depth_maps_are_no_pictures(arm):
    assert arm.cameras == {"camera": (3, 2)}


def test_a_robot_without_a_reset_pose_is_there_at_once(arm):
    arm.connect()
    arm.begin_reset()

    assert arm.reset_action(arm.observe().state) is None


def test_actions_are_bounded_by_what_the_robot_last_reported(arm, robot):
    arm.connect()
    robot.position = 9.0
    arm.observe()

    assert arm.act(np.array([20.0])) == pytest.approx([10.0])
    assert arm.act(np.array([-20.0])) == pytest.approx([6.0])


def test_a_robot_that_fails_to_disconnect_does_not_stop_whoever_closes_it(arm, robot, caplog):
    arm.connect()

    def fail():
        raise OSError("port is gone")

    robot.disconnect = fail
    arm.close()
    robot.is_connected = False

    assert "did not disconnect cleanly: port is gone" in caplog.text


def test_an_action_that_cannot_be_held_still_is_refused(tmp_path, arm):
    blind = FakeRobot(tmp_path)
    blind.observation_features = {"b.pos": float}

    with pytest.raises(RobotConfigError, match="could not be held still"):
        LeRobotArm(arm.config, blind)
