"""Asks servos how they are while they work, a little at a time.

An overloaded or overheated servo goes limp, and neither LeRobot's reads of positions nor its goals
say so: the arm would go on with a dead joint. So one register of one bus is read every now and
then, between two control steps, in the loop's own thread, because the line is one for all. It
takes as long as reading the positions once. The status, which says that a servo protects itself,
comes every second time; temperature, voltage and load share the others.

A read that fails is not tried again: the next position that is asked for fails as well and says so
to people. What can be said here is what a servo answers.
"""

import logging
import time
from collections.abc import Callable
from itertools import cycle
from typing import Any

from backend.control import Ailment
from backend.robots.motor_buses import arms_of
from backend.robots.servo_registers import (
    COOL_REMEDY,
    DEFAULT_MAX_C,
    HOT_MARGIN_C,
    LOAD,
    MAX_TEMPERATURE,
    MIN_VOLTAGE,
    POWER_REMEDY,
    REST_REMEDY,
    SHUT_OFF_REMEDY,
    STATUS,
    TEMPERATURE,
    VOLTAGE,
    VOLTAGE_MARGIN_V,
    WARM_C,
    register_of,
)

logger = logging.getLogger(__name__)

# How often one register of one arm is read, and how often what persists is said again, seconds.
LOOK_EVERY_S = 0.5
REMIND_S = 60.0
ROUND = (STATUS, TEMPERATURE, STATUS, VOLTAGE, STATUS, LOAD)
# Feetech's load is in thousandths of the full torque, and so is Dynamixel's where it has one.
FULL_LOAD = 1000
HEAVY_SHARE = 0.7
# A gripper that holds something is meant to press.
GRIPPER = "gripper"
# Bits of the status byte of Feetech's servos, and of Dynamixel's, by make.
ALARMS = {
    "Status": {0: "voltage", 1: "encoder", 2: "overheat", 3: "overcurrent", 5: "overload"},
    "Hardware_Error_Status": {0: "voltage", 2: "overheat", 3: "encoder", 4: "shock", 5: "overload"},
}


class ServoWatch:
    """Watches the servos of one LeRobot device; used by the thread that drives it.

    Args:
        device: A robot or teleoperator; one without a motors bus has nothing to say.
        name: Of the arm, for people.
        may_hold: Whether a servo of it that fails makes the robot unfit to be driven.
        now_s: Monotonic seconds.
    """

    def __init__(
        self,
        device: Any,
        *,
        name: str,
        may_hold: bool,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._arms = arms_of(device)
        self._name = name
        self._may_hold = may_hold
        self._now_s = now_s
        self._due_s = float("inf")
        self._turns = cycle([(prefix, names) for names in ROUND for prefix in self._arms])
        # By joint with its prefix: °C and V.
        self._max_c: dict[str, float] = {}
        self._min_v: dict[str, float] = {}
        # Registers that a bus does not give.
        self._missing: set[tuple[str, tuple[str, ...]]] = set()
        # What was said by joint and register, whether it was severe, and when.
        self._told: dict[tuple[str, str], tuple[bool, float]] = {}
        # Joints that pushed hard at the last look.
        self._strained: set[str] = set()

    def begin(self) -> None:
        """The device has just been connected: learn its limits, and look from now on."""
        self._told.clear()
        self._strained.clear()
        for prefix in self._arms:
            self._max_c |= self._read(prefix, MAX_TEMPERATURE)
            limits = self._read(prefix, MIN_VOLTAGE)
            self._min_v |= {joint: value / 10 for joint, value in limits.items()}
        if self._arms:
            self._due_s = self._now_s() + LOOK_EVERY_S

    def look(self) -> tuple[Ailment, ...]:
        """Read one register where it is time to.

        Returns:
            What is wrong by it: everything that must not go on, and else what is new, has become
            worse, or was not said for a minute.
        """
        now_s = self._now_s()
        if now_s < self._due_s:
            return ()
        self._due_s = now_s + LOOK_EVERY_S / len(self._arms)
        prefix, names = next(self._turns)
        found = []
        for joint, value in self._read(prefix, names).items():
            words, is_severe = self._judge(joint, names, value)
            key = joint, names[0]
            if not words:
                self._told.pop(key, None)
                continue
            before = self._told.get(key)
            is_new = before is None or is_severe > before[0] or now_s - before[1] >= REMIND_S
            if is_new:
                self._told[key] = is_severe, now_s
            must_hold = is_severe and self._may_hold
            if is_new or must_hold:
                message = f"{self._name}: {words}"
                found.append(Ailment(message=message, must_hold=must_hold, is_new=is_new))
        return tuple(found)

    def _read(self, prefix: str, names: tuple[str, ...]) -> dict[str, float]:
        """By joint; empty where it cannot be had."""
        bus = self._arms[prefix].bus
        name = register_of(bus, next(iter(bus.motors.values())), names)
        if name is None or (prefix, names) in self._missing:
            return {}
        try:
            values = bus.sync_read(name, normalize=False)
        except (ConnectionError, OSError) as error:
            logger.debug("%s: %s was not read: %s", self._name, name, error)
            return {}
        except Exception as error:
            # Another model of servo on the same line, or a protocol without such reads.
            logger.info("%s: %s cannot be watched: %s", self._name, name, error)
            self._missing.add((prefix, names))
            return {}
        return {prefix + joint: float(value) for joint, value in values.items()}

    def _judge(self, joint: str, names: tuple[str, ...], value: float) -> tuple[str, bool]:
        """What to say of a value, nothing when it is well, and whether it is severe."""
        if names is STATUS:
            return self._judge_status(joint, int(value))
        if names is TEMPERATURE:
            limit = self._max_c.get(joint, DEFAULT_MAX_C)
            if value > limit - HOT_MARGIN_C:
                text = f"{joint} has {value:.0f} °C, at {limit:.0f} °C it shuts off"
                return f"{text}: {COOL_REMEDY}", True
            return (f"{joint} has {value:.0f} °C: {REST_REMEDY}" if value > WARM_C else ""), False
        if names is VOLTAGE:
            volt, low = value / 10, self._min_v.get(joint, 0.0)
            if volt >= low + VOLTAGE_MARGIN_V:
                return "", False
            text = f"{joint} has only {volt:.1f} V, below {low:.1f} V it gives up"
            return f"{text}: {POWER_REMEDY}", volt < low
        return self._judge_load(joint, abs(value) / FULL_LOAD), False

    def _judge_status(self, joint: str, status: int) -> tuple[str, bool]:
        arm = next(arm for prefix, arm in self._arms.items() if joint.startswith(prefix))
        name = register_of(arm.bus, next(iter(arm.bus.motors.values())), STATUS)
        known = ALARMS[name or STATUS[0]]
        alarms = [word for bit, word in known.items() if status >> bit & 1]
        if not alarms:
            return "", False
        return f"{joint} has shut itself off ({', '.join(alarms)}): {SHUT_OFF_REMEDY}", True

    def _judge_load(self, joint: str, share: float) -> str:
        """Short pushes are work; two looks in a row are an obstacle."""
        was_strained = joint in self._strained
        is_strained = share >= HEAVY_SHARE and GRIPPER not in joint
        (self._strained.add if is_strained else self._strained.discard)(joint)
        if not (is_strained and was_strained):
            return ""
        return f"{joint} pushes with {share:.0%} of its strength: {REST_REMEDY}"
