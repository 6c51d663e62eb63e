"""Looks a robot over before anything moves: what is there, what answers, how fast, how much room.

    for finding in check(load_robot_config("so101")):
        print(finding.level, finding.check, finding.message, finding.remedy)

Motors are asked and never told; cameras are opened, counted and closed. A simulated robot holds
still for some steps. It takes a few seconds and needs the ports for itself, so no session may have
the robot open meanwhile. One finding never hides another: what can be checked, is.

`check_to_open` is the part of it that takes a fraction of a second: each `open` begins with it.

Importing this imports LeRobot. Whoever may not, the server's process, runs it in a child process:
`preflight_process.py`.
"""

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from backend.control import Arm
from backend.robots import make
from backend.robots.arm_cameras import viewed
from backend.robots.config import RobotConfig, RobotConfigError
from backend.robots.preflight_cameras import V4L_BY_ID, check_cameras, check_paths
from backend.robots.preflight_finding import Finding, blocking, may_move, ok, warning
from backend.robots.preflight_motors import check_motors, check_units, make_devices
from backend.robots.preflight_ports import SERIAL_BY_ID
from backend.robots.preflight_steps import check_steps

__all__ = ["Finding", "check", "check_to_open", "may_move"]

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
    cameras_only: bool = False,
    begin: Callable[[str], object] = lambda _what: None,
    keep: Callable[[str, np.ndarray], object] = lambda _camera, _picture: None,
    serial_by_id: Path = SERIAL_BY_ID,
    v4l_by_id: Path = V4L_BY_ID,
    clock: Callable[[], float] = time.perf_counter,
) -> list[Finding]:
    """Return everything that was found, good and bad, in the order it was looked at.

    Args:
        config: The robot config; reading it has already checked its form.
        data_dir: Where episodes will be written.
        cameras_only: Leave out all else; a simulator's cameras take its steps with them.
        begin: Told what is looked at next, for people.
        keep: Given a picture of each camera as a session would see it, uint8 [height, width, 3]
            RGB, possibly in a thread of the camera's.
        serial_by_id: Where the system keeps names of ports that do not change.
        v4l_by_id: Where the system keeps names of cameras that do not change.
        clock: Monotonic seconds.
    """
    begin("the config")
    try:
        if config.robot["type"] in SIMULATED:
            simulated = make.make_arm(config)
            begin("the simulator's speed")
            steps = check_steps(simulated, keep=keep, clock=clock)
            facts = [*_config(config, simulated), _disk(config, simulated, data_dir)]
            return steps if cameras_only else facts + steps
        devices = make_devices(config)
    except (ImportError, RobotConfigError, ValueError, TypeError) as error:
        return [_misfit(config, error)]
    findings: list[Finding] = []
    if not cameras_only:
        findings = [*_config(config, devices.arm), *check_units(devices)]
        findings.append(_disk(config, devices.arm, data_dir))
        begin("ports, calibration and motors")
        findings += check_motors(devices, serial_by_id=serial_by_id, clock=clock)
    begin("the cameras")

    def keep_view(camera: str, picture: np.ndarray) -> None:
        view = config.cameras_view.get(camera)
        keep(camera, picture if view is None else viewed(picture, view))

    return findings + check_cameras(
        devices.cameras, fps=config.fps, by_id=v4l_by_id, keep=keep_view, clock=clock
    )


def check_to_open(
    config: RobotConfig, *, serial_by_id: Path = SERIAL_BY_ID, v4l_by_id: Path = V4L_BY_ID
) -> list[Finding]:
    """Return what can be found without opening a camera or measuring; nothing for a simulator.

    Every motor is asked who and how it is once, which takes about a tenth of a second an arm.
    """
    if config.robot["type"] in SIMULATED:
        return []
    try:
        devices = make_devices(config)
    except (ImportError, RobotConfigError, ValueError, TypeError) as error:
        return [_misfit(config, error)]
    return [
        *_config(config, devices.arm),
        *check_units(devices),
        *check_motors(devices, serial_by_id=serial_by_id, num_reads=0),
        *check_paths(devices.cameras, by_id=v4l_by_id),
    ]


def _misfit(config: RobotConfig, error: Exception) -> Finding:
    if isinstance(error, ImportError):
        return blocking("config", str(error), "install it into .venv, then check again")
    return blocking("config", str(error), f"correct {str(config.source)!r}, then check again")


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
