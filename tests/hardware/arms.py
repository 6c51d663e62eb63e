"""Whole emulated arms: six servos with the SO-101's joints, and the calibration that fits them.

Positions are in LeRobot's units here: degrees from the middle of a joint's range, the gripper in
per cent of it. The emulation is reached by LeRobot's `so101_follower` and `so101_leader`.
"""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.hardware.bus import ServoBus
from tests.hardware.registers import RESOLUTION
from tests.hardware.servo import MAX_SPEED_TICKS_S, Alarm, Servo


@dataclass(frozen=True, kw_only=True)
class Joint:
    """One joint as it was calibrated."""

    servo_id: int
    range_min: int
    range_max: int
    homing_offset: int

    @property
    def is_gripper(self) -> bool:
        return self.servo_id == 6

    def ticks(self, value: float) -> float:
        """Position as the bus has it, from LeRobot's units."""
        if self.is_gripper:
            return self.range_min + value / 100 * (self.range_max - self.range_min)
        return (self.range_min + self.range_max) / 2 + value * (RESOLUTION - 1) / 360

    def value(self, ticks: float) -> float:
        """LeRobot's units, from a position as the bus has it."""
        if self.is_gripper:
            return (ticks - self.range_min) / (self.range_max - self.range_min) * 100
        return (ticks - (self.range_min + self.range_max) / 2) * 360 / (RESOLUTION - 1)


JOINTS = {
    "shoulder_pan": Joint(servo_id=1, range_min=790, range_max=3300, homing_offset=-312),
    "shoulder_lift": Joint(servo_id=2, range_min=850, range_max=3210, homing_offset=540),
    "elbow_flex": Joint(servo_id=3, range_min=870, range_max=3080, homing_offset=-95),
    "wrist_flex": Joint(servo_id=4, range_min=910, range_max=3230, homing_offset=233),
    "wrist_roll": Joint(servo_id=5, range_min=0, range_max=4095, homing_offset=18),
    "gripper": Joint(servo_id=6, range_min=2030, range_max=3490, homing_offset=-701),
}


class EmulatedArm:
    """An SO-101, leader or follower, plugged in when made.

    Args:
        folder: A folder of the test's: the port and the calibration lie in it.
        name: Id of the robot or teleoperator; the port's name too.
        pose: Where the joints are at first; the middle for those left out.
        clock: Monotonic seconds, which the servos move by.
        keeps_stale_goal: See `Servo`.
    """

    def __init__(
        self,
        folder: Path,
        *,
        name: str = "follower",
        pose: Mapping[str, float] | None = None,
        clock: Callable[[], float] = time.monotonic,
        max_speed_ticks_s: float = MAX_SPEED_TICKS_S,
        keeps_stale_goal: bool = False,
    ) -> None:
        self.name = name
        self.calibration_dir = folder / "calibration"
        pose = {"gripper": 50.0, **(pose or {})}
        servos = [
            Servo(
                joint.servo_id,
                shaft_ticks=joint.ticks(pose.get(joint_name, 0.0)) + joint.homing_offset,
                max_speed_ticks_s=max_speed_ticks_s,
                keeps_stale_goal=keeps_stale_goal,
            )
            for joint_name, joint in JOINTS.items()
        ]
        self.bus = ServoBus(folder / name, servos, clock=clock)
        self.calibrate()

    @property
    def port(self) -> Path:
        return self.bus.port

    def calibrate(self) -> None:
        """Write the calibration into the servos and, as LeRobot does, into a file."""
        for name, joint in JOINTS.items():
            servo = self.servo(name)
            servo.write(55, b"\0", now_s=self.bus.now_s())
            for address, value in ((9, joint.range_min), (11, joint.range_max)):
                servo.write(address, value.to_bytes(2, "little"), now_s=self.bus.now_s())
            sign = 1 << 11 if joint.homing_offset < 0 else 0
            offset = (abs(joint.homing_offset) | sign).to_bytes(2, "little")
            servo.write(31, offset, now_s=self.bus.now_s())
        self.write_calibration_file()

    def write_calibration_file(self, **changes: Mapping[str, Any]) -> Path:
        """Write LeRobot's calibration file, with `changes` to single joints; return its path."""
        self.calibration_dir.mkdir(exist_ok=True)
        path = self.calibration_dir / f"{self.name}.json"
        content = {
            name: {
                "id": joint.servo_id,
                "drive_mode": 0,
                "homing_offset": joint.homing_offset,
                "range_min": joint.range_min,
                "range_max": joint.range_max,
                **changes.get(name, {}),
            }
            for name, joint in JOINTS.items()
        }
        path.write_text(json.dumps(content, indent=4), encoding="utf-8")
        return path

    def lerobot_fields(self) -> dict[str, Any]:
        """The keys of a robot config's `robot` or `teleop` that lead to this arm."""
        return {
            "id": self.name,
            "port": str(self.port),
            "calibration_dir": str(self.calibration_dir),
        }

    def servo(self, joint: str) -> Servo:
        """Return the servo of a joint as it is now."""
        return self.bus.servo(JOINTS[joint].servo_id)

    def pose(self) -> dict[str, float]:
        """Where the joints are now."""
        return {
            name: joint.value(self.servo(name).get("present_position"))
            for name, joint in JOINTS.items()
        }

    def goal(self) -> dict[str, float]:
        """Where the joints were told to go."""
        return {
            name: joint.value(self.servo(name).get("goal_position"))
            for name, joint in JOINTS.items()
        }

    def torque(self) -> set[str]:
        """The joints whose torque is on."""
        return {name for name in JOINTS if self.servo(name).has_torque}

    def grip(self, **pose: float) -> None:
        """A hand takes joints to positions and keeps them there, torque or not."""
        for name, value in pose.items():
            self.servo(name).grip(JOINTS[name].ticks(value))

    def let_go(self) -> None:
        """No hand touches the arm any more."""
        for name in JOINTS:
            self.servo(name).let_go()

    def feel(self, joint: str, **registers: int) -> None:
        """A servo reports this of itself from now on, its temperature for instance."""
        for name, value in registers.items():
            self.servo(joint).set(name, value)

    def raise_alarm(self, joint: str, alarm: Alarm) -> None:
        """A servo protects itself."""
        self.servo(joint).raise_alarm(Alarm(alarm), now_s=self.bus.now_s())

    def close(self) -> None:
        """Take the arm away; harmless when repeated."""
        self.bus.close()
