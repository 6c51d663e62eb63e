"""Servos on one half-duplex line, reached through a pseudo-terminal as through a USB adapter.

A thread reads what the driver writes to the port and answers as the servos would. The port is a
link in a folder of the test's, because a pseudo-terminal's number is soon given to somebody else;
it goes when the cable is unplugged and comes back, on another terminal, when it is plugged in.

The adapter's cable and the servos' power are two things: an unplugged arm keeps its torque and
its goal. Simplified: replies come at once instead of at 1 Mbit/s, and in a sync read the servos
after a silent one answer nevertheless (the driver has given up by then).
"""

import contextlib
import os
import select
import termios
import threading
import time
import tty
from collections.abc import Callable, Iterable
from pathlib import Path

from backend.actor.priority import LOOP_PRIORITY, run_on_time
from tests.hardware.faults import Faults
from tests.hardware.packet import BROADCAST_ID, Decoder, Instruction, Packet
from tests.hardware.servo import Servo
from tests.hardware.traffic import Traffic

# How often a port that nobody has open is looked at, seconds.
CLOSED_LOOK_S = 0.002
# Servos are not on the processors that the control loop is on.
SERVO_PRIORITY = LOOP_PRIORITY + 1


class ServoBus:
    """A line of servos; plugged in when made.

    Args:
        port: Where the driver finds it; a link is made there.
        servos: All servos of the line.
        clock: Monotonic seconds, which the servos move by.
    """

    def __init__(
        self,
        port: Path,
        servos: Iterable[Servo],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.port = port
        self.faults = Faults()
        self._servos = {servo.get("id"): servo for servo in servos}
        self._clock = clock
        self._lock = threading.RLock()
        self._has_power = True
        self._thread: threading.Thread | None = None
        self.traffic = Traffic.create(port)
        self.plug_in()

    def servo(self, servo_id: int) -> Servo:
        """Return a servo as it is now."""
        with self._lock:
            servo = self._servos[servo_id]
            servo.advance(self._clock())
            return servo

    def now_s(self) -> float:
        return self._clock()

    @property
    def is_plugged_in(self) -> bool:
        return self._thread is not None

    def plug_in(self) -> None:
        """The adapter's cable is in; harmless when it is."""
        if self._thread is not None:
            return
        self._master, slave = os.openpty()
        # Until the driver has set the line up, the terminal must not echo or translate.
        tty.setraw(slave, termios.TCSANOW)
        self._wake_read, self._wake_write = os.pipe()
        self.port.symlink_to(os.ttyname(slave))
        # Only a driver has the port open, as with a real one: preflights look for others.
        os.close(slave)
        self._thread = threading.Thread(target=self._serve, name=f"servo bus {self.port.name}")
        self._thread.start()

    def unplug(self) -> None:
        """The adapter's cable is out; harmless when it is. The servos keep power and goal."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        os.write(self._wake_write, b"x")
        thread.join()
        self.port.unlink()
        for descriptor in (self._master, self._wake_read, self._wake_write):
            os.close(descriptor)

    def power_off(self) -> None:
        """The servos' power is cut: no torque, no answers."""
        with self._lock:
            self._has_power = False
            for servo in self._servos.values():
                servo.cut_power(now_s=self._clock())

    def power_on(self) -> None:
        """The power is back; torque stays off until somebody turns it on."""
        with self._lock:
            self._has_power = True

    def close(self) -> None:
        """Unplug for good; harmless when repeated."""
        self.unplug()

    def _serve(self) -> None:
        # A servo answers on time whatever the computer does, as far as the system permits it.
        run_on_time(SERVO_PRIORITY)
        decoder = Decoder()
        while True:
            readable, _, _ = select.select([self._master, self._wake_read], [], [])
            if self._wake_read in readable:
                return
            try:
                data = os.read(self._master, 4096)
            except OSError:
                # Nobody has the port open now.
                select.select([self._wake_read], [], [], CLOSED_LOOK_S)
                continue
            self.traffic.num_received += len(data)
            for request in decoder.feed(data):
                if reply := self._reply(request):
                    self.traffic.num_sent += len(reply)
                    # The driver may have closed the port without waiting for its reply.
                    with contextlib.suppress(OSError):
                        os.write(self._master, reply)
            self.traffic.num_handled = self.traffic.num_received

    def _reply(self, request: Packet) -> bytes:
        """Return all that comes back on the line."""
        if request.code not in list(Instruction):
            return b""
        with self._lock:
            instruction = Instruction(request.code)
            if not self._has_power:
                return b""
            return b"".join(
                self.faults.apply(status.servo_id, status.pack())
                for status in self._answers(instruction, request)
            )

    def _answers(self, instruction: Instruction, request: Packet) -> list[Packet]:
        """Do what is asked; return every status that it brings."""
        now_s, params = self._clock(), request.params
        if instruction is Instruction.SYNC_READ:
            address, size = params[0], params[1]
            return [
                Packet(servo_id=servo_id, code=servo.alarm, params=servo.read(address, size))
                for servo_id, servo in self._listening(params[2:])
            ]
        if instruction is Instruction.SYNC_WRITE:
            address, stride = params[0], params[1] + 1
            for at in range(2, len(params), stride):
                for _, servo in self._listening(params[at : at + 1]):
                    servo.write(address, params[at + 1 : at + stride], now_s=now_s)
            return []
        is_broadcast = request.servo_id == BROADCAST_ID
        statuses = []
        # A servo answers with the id it was asked by, even when it has just been given another.
        for servo_id, servo in self._listening(
            tuple(self._servos) if is_broadcast else (request.servo_id,)
        ):
            data = b""
            if instruction is Instruction.READ:
                data = servo.read(params[0], params[1])
            elif instruction is Instruction.WRITE:
                servo.write(params[0], params[1:], now_s=now_s)
            elif instruction is Instruction.REG_WRITE:
                servo.put_off(params[0], params[1:])
            elif instruction is Instruction.ACTION:
                servo.act(now_s=now_s)
            statuses.append(Packet(servo_id=servo_id, code=servo.alarm, params=data))
        self._servos = {servo.get("id"): servo for servo in self._servos.values()}
        return statuses if not is_broadcast or instruction is Instruction.PING else []

    def _listening(self, ids: Iterable[int]) -> list[tuple[int, Servo]]:
        found = [
            (servo_id, self._servos[servo_id])
            for servo_id in ids
            if servo_id in self._servos and not self.faults.is_silent(servo_id)
        ]
        for _, servo in found:
            servo.advance(self._clock())
        return found
