"""Calibration files of a robot's arms: there, whole, and such that a person can have made them.

Whether the motors hold the same calibration is asked of the motors: `preflight_servos.py`.
"""

from collections.abc import Mapping
from typing import Any

from lerobot.motors import MotorNormMode

from backend.robots.config import LimitsConfig
from backend.robots.motor_buses import arms_of
from backend.robots.preflight_finding import Finding, blocking, ok, warning

# A joint that was moved by less than this while calibrating was forgotten.
MIN_RANGE_DEG = 25.0
# LeRobot's calibration begins with every joint in its middle, which becomes the middle of a turn.
MIDDLE = 0.5
# Limits may lie this far beyond the calibrated range; nothing but rounding.
SLACK_DEG = 2.0


def check_calibration(
    device: Any, *, key: str, device_type: str, limits: LimitsConfig | None = None
) -> list[Finding]:
    """Look at the calibration of every arm of a LeRobot device.

    Args:
        device: The robot or teleoperator, need not be connected.
        key: `robot` or `teleop`.
        device_type: Its name in LeRobot's commands.
        limits: The config's limits, to be compared with the calibrated ranges; a follower's.
    """
    findings = []
    for prefix, arm in arms_of(device).items():
        remedy = calibrate_command(arm, key=key, device_type=device_type)
        name = f"{key} {prefix.rstrip('_')}".strip()
        calibration = arm.bus.calibration
        if not calibration:
            findings.append(
                blocking("calibration", f"{name}: no file {str(arm.calibration_fpath)!r}", remedy)
            )
            continue
        wrong = _implausible(arm.bus)
        if wrong:
            findings += [
                blocking("calibration", f"{name}: {text}", f"calibrate again: {remedy}")
                for text in wrong
            ]
            continue
        beyond = [] if limits is None else _beyond(arm.bus, prefix, limits)
        findings += [
            warning(
                "calibration",
                f"{name}: {text}",
                "narrow limits.joints to what the joint can do, or calibrate it again",
            )
            for text in beyond
        ] or [ok("calibration", f"{name}: {len(calibration)} joints, all plausible")]
    return findings


def calibrate_command(arm: Any, *, key: str, device_type: str) -> str:
    """Return the command that calibrates this arm."""
    # LeRobot calibrates the arms of a pair one by one; its own name for a pair leaves out which SO.
    single = device_type.removeprefix("bi_").replace("so_", "so101_")
    return (
        f"`lerobot-calibrate --{key}.type={single} --{key}.port={arm.bus.port} --{key}.id={arm.id}`"
    )


def _implausible(bus: Any) -> list[str]:
    calibration: Mapping[str, Any] = bus.calibration
    missing = [name for name in bus.motors if name not in calibration]
    if missing:
        return [f"{', '.join(missing)} is not in the calibration file"]
    wrong = []
    for name, motor in bus.motors.items():
        joint = calibration[name]
        resolution = bus.model_resolution_table[motor.model]
        low, high = joint.range_min, joint.range_max
        turned_deg = (high - low) / resolution * 360
        if joint.id != motor.id:
            wrong.append(f"{name} was calibrated with servo id {joint.id}, it is {motor.id}")
        elif not -resolution <= low < high <= 2 * resolution:
            wrong.append(f"{name} has the range {low} to {high}, which no servo has")
        elif turned_deg < MIN_RANGE_DEG:
            wrong.append(
                f"{name} was moved by only {turned_deg:.0f}° while calibrating, at least "
                f"{MIN_RANGE_DEG:.0f}° are expected"
            )
        elif not low < resolution * MIDDLE < high and motor.norm_mode is MotorNormMode.DEGREES:
            wrong.append(
                f"{name} was not in its middle when its calibration began: its range {low} to "
                f"{high} does not hold {resolution * MIDDLE:.0f}"
            )
    return wrong


def _beyond(bus: Any, prefix: str, limits: LimitsConfig) -> list[str]:
    """Joints whose limits reach farther than their calibrated range."""
    texts = []
    for name, motor in bus.motors.items():
        bounds = limits.joints.get(f"{prefix}{name}.pos")
        if bounds is None or motor.norm_mode is not MotorNormMode.DEGREES:
            continue
        joint = bus.calibration[name]
        resolution = bus.model_resolution_table[motor.model]
        reach_deg = (joint.range_max - joint.range_min) / 2 * 360 / (resolution - 1)
        if max(-bounds[0], bounds[1]) > reach_deg + SLACK_DEG:
            texts.append(
                f"{prefix}{name} may be sent from {bounds[0]:g}° to {bounds[1]:g}° and was "
                f"calibrated from {-reach_deg:.0f}° to {reach_deg:.0f}°"
            )
    return texts
