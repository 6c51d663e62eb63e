"""The motor buses inside a LeRobot device: what LeRobot 0.6.1 leaves undone on them.

It turns torque off motor by motor and stops at the first that does not answer: those after it stay
stiff, the port stays open and the cameras go on. `let_go` goes on to the last motor.

A read that fails half way leaves the other motors' replies in the port. LeRobot takes them for the
answer to whatever it asks next: positions of a step ago, for ever, or half a position for a servo's
alarms. With `ask_afresh` they are thrown away before anything is asked.
"""

import contextlib
import functools
import logging
from typing import Any

logger = logging.getLogger(__name__)

# Extra attempts for each motor that does not answer; one takes 50 ms.
LET_GO_RETRIES = 1


def arms_of(device: Any) -> dict[str, Any]:
    """Return the single arms of a LeRobot robot or teleoperator by the prefix of their joints.

    One arm has the prefix ``""``; a pair has ``left_`` and ``right_``. Devices whose motors are
    not on a LeRobot motors bus have none.
    """
    parts = {"": device, "left_": getattr(device, "left_arm", None)}
    parts["right_"] = getattr(device, "right_arm", None)
    return {
        prefix: part
        for prefix, part in parts.items()
        if hasattr(getattr(part, "bus", None), "motors")
    }


def ask_afresh(device: Any) -> None:
    """Let a LeRobot device throw away, before each question, what it did not read of the last.

    For as long as the device lives, connected or not; harmless when repeated.
    """
    for arm in arms_of(device).values():
        # Motors on a CAN bus have none, and no such trouble.
        if port := getattr(arm.bus, "port_handler", None):
            # The motors' own libraries call this before they ask, and it only waits for the line.
            port.clearPort = functools.partial(_forget_replies, port)


def let_go(device: Any) -> list[str]:
    """Disconnect a LeRobot device with its torque off, as far as its motors still answer.

    Harmless when repeated or never connected.

    Returns:
        Joints that may still be stiff, because their motor did not answer.
    """
    stiff: list[str] = []
    try:
        if device.is_connected:
            device.disconnect()
    except Exception as error:
        # A half broken device raises of every kind, `termios.error` included.
        logger.warning("%s did not disconnect cleanly: %s", device, error)
    for prefix, arm in arms_of(device).items():
        if arm.bus.is_connected:
            stiff += [prefix + name for name in arm.bus.motors if not _is_limp(arm.bus, name)]
            close_port(arm.bus)
    for part in (device, *arms_of(device).values()):
        for camera in getattr(part, "cameras", {}).values():
            with contextlib.suppress(Exception):
                if camera.is_connected:
                    camera.disconnect()
    if stiff:
        logger.warning(
            "%s: %s did not answer and may still be stiff; cut the motors' power to free them",
            device,
            ", ".join(stiff),
        )
    return stiff


def close_port(bus: Any) -> None:
    """Close the port of a motors bus and leave its torque as it is; never raises."""
    with contextlib.suppress(Exception):
        if bus.is_connected:
            bus.port_handler.closePort()
            # What failed with an exception has left it marked as busy.
            bus.port_handler.is_using = False


def in_one_line(error: Exception) -> str:
    """What a driver said, without the line breaks and the full stop."""
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__


def _forget_replies(port: Any) -> None:
    if num_bytes := port.getBytesAvailable():
        port.readPort(num_bytes)
        logger.debug("%s: %d bytes that nobody asked for", port.getPortName(), num_bytes)


def _is_limp(bus: Any, motor: str) -> bool:
    # An exchange that failed with an exception leaves the port marked as busy for ever.
    bus.port_handler.is_using = False
    try:
        bus.disable_torque(motor, num_retry=LET_GO_RETRIES)
    except Exception:  # drivers raise of every kind
        return False
    return True
