"""A leader arm on emulated servos, stepped as the control loop would."""

from pathlib import Path

import numpy as np
from lerobot.teleoperators.so_leader import SO101Leader, SO101LeaderConfig

from backend.robots.leader import LeaderFeel, LeaderInput
from tests.hardware.arms import JOINTS, EmulatedArm

NAMES = tuple(f"{joint}.pos" for joint in JOINTS)
DT_S = 1 / 30
FEEL = LeaderFeel()


def state(**joints: float) -> np.ndarray:
    """The follower's state: zero and a half open gripper where nothing is said."""
    return np.array([{"gripper": 50.0, **joints}.get(j, 0.0) for j in JOINTS], dtype=np.float32)


class Bench:
    """A leader on its emulated arm, not connected when made."""

    def __init__(self, arm: EmulatedArm, clock) -> None:
        self.arm, self.clock = arm, clock
        fields = arm.lerobot_fields()
        self.teleop = SO101Leader(
            SO101LeaderConfig(**{**fields, "calibration_dir": Path(fields["calibration_dir"])})
        )
        self.leader = LeaderInput(
            self.teleop, name="so101_leader", action_names=NAMES, position=lambda s: s
        )

    def follow(self, follower: np.ndarray, seconds: float = DT_S) -> list[bool]:
        """Follow for a while; return what `wants_over` said at each step."""
        wishes = []
        for _ in range(max(1, round(seconds / DT_S))):
            self.leader.follow(follower, DT_S)
            wishes.append(self.leader.wants_over())
            self.settle()
            self.clock.move(DT_S)
        return wishes

    def lead(self, follower: np.ndarray) -> np.ndarray:
        target = self.leader.act(follower, DT_S)
        self.clock.move(DT_S)
        return target

    def settle(self) -> None:
        """Goals are sent without an answer; what was asked after them has one."""
        if not self.arm.bus.faults.num_lost:
            self.teleop.get_action()

    def pose(self) -> np.ndarray:
        return np.array(list(self.arm.pose().values()))
