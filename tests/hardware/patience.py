"""Lets drivers wait as long as a busy machine takes, and not longer for what was never sent.

LeRobot waits 50 ms for a servo's reply. On a machine with more to do than processors the emulation,
or the kernel that carries bytes from one end of a terminal to the other, may take longer, and a
slow test machine would look like a bad cable. So bytes are counted at both ends: while some are on
their way, time does not pass for the driver. A reply that was lost is missed after 50 ms as ever.
"""

from collections import defaultdict
from dataclasses import dataclass

import pytest
from scservo_sdk.port_handler import PortHandler

from tests.hardware.bus import ServoBus


@dataclass
class Counted:
    """Bytes that the driver of one port has sent and read since it opened it."""

    num_sent: int = 0
    num_read: int = 0


def make_drivers_patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make it so for all ports of emulated buses, for the length of a test."""
    counted: defaultdict[str, Counted] = defaultdict(Counted)
    write, read = PortHandler.writePort, PortHandler.readPort
    has_waited_enough, set_up = PortHandler.isPacketTimeout, PortHandler.setupPort

    def set_up_port(port: PortHandler, baud: int) -> bool:
        done = set_up(port, baud)
        if bus := ServoBus.live.get(port.port_name):
            counted[port.port_name] = Counted(num_sent=bus.num_received, num_read=bus.num_sent)
        return done

    def write_port(port: PortHandler, packet: list[int]) -> int:
        num_written = write(port, packet)
        counted[port.port_name].num_sent += num_written
        return num_written

    def read_port(port: PortHandler, length: int) -> bytes:
        data = read(port, length)
        counted[port.port_name].num_read += len(data)
        return data

    def is_timeout(port: PortHandler) -> bool:
        if not has_waited_enough(port):
            return False
        bus, mine = ServoBus.live.get(port.port_name), counted[port.port_name]
        if bus is None or not bus.is_plugged_in:
            return True
        return mine.num_sent <= bus.num_handled and mine.num_read >= bus.num_sent

    monkeypatch.setattr(PortHandler, "setupPort", set_up_port)
    monkeypatch.setattr(PortHandler, "writePort", write_port)
    monkeypatch.setattr(PortHandler, "readPort", read_port)
    monkeypatch.setattr(PortHandler, "isPacketTimeout", is_timeout)
