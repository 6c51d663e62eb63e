"""The motors themselves: who answers, how they are, how fast and how surely they can be read.

Opens the ports, only asks, and closes them again: no torque changes and nothing moves. What the
motors were told before, holding a pose for instance, they go on doing.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from backend.robots.motor_buses import arms_of, ask_afresh, close_port, in_one_line
from backend.robots.preflight_calibration import calibrate_command
from backend.robots.preflight_finding import Finding, blocking, ok, warning
from backend.robots.servo_registers import (
    COOL_REMEDY,
    DEFAULT_MAX_C,
    HOT_MARGIN_C,
    MAX_TEMPERATURE,
    MAX_VOLTAGE,
    MIN_VOLTAGE,
    POWER_REMEDY,
    REST_REMEDY,
    SHUT_OFF_REMEDY,
    TEMPERATURE,
    VOLTAGE,
    VOLTAGE_MARGIN_V,
    WARM_C,
    register_of,
)

NUM_READS = 40
CALIBRATION_TRIES = 4
# A joint may stand this far outside of its calibrated range, encoder steps.
RANGE_SLACK = 25


@dataclass(frozen=True, kw_only=True)
class ServoReport:
    """What was found on the buses of one device."""

    findings: list[Finding]
    # How long reading all its joints once takes, 95th percentile; None when it could not be.
    read_p95_s: float | None


def check_servos(
    device: Any,
    *,
    key: str,
    device_type: str,
    num_reads: int = NUM_READS,
    clock: Callable[[], float] = time.perf_counter,
) -> ServoReport:
    """Ask every motor of a LeRobot device that is not connected.

    Args:
        device: The robot or teleoperator.
        key: `robot` or `teleop`.
        device_type: Its name in LeRobot's commands.
        num_reads: How often all joints are read to learn how long that takes; 0 leaves it out.
        clock: Monotonic seconds.
    """
    findings: list[Finding] = []
    reads_s: list[float | None] = []
    ask_afresh(device)
    for prefix, arm in arms_of(device).items():
        name = f"{key} {prefix.rstrip('_')}".strip()
        command = calibrate_command(arm, key=key, device_type=device_type)
        try:
            arm.bus.connect(handshake=False)
            found, read_s = _check_bus(arm.bus, name, command, num_reads, clock)
        except Exception as error:  # drivers raise of every kind
            found = [
                blocking(
                    "servos",
                    f"{name}: {arm.bus.port!r} failed while it was asked: {in_one_line(error)}",
                    "check the USB cable, then check again",
                )
            ]
            read_s = None
        finally:
            close_port(arm.bus)
        findings += found
        reads_s.append(read_s)
    known = [read_s for read_s in reads_s if read_s is not None]
    is_whole = bool(known) and len(known) == len(reads_s)
    return ServoReport(findings=findings, read_p95_s=sum(known) if is_whole else None)


def _check_bus(
    bus: Any, name: str, calibrate: str, num_reads: int, clock: Callable[[], float]
) -> tuple[list[Finding], float | None]:
    unfit = _roll_call(bus, name)
    if unfit:
        return unfit, None
    findings: list[Finding] = []
    findings += _voltages(bus, name)
    findings += _temperatures(bus, name)
    findings += _stiffness(bus, name)
    if bus.calibration:
        findings += _calibration(bus, name, calibrate)
    if not num_reads:
        return findings, None
    reads, read_s = _reads(bus, name, num_reads, clock)
    return findings + reads, read_s


def _roll_call(bus: Any, name: str) -> list[Finding]:
    """Ask every motor who it is; one that protects itself says so in every answer."""
    missing, wrong, findings = [], [], []
    for joint, motor in bus.motors.items():
        expected = bus.model_number_table[motor.model]
        try:
            model = bus.ping(joint, num_retry=2, raise_on_error=True)
        except ConnectionError:
            missing.append(f"{motor.id} ({joint})")
        except RuntimeError as error:
            findings.append(
                blocking(
                    "servos",
                    f"{name}: {joint} has shut itself off: {in_one_line(error)}",
                    SHUT_OFF_REMEDY,
                )
            )
        else:
            if model != expected:
                wrong.append(f"{motor.id} ({joint}) is model {model} instead of {expected}")
    if len(missing) == len(bus.motors):
        remedy = f"{POWER_REMEDY}; is {bus.port!r} the right port (`lerobot-find-port`)?"
        return [blocking("servos", f"{name}: no servo answers on {bus.port!r}", remedy)]
    if missing:
        findings.append(
            blocking(
                "servos",
                f"{name}: servo {', '.join(missing)} does not answer",
                "check the cable that leads to it, and its id (`lerobot-setup-motors`)",
            )
        )
    if wrong:
        findings.append(
            blocking(
                "servos",
                f"{name}: servo {', '.join(wrong)}",
                f"use a {next(iter(bus.motors.values())).model}, or the robot type that fits",
            )
        )
    return findings


def _voltages(bus: Any, name: str) -> list[Finding]:
    volts = {joint: value / 10 for joint, value in _values(bus, VOLTAGE).items()}
    lows, highs = _values(bus, MIN_VOLTAGE), _values(bus, MAX_VOLTAGE)
    findings = []
    for joint, volt in volts.items():
        low, high = lows.get(joint, 0) / 10, highs.get(joint, 10_000) / 10
        if not low <= volt <= high:
            text = f"{name}: {joint} has {volt:.1f} V and takes {low:.1f} to {high:.1f} V"
            findings.append(
                blocking("servos", text, "use the power supply that these servos are made for")
            )
        elif volt < low + VOLTAGE_MARGIN_V:
            text = f"{name}: {joint} has only {volt:.1f} V, below {low:.1f} V it gives up"
            findings.append(warning("servos", text, POWER_REMEDY))
    if volts and not findings:
        text = f"{name}: {min(volts.values()):.1f} to {max(volts.values()):.1f} V"
        findings.append(ok("servos", text))
    return findings


def _temperatures(bus: Any, name: str) -> list[Finding]:
    degrees, limits = _values(bus, TEMPERATURE), _values(bus, MAX_TEMPERATURE)
    findings = []
    for joint, degree in degrees.items():
        limit = limits.get(joint, DEFAULT_MAX_C)
        if degree > limit - HOT_MARGIN_C:
            text = f"{name}: {joint} has {degree:.0f} °C, at {limit:.0f} °C it shuts off"
            findings.append(blocking("servos", text, COOL_REMEDY))
        elif degree > WARM_C:
            text = f"{name}: {joint} has {degree:.0f} °C"
            findings.append(warning("servos", text, REST_REMEDY))
    if degrees and not findings:
        findings.append(ok("servos", f"{name}: at most {max(degrees.values()):.0f} °C"))
    return findings


def _stiffness(bus: Any, name: str) -> list[Finding]:
    stiff = [joint for joint in bus.motors if bus.read("Torque_Enable", joint, num_retry=2)]
    if not stiff:
        return []
    return [
        warning(
            "servos",
            f"{name}: {', '.join(stiff)} is stiff, a program ended without letting go",
            "hold the arm: a leader goes limp when the robot is opened; or cut its power",
        )
    ]


def _calibration(bus: Any, name: str, calibrate: str) -> list[Finding]:
    if not _holds_its_calibration(bus):
        return [
            blocking(
                "calibration",
                f"{name}: the motors hold another calibration than the file",
                f"run {calibrate} and press Enter to write the file into them",
            )
        ]
    raw = bus.sync_read("Present_Position", normalize=False, num_retry=2)
    outside = [
        joint
        for joint, ticks in raw.items()
        if not bus.calibration[joint].range_min - RANGE_SLACK
        <= ticks
        <= bus.calibration[joint].range_max + RANGE_SLACK
    ]
    if outside:
        text = f"{name}: {', '.join(outside)} stands outside of its calibrated range"
        return [warning("calibration", text, f"move it back by hand, or calibrate: {calibrate}")]
    return [ok("calibration", f"{name}: the motors hold the file's calibration")]


def _holds_its_calibration(bus: Any) -> bool:
    """LeRobot asks without a second try, which a line with a rare bad reply does not survive."""
    for _ in range(CALIBRATION_TRIES - 1):
        try:
            return bool(bus.is_calibrated)
        except ConnectionError:
            continue
    return bool(bus.is_calibrated)


def _reads(
    bus: Any, name: str, num_reads: int, clock: Callable[[], float]
) -> tuple[list[Finding], float | None]:
    times_s, num_failed = [], 0
    for _ in range(num_reads):
        began_s = clock()
        try:
            bus.sync_read("Present_Position", normalize=False)
        except ConnectionError:
            num_failed += 1
        else:
            times_s.append(clock() - began_s)
    if not times_s:
        text = f"{name}: none of {num_reads} reads of all joints succeeded"
        return [blocking("servos", text, POWER_REMEDY)], None
    p50_ms, p95_ms = np.percentile(times_s, [50, 95]) * 1000
    text = f"{name}: reading all joints takes {p50_ms:.1f} ms, 95 of 100 within {p95_ms:.1f} ms"
    if num_failed:
        return [
            warning(
                "servos",
                f"{text}; {num_failed} of {num_reads} reads failed",
                "press the servo cables home, use a short USB cable without a hub",
            )
        ], float(p95_ms) / 1000
    return [ok("servos", text)], float(p95_ms) / 1000


def _values(bus: Any, names: tuple[str, ...]) -> dict[str, float]:
    """Read a register of every motor that has it, under the name it has there."""
    values = {}
    for joint, motor in bus.motors.items():
        name = register_of(bus, motor, names)
        if name is not None:
            values[joint] = float(bus.read(name, joint, num_retry=2))
    return values
