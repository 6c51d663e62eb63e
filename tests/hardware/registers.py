"""The control table of an STS3215: where each value lives, how wide it is, what may be done to it.

Addresses below 40 are the EPROM: they survive a power cut when they were written unlocked. The
rest is lost with the power. Written from the manual's facts, not from LeRobot's table, so that a
mistake in one of them shows.
"""

from dataclasses import dataclass

EPROM_BYTES = 40
TABLE_BYTES = 128
RESOLUTION = 4096
MODEL_STS3215 = 777


@dataclass(frozen=True, kw_only=True)
class Register:
    """One value of the control table."""

    address: int
    size: int = 1
    is_writable: bool = True
    # Bit that holds the sign of a sign-magnitude value; None for unsigned ones.
    sign_bit: int | None = None


REGISTERS = {
    "firmware_major": Register(address=0, is_writable=False),
    "firmware_minor": Register(address=1, is_writable=False),
    "model_number": Register(address=3, size=2, is_writable=False),
    "id": Register(address=5),
    "baud_rate": Register(address=6),
    "return_delay": Register(address=7),
    "response_level": Register(address=8),
    "min_position": Register(address=9, size=2),
    "max_position": Register(address=11, size=2),
    "max_temperature": Register(address=13),
    "max_voltage": Register(address=14),
    "min_voltage": Register(address=15),
    "max_torque": Register(address=16, size=2),
    "phase": Register(address=18),
    "p_coefficient": Register(address=21),
    "d_coefficient": Register(address=22),
    "i_coefficient": Register(address=23),
    "protection_current": Register(address=28, size=2),
    "homing_offset": Register(address=31, size=2, sign_bit=11),
    "operating_mode": Register(address=33),
    "overload_torque": Register(address=36),
    "torque_enable": Register(address=40),
    "acceleration": Register(address=41),
    "goal_position": Register(address=42, size=2, sign_bit=15),
    "goal_time": Register(address=44, size=2),
    "goal_velocity": Register(address=46, size=2, sign_bit=15),
    "torque_limit": Register(address=48, size=2),
    "lock": Register(address=55),
    "present_position": Register(address=56, size=2, is_writable=False, sign_bit=15),
    "present_velocity": Register(address=58, size=2, is_writable=False, sign_bit=15),
    "present_load": Register(address=60, size=2, is_writable=False, sign_bit=10),
    "present_voltage": Register(address=62, is_writable=False),
    "present_temperature": Register(address=63, is_writable=False),
    "status": Register(address=65, is_writable=False),
    "moving": Register(address=66, is_writable=False),
    "present_current": Register(address=69, size=2, is_writable=False),
    "max_acceleration": Register(address=85),
}

# What a servo is shipped with; everything else is 0. Voltages are in tenths.
FACTORY = {
    "firmware_major": 3,
    "firmware_minor": 10,
    "model_number": MODEL_STS3215,
    "return_delay": 250,
    "response_level": 1,
    "max_position": RESOLUTION - 1,
    "max_temperature": 70,
    "max_voltage": 80,
    "min_voltage": 40,
    "max_torque": 1000,
    "phase": 0x1C,
    "p_coefficient": 32,
    "d_coefficient": 32,
    "protection_current": 500,
    "overload_torque": 80,
    "torque_limit": 1000,
    "present_voltage": 74,
    "present_temperature": 28,
    "lock": 1,
}

# Bytes that a write from the bus does not change.
READ_ONLY = frozenset(
    address
    for register in REGISTERS.values()
    if not register.is_writable
    for address in range(register.address, register.address + register.size)
)


def encode(register: Register, value: int) -> bytes:
    """Return `value` as the bytes of `register`.

    Raises:
        ValueError: It does not fit.
    """
    if value < 0:
        if register.sign_bit is None or -value >= 1 << register.sign_bit:
            raise ValueError(f"{value} does not fit into register {register.address}")
        value = -value | 1 << register.sign_bit
    return value.to_bytes(register.size, "little")


def decode(register: Register, data: bytes) -> int:
    """Return the value that the bytes of `register` mean."""
    value = int.from_bytes(data, "little")
    if register.sign_bit is not None and value >> register.sign_bit & 1:
        return -(value & (1 << register.sign_bit) - 1)
    return value
