"""LeRobot's devices of a robot config, and everything that can be said of their motors."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lerobot.robots
import lerobot.teleoperators
from lerobot.robots.config import RobotConfig as LeRobotRobotConfig
from lerobot.robots.utils import make_robot_from_config
from lerobot.teleoperators.config import TeleoperatorConfig
from lerobot.teleoperators.utils import make_teleoperator_from_config

from backend.robots import make
from backend.robots.arm import LeRobotArm
from backend.robots.config import RobotConfig
from backend.robots.leader import LeaderInput
from backend.robots.motor_buses import arms_of
from backend.robots.preflight_calibration import check_calibration
from backend.robots.preflight_finding import Finding, blocking, may_move, warning
from backend.robots.preflight_ports import SERIAL_BY_ID, check_ports, ports_of
from backend.robots.preflight_servos import NUM_READS, check_servos
from backend.robots.preflight_steps import judge_step


@dataclass(frozen=True, kw_only=True)
class Devices:
    """What a config names, made and not connected."""

    robot: Any
    # None where the page drives.
    teleop: Any
    arm: LeRobotArm

    @property
    def cameras(self) -> dict[str, Any]:
        """LeRobot's cameras by the names that observations have."""
        arms = arms_of(self.robot)
        if set(arms) <= {""}:
            return dict(getattr(self.robot, "cameras", {}))
        # A pair's own `cameras` loses one of two that have the same name on both arms.
        shared = self.arm.config.robot.get("cameras") or {}
        return {
            name if name in shared else prefix + name: camera
            for prefix, arm in arms.items()
            for name, camera in arm.cameras.items()
        }


def make_devices(config: RobotConfig) -> Devices:
    """Make robot and leader arm of a config; nothing is opened.

    Raises:
        RobotConfigError, ValueError, TypeError: Something in the config does not fit.
        ImportError: A driver's own dependency is not installed.
    """
    robot_config = make.decode(config, "robot", config.robot, LeRobotRobotConfig, lerobot.robots)
    teleop_config = make.decode(
        config, "teleop", config.teleop, TeleoperatorConfig, lerobot.teleoperators
    )
    robot = make_robot_from_config(robot_config)
    arm = LeRobotArm(config, robot)
    if teleop_config.type == make.BROWSER:
        return Devices(robot=robot, teleop=None, arm=arm)
    teleop = make_teleoperator_from_config(teleop_config)
    # Refuses a leader without the follower's joints.
    LeaderInput(
        teleop,
        name=str(config.teleop["type"]),
        action_names=arm.action_names,
        position=arm.position,
    )
    return Devices(robot=robot, teleop=teleop, arm=arm)


def check_units(devices: Devices) -> list[Finding]:
    """A follower in degrees and a leader in per cent would jump at each other."""
    leaders = {} if devices.teleop is None else arms_of(devices.teleop)
    findings = []
    for prefix, arm in arms_of(devices.robot).items():
        if prefix not in leaders:
            continue
        theirs = leaders[prefix].bus.motors
        unlike = [
            f"{prefix}{name} ({motor.norm_mode.value}, leader {theirs[name].norm_mode.value})"
            for name, motor in arm.bus.motors.items()
            if name in theirs and motor.norm_mode is not theirs[name].norm_mode
        ]
        if unlike:
            text = f"follower and leader count in other units: {', '.join(unlike)}"
            findings.append(blocking("config", text, "give both the same use_degrees"))
    return findings


def check_motors(
    devices: Devices,
    *,
    serial_by_id: Path = SERIAL_BY_ID,
    num_reads: int = NUM_READS,
    clock: Callable[[], float] = time.perf_counter,
) -> list[Finding]:
    """Look at ports, calibrations and motors, as far as one lets the next be asked.

    Args:
        devices: Not connected, and not connected afterwards.
        serial_by_id: Where the system keeps names of ports that do not change.
        num_reads: How often all joints are read to learn how long that takes; 0 leaves it out.
        clock: Monotonic seconds.
    """
    config = devices.arm.config
    ports = {**ports_of(config.robot, "robot"), **ports_of(config.teleop, "teleop")}
    findings = check_ports(ports, by_id=serial_by_id)
    reachable = may_move(findings)
    step_s, is_known = 0.0, True
    for key, device, given in (
        ("robot", devices.robot, config.robot),
        ("teleop", devices.teleop, config.teleop),
    ):
        if device is None:
            continue
        if not arms_of(device):
            findings.append(_unknown_motors(key, str(given["type"])))
            is_known = False
            continue
        findings += check_calibration(
            device,
            key=key,
            device_type=str(given["type"]),
            limits=config.limits if key == "robot" else None,
        )
        if not reachable:
            continue
        report = check_servos(
            device, key=key, device_type=str(given["type"]), num_reads=num_reads, clock=clock
        )
        findings += report.findings
        is_known &= report.read_p95_s is not None
        step_s += report.read_p95_s or 0.0
    if reachable and is_known:
        findings.append(judge_step(step_s, step_s, fps=config.fps))
    return findings


def _unknown_motors(key: str, device_type: str) -> Finding:
    return warning(
        "servos",
        f"{key}: the motors of {device_type!r} cannot be asked without connecting it",
        "see that nobody is within its reach when it is opened",
    )
