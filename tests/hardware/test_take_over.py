"""Follower and leader together, as a session drives them: policy, take-over, hand-back, close."""

from pathlib import Path

import numpy as np
import pytest
from lerobot.teleoperators.so_leader import SO101LeaderConfig

from backend.robots.config import RobotConfigError
from backend.robots.leader import make_leader
from backend.robots.make import make_arm
from tests.hardware.arms import JOINTS
from tests.hardware.rigs import so101_config

ALL = set(JOINTS)


class Session:
    """What the control loop does with an arm and a leader, one step at a time."""

    def __init__(self, arm, leader, clock) -> None:
        self.arm, self.leader = arm, leader
        self._clock = clock
        self._dt_s = 1 / arm.fps

    def policy_step(self, target: np.ndarray) -> tuple[np.ndarray, bool]:
        state = self.arm.observe().state
        self.leader.follow(state, self._dt_s)
        executed = self.arm.act(target)
        return self._end(executed), self.leader.wants_over()

    def human_step(self) -> np.ndarray:
        state = self.arm.observe().state
        return self._end(self.arm.act(self.leader.act(state, self._dt_s)))

    def take_over(self) -> None:
        self.leader.start(self.arm.observe().state)

    def _end(self, executed: np.ndarray) -> np.ndarray:
        # Goals have no answer; what is asked after them has.
        self.arm.observe()
        self._clock.move(self._dt_s)
        return executed


@pytest.fixture
def config(tmp_path, follower_arm, leader_arm):
    return so101_config(tmp_path, follower=follower_arm, leader=leader_arm)


@pytest.fixture
def leader_config(leader_arm) -> SO101LeaderConfig:
    fields = leader_arm.lerobot_fields()
    return SO101LeaderConfig(**{**fields, "calibration_dir": Path(fields["calibration_dir"])})


@pytest.fixture
def session(config, leader_config, clock):
    arm = make_arm(config)
    leader = make_leader(config, leader_config, arm)
    arm.connect()
    leader.connect()
    yield Session(arm, leader, clock)
    leader.close()
    arm.close()


def test_torque_and_positions_are_right_in_every_phase(session, follower_arm, leader_arm):
    target = np.array([25, -15, 30, 10, -20, 70], dtype=np.float32)
    for _ in range(90):
        session.policy_step(target)
    assert follower_arm.torque() == leader_arm.torque() == ALL
    assert list(leader_arm.pose().values()) == pytest.approx(target, abs=0.5)

    session.take_over()
    assert leader_arm.torque() == set()
    assert follower_arm.torque() == ALL
    executed = [session.human_step()]
    for angle in np.linspace(25, 55, 31):
        leader_arm.grip(shoulder_pan=float(angle))
        executed.append(session.human_step())
    # No jump at the take-over, and the follower went where the hand did from its first second on.
    assert executed[0] == pytest.approx(target, abs=0.5)
    assert executed[-1][0] == pytest.approx(55, abs=0.2)
    for _ in range(5):
        session.human_step()
    assert follower_arm.pose()["shoulder_pan"] == pytest.approx(55, abs=0.5)

    leader_arm.let_go()
    before = leader_arm.pose()
    session.policy_step(target)
    assert leader_arm.torque() == ALL
    assert list(leader_arm.pose().values()) == pytest.approx(list(before.values()), abs=2)

    session.leader.close()
    session.arm.close()
    assert follower_arm.torque() == leader_arm.torque() == set()


def test_pushing_the_leader_asks_once_and_taking_over_then_does_not_jump(session, leader_arm):
    still = session.arm.position(session.arm.observe().state)
    for _ in range(60):
        session.policy_step(still)
    leader_arm.grip(wrist_flex=25.0)
    asked = [session.policy_step(still)[1] for _ in range(12)]
    assert asked.count(True) == 1

    session.take_over()

    steps = np.array([still, *(session.human_step() for _ in range(45))])
    # 25 degrees of difference fade instead of being jumped over.
    assert np.abs(np.diff(steps, axis=0)).max() <= 1.5
    assert steps[-1][3] == pytest.approx(25, abs=0.5)


def test_the_followers_limits_hold_for_the_leader_too(session, follower_arm, leader_arm):
    session.take_over()
    session.human_step()
    leader_arm.grip(shoulder_pan=80.0)

    moved = [session.human_step()[0] for _ in range(3)]

    reach = session.arm.limits.max_relative_target[0]
    assert moved == pytest.approx([reach, 2 * reach, 3 * reach], abs=0.5)


def test_a_leader_for_another_robot_is_refused_by_its_config(config, leader_config):
    arm = make_arm(config)
    arm.action_names = tuple(f"left_{name}" for name in arm.action_names)

    with pytest.raises(RobotConfigError, match=r"teleop: so101_leader has no left_shoulder_pan"):
        make_leader(config, leader_config, arm)
