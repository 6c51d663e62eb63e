"""Lets drivers wait as long as a busy machine takes, and not longer for what is never sent.

LeRobot waits 50 ms for a servo's reply. On a machine with more to do than processors the emulation,
or the kernel that carries bytes from one end of a terminal to the other, may take longer, and a
slow test machine would look like a bad cable. So bytes are counted at both ends: while some are on
their way, time does not pass for the driver. A reply that was lost is missed after 50 ms as ever.

LeRobot asks the port again and again until something is there. The emulation would have to answer
on the processors that are left, so here it sleeps until then.

Its cameras count as broken when they had no picture for half a second, or not yet any in the tenth
of a second after they were opened. Here a thread that waits for a processor is no broken camera.
"""

import select
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from lerobot.cameras.opencv import OpenCVCamera
from scservo_sdk.port_handler import PortHandler

from tests.hardware.traffic import Traffic

# How long a read of a port at which nothing arrives may sleep, seconds.
LOOK_S = 0.002
# Longer than that no bytes are on their way, seconds: they were lost with a port that was closed.
MAX_PATIENCE_S = 10.0

type Replace = Callable[[object, str, object], None]


@dataclass
class Counted:
    """Bytes that the driver of one port has sent and read, beside the line's own counts."""

    traffic: Traffic | None
    num_sent: int = 0
    num_read: int = 0


def make_cameras_patient(replace: Replace) -> None:
    """Make it so for all OpenCV cameras of this process; `replace` as below."""
    connect, read_latest = OpenCVCamera.connect, OpenCVCamera.read_latest

    def connect_and_see(camera: OpenCVCamera, warmup: bool = True) -> None:
        connect(camera, warmup)
        camera.async_read(timeout_ms=MAX_PATIENCE_S * 1000)

    def read(camera: OpenCVCamera, max_age_ms: float = MAX_PATIENCE_S * 1000) -> np.ndarray:
        return read_latest(camera, max_age_ms)

    replace(OpenCVCamera, "connect", connect_and_see)
    replace(OpenCVCamera, "read_latest", read)


def make_drivers_patient(replace: Replace) -> None:
    """Make it so for all drivers of this process that meet emulated buses.

    Args:
        replace: `monkeypatch.setattr` for the length of a test, `setattr` for a process.
    """
    counted: dict[str, Counted] = {}
    write, read = PortHandler.writePort, PortHandler.readPort
    has_waited_enough, set_up = PortHandler.isPacketTimeout, PortHandler.setupPort

    def set_up_port(port: PortHandler, baud: int) -> bool:
        done = set_up(port, baud)
        traffic = Traffic.find(Path(port.port_name))
        mine = counted[port.port_name] = Counted(traffic=traffic)
        if traffic is not None:
            mine.num_sent, mine.num_read = traffic.num_received, traffic.num_sent
        return done

    def write_port(port: PortHandler, packet: list[int]) -> int:
        num_written = write(port, packet)
        counted[port.port_name].num_sent += num_written
        return num_written

    def read_port(port: PortHandler, length: int) -> bytes:
        select.select([port.ser.fileno()], [], [], LOOK_S)
        data = read(port, length)
        counted[port.port_name].num_read += len(data)
        return data

    def is_timeout(port: PortHandler) -> bool:
        if not has_waited_enough(port):
            return False
        mine = counted[port.port_name]
        if mine.traffic is None or not Path(port.port_name).exists():
            return True
        if port.getTimeSinceStart() > MAX_PATIENCE_S * 1000:
            return True
        return mine.num_sent <= mine.traffic.num_handled and mine.num_read >= mine.traffic.num_sent

    replace(PortHandler, "setupPort", set_up_port)
    replace(PortHandler, "writePort", write_port)
    replace(PortHandler, "readPort", read_port)
    replace(PortHandler, "isPacketTimeout", is_timeout)
