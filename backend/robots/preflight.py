"""Looks a robot over before anything moves: what is there, what answers, how fast, how much room.

    for finding in check(load_robot_config("so101")):
        print(finding.level, finding.check, finding.message, finding.remedy)

Motors are asked and never told; cameras are opened, counted and closed. A simulated robot holds
still for some steps. It takes a few seconds and needs the ports for itself, so no session may have
the robot open meanwhile. One finding never hides another: what can be checked, is.

Importing this imports LeRobot. Whoever may not, the server's process, runs it in a child process.
"""

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lerobot.robots
import lerobot.teleoperators
from lerobot.robots.config import RobotConfig as LeRobotRobotConfig
from lerobot.robots.utils import make_robot_from_config
from lerobot.teleoperators.config import TeleoperatorConfig
from lerobot.teleoperators.utils import make_teleoperator_from_config

from backend.control import Arm
from backend.robots import make
from backend.robots.arm import LeRobotArm
from backend.robots.config import RobotConfig, RobotConfigError
from backend.robots.leader import LeaderInput
from backend.robots.motor_buses import arms_of
from backend.robots.preflight_calibration import check_calibration
from backend.robots.preflight_cameras import V4L_BY_ID, check_cameras
from backend.robots.preflight_finding import Finding, blocking, may_move, ok, warning
from backend.robots.preflight_ports import SERIAL_BY_ID, check_ports, ports_of
from backend.robots.preflight_servos import check_servos
from backend.robots.preflight_steps import check_steps, judge_step

__all__ = ["Finding", "check", "may_move"]

SIMULATED = (make.SIMULATOR, make.SYNTHETIC)
GB = 1e9
LOW_DISK_GB = 10.0
NO_DISK_GB = 2.0
# One 640x480 picture of a table top in H.264, roughly; only for the estimate of hours.
BYTES_PER_CAMERA_STEP = 10_000


def check(
    config: RobotConfig,
    *,
    data_dir: Path = Path("data"),
    serial_by_id: Path = SERIAL_BY_ID,
    v4l_by_id: Path = V4L_BY_ID,
    clock: Callable[[], float] = time.perf_counter,
) -> list[Finding]:
    """Return everything that was found, good and bad, in the order it was looked at.

    Args:
        config: The robot config; reading it has already checked its form.
        data_dir: Where episodes will be written.
        serial_by_id: Where the system keeps names of ports that do not change.
        v4l_by_id: Where the system keeps names of cameras that do not change.
        clock: Monotonic seconds.
    """
    try:
        if config.robot["type"] in SIMULATED:
            arm = make.make_arm(config)
            return [
                *_config(config, arm),
                _disk(config, arm, data_dir),
                *check_steps(arm, clock=clock),
            ]
        robot, teleop = _devices(config)
        arm = LeRobotArm(config, robot)
        if teleop is not None:
            LeaderInput(
                teleop,
                name=str(config.teleop["type"]),
                action_names=arm.action_names,
                position=arm.position,
            )
    except ImportError as error:
        return [blocking("config", str(error), "install it into .venv, then check again")]
    except (RobotConfigError, ValueError, TypeError) as error:
        return [blocking("config", str(error), f"correct {str(config.source)!r}, then check again")]
    findings = [*_config(config, arm), *_units(robot, teleop), _disk(config, arm, data_dir)]
    findings += _motors(config, robot, teleop, serial_by_id=serial_by_id, clock=clock)
    cameras = _cameras(config, robot)
    return findings + check_cameras(cameras, fps=config.fps, by_id=v4l_by_id, clock=clock)


def _devices(config: RobotConfig) -> tuple[Any, Any]:
    """LeRobot's robot and leader arm, not connected; no leader where the page drives."""
    robot_config = make.decode(config, "robot", config.robot, LeRobotRobotConfig, lerobot.robots)
    teleop_config = make.decode(
        config, "teleop", config.teleop, TeleoperatorConfig, lerobot.teleoperators
    )
    robot = make_robot_from_config(robot_config)
    if teleop_config.type == make.BROWSER:
        return robot, None
    return robot, make_teleoperator_from_config(teleop_config)


def _config(config: RobotConfig, arm: Arm) -> list[Finding]:
    reach = zip(arm.action_names, arm.limits.max_relative_target.tolist(), strict=True)
    speed = max(most * config.fps for name, most in reach if "gripper" not in name)
    text = (
        f"{config.name}: {len(arm.action_names)} joints, {len(arm.cameras)} cameras, "
        f"{config.fps:g} steps a second, at most {speed:.0f} units a second"
    )
    findings = [ok("config", text)]
    for name, value in (config.reset.pose or {}).items():
        low, high = config.limits.joints[name]
        if not low <= value <= high:
            findings.append(
                warning(
                    "config",
                    f"reset.pose.{name} is {value:g}, outside of its limits {low:g} to {high:g}",
                    "correct the pose; until then the arm goes to the limit instead",
                )
            )
    return findings


def _units(robot: Any, teleop: Any) -> list[Finding]:
    """A follower in degrees and a leader in per cent would jump at each other."""
    leaders = {} if teleop is None else arms_of(teleop)
    findings = []
    for prefix, arm in arms_of(robot).items():
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


def _cameras(config: RobotConfig, robot: Any) -> dict[str, Any]:
    """LeRobot's cameras by the names that observations have."""
    arms = arms_of(robot)
    if set(arms) <= {""}:
        return dict(getattr(robot, "cameras", {}))
    # A pair's own `cameras` loses one of two that have the same name on both arms.
    shared = config.robot.get("cameras") or {}
    return {
        name if name in shared else prefix + name: camera
        for prefix, arm in arms.items()
        for name, camera in arm.cameras.items()
    }


def _disk(config: RobotConfig, arm: Arm, data_dir: Path) -> Finding:
    there = next(path for path in (data_dir, *data_dir.resolve().parents) if path.is_dir())
    free_gb = shutil.disk_usage(there).free / GB
    pixels = sum(width * height for width, height in arm.cameras.values())
    bytes_a_second = BYTES_PER_CAMERA_STEP * pixels / (640 * 480) * config.fps
    hours = free_gb * GB / max(bytes_a_second, 1.0) / 3600
    text = f"{free_gb:.0f} GB are free in {str(data_dir)!r}, about {hours:.0f} h of recording"
    remedy = "move old episodes or datasets away, or choose another folder with --data-dir"
    if free_gb < NO_DISK_GB:
        return blocking("disk", text, remedy)
    return warning("disk", text, remedy) if free_gb < LOW_DISK_GB else ok("disk", text)


def _motors(
    config: RobotConfig,
    robot: Any,
    teleop: Any,
    *,
    serial_by_id: Path,
    clock: Callable[[], float],
) -> list[Finding]:
    ports = {**ports_of(config.robot, "robot"), **ports_of(config.teleop, "teleop")}
    findings = check_ports(ports, by_id=serial_by_id)
    reachable = may_move(findings)
    step_s, is_known = 0.0, True
    for key, device, given in (("robot", robot, config.robot), ("teleop", teleop, config.teleop)):
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
        report = check_servos(device, key=key, device_type=str(given["type"]), clock=clock)
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
