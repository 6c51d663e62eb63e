"""One STS3215: a control table and a shaft that moves at a finite speed while its torque is on.

Behaviour that a driver can meet on the real servo and that a careless one falls over:
- A write to the goal turns the torque on, whatever was written to it before, and the goal is kept
  within the position limits (seen in the field: huggingface/lerobot#3585).
- Without torque the shaft stays where a hand puts it; a hand can also overpower the torque.
- EPROM written while locked is forgotten when the power goes; torque is off when it comes back.
- An alarm (overload, overheat …) takes the torque away and is told in every status.

Left out: acceleration, gravity, wheel and step mode, the PID. Time is handed in with every call.
"""

from enum import IntFlag

from tests.hardware.registers import (
    EPROM_BYTES,
    FACTORY,
    READ_ONLY,
    REGISTERS,
    RESOLUTION,
    TABLE_BYTES,
    decode,
    encode,
)

# 45 rpm, the no-load speed at 7.4 V.
MAX_SPEED_TICKS_S = 45 / 60 * RESOLUTION


class Alarm(IntFlag):
    """The error byte of a status."""

    NONE = 0
    VOLTAGE = 1
    ANGLE = 2
    OVERHEAT = 4
    OVERCURRENT = 8
    OVERLOAD = 32


class Servo:
    """One servo of a bus.

    Args:
        servo_id: Its id on the bus.
        shaft_ticks: Where its shaft is, 0 to 4095 before the homing offset.
        max_speed_ticks_s: How fast it turns.
        keeps_stale_goal: Its torque, turned on, drives it to the goal it had before, as careless
            firmware would; otherwise it holds where it is.
    """

    def __init__(
        self,
        servo_id: int,
        *,
        shaft_ticks: float = RESOLUTION / 2,
        max_speed_ticks_s: float = MAX_SPEED_TICKS_S,
        keeps_stale_goal: bool = False,
    ) -> None:
        self.shaft_ticks = shaft_ticks
        self.max_speed_ticks_s = max_speed_ticks_s
        self.keeps_stale_goal = keeps_stale_goal
        self.alarm = Alarm.NONE
        # When its torque changed, and to what.
        self.torque_changes: list[tuple[float, bool]] = []
        self._table = bytearray(TABLE_BYTES)
        self._saved = bytearray(EPROM_BYTES)
        self._hand_ticks: float | None = None
        self._pending: tuple[int, bytes] | None = None
        self._now_s: float | None = None
        for name, value in {**FACTORY, "id": servo_id}.items():
            self.set(name, value)
        self._saved[:] = self._table[:EPROM_BYTES]
        self._report(0.0)

    # -- for tests -----------------------------------------------------------------------------

    def get(self, name: str) -> int:
        """Return the value of a register as it was at the last `advance`."""
        register = REGISTERS[name]
        return decode(register, self._table[register.address : register.address + register.size])

    def set(self, name: str, value: int) -> None:
        """Set a register from within, also one that the bus may only read."""
        register = REGISTERS[name]
        self._table[register.address : register.address + register.size] = encode(register, value)

    def grip(self, position_ticks: float) -> None:
        """A hand takes the shaft to a position as the bus reports it, and keeps it there."""
        self._hand_ticks = position_ticks + self.get("homing_offset")
        self.shaft_ticks = self._hand_ticks
        self._report(0.0)

    def let_go(self) -> None:
        """The hand is gone; the shaft stays or goes to its goal, as its torque says."""
        self._hand_ticks = None

    def raise_alarm(self, alarm: Alarm, *, now_s: float) -> None:
        """It protects itself: torque off, every status says why."""
        self.alarm = alarm
        self.set("status", int(alarm))
        self._set_torque(False, now_s=now_s)

    def cut_power(self, *, now_s: float) -> None:
        """Power off and on: what was not saved is lost, the shaft is where it was."""
        self.advance(now_s)
        for name, value in FACTORY.items():
            self.set(name, value)
        self._table[:EPROM_BYTES] = self._saved
        self.set("goal_position", 0)
        self._set_torque(False, now_s=now_s)
        self.alarm = Alarm.NONE
        self.set("status", 0)
        self._pending = None
        self._report(0.0)

    @property
    def has_torque(self) -> bool:
        return self.get("torque_enable") != 0

    # -- for the bus ---------------------------------------------------------------------------

    def advance(self, now_s: float) -> None:
        """Move as far as the time since the last call allows."""
        passed_s = 0.0 if self._now_s is None else now_s - self._now_s
        self._now_s = now_s
        if passed_s <= 0:
            self._report()
            return
        before = self.shaft_ticks
        if self._hand_ticks is None and self.has_torque:
            wish = abs(self.get("goal_velocity")) or self.max_speed_ticks_s
            reach = min(wish, self.max_speed_ticks_s) * passed_s
            away = self._goal_shaft_ticks() - self.shaft_ticks
            self.shaft_ticks += max(-reach, min(reach, away))
        self._report((self.shaft_ticks - before) / passed_s)

    def read(self, address: int, size: int) -> bytes:
        """Return `size` bytes from `address`; zeros beyond the table."""
        return bytes(self._table[address : address + size]).ljust(size, b"\0")

    def write(self, address: int, data: bytes, *, now_s: float) -> None:
        """Write from the bus; what may only be read stays as it is."""
        had_torque = self.has_torque
        for place, byte in enumerate(data, start=address):
            if place >= TABLE_BYTES or place in READ_ONLY:
                continue
            self._table[place] = byte
            if place < EPROM_BYTES and not self.get("lock"):
                self._saved[place] = byte
        touched = range(address, address + len(data))
        if REGISTERS["goal_position"].address in touched:
            self._set_torque(True, now_s=now_s, before=had_torque)
        elif REGISTERS["torque_enable"].address in touched:
            self._set_torque(self.has_torque, now_s=now_s, before=had_torque)
            if self.has_torque and not had_torque and not self.keeps_stale_goal:
                self.set("goal_position", self.get("present_position"))

    def put_off(self, address: int, data: bytes) -> None:
        """REG_WRITE: keep a write until ACTION."""
        self._pending = (address, data)

    def act(self, *, now_s: float) -> None:
        """ACTION: do what was put off."""
        if self._pending is not None:
            address, data = self._pending
            self._pending = None
            self.write(address, data, now_s=now_s)

    def _set_torque(self, on: bool, *, now_s: float, before: bool | None = None) -> None:
        before = self.has_torque if before is None else before
        on = on and not self.alarm
        self.set("torque_enable", int(on))
        if on != before:
            self.torque_changes.append((now_s, on))

    def _goal_shaft_ticks(self) -> float:
        low, high = self.get("min_position"), self.get("max_position")
        return min(high, max(low, self.get("goal_position"))) + self.get("homing_offset")

    def _report(self, velocity_ticks_s: float | None = None) -> None:
        """Fill the registers that say how it is; None leaves the velocity as it was."""
        self.set("present_position", round(self.shaft_ticks) - self.get("homing_offset"))
        if velocity_ticks_s is not None:
            self.set("present_velocity", round(velocity_ticks_s))
            self.set("moving", int(abs(velocity_ticks_s) > 1))
        # A hand that holds it against its goal is felt as load and current.
        strain = 0.0
        if self._hand_ticks is not None and self.has_torque:
            strain = self._goal_shaft_ticks() - self._hand_ticks
        self.set("present_load", max(-1000, min(1000, round(strain))))
        self.set("present_current", min(500, abs(round(strain / 2))))
