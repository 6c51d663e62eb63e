"""The line of servos behind its pseudo-terminal, spoken to in bytes."""

import os
import select
from collections.abc import Iterator
from pathlib import Path

import pytest
import serial

from tests.hardware.bus import ServoBus
from tests.hardware.packet import BROADCAST_ID, Instruction, Packet
from tests.hardware.registers import REGISTERS
from tests.hardware.servo import Servo

PRESENT = REGISTERS["present_position"].address
GOAL = REGISTERS["goal_position"].address


@pytest.fixture
def bus(tmp_path: Path, clock) -> Iterator[ServoBus]:
    bus = ServoBus(
        tmp_path / "ttyACM0", [Servo(i, shaft_ticks=1000 + i) for i in (1, 2, 3)], clock=clock
    )
    yield bus
    bus.close()


@pytest.fixture
def port(bus: ServoBus) -> Iterator[serial.Serial]:
    with serial.Serial(str(bus.port), 1_000_000, timeout=2) as port:
        yield port


def ask(port: serial.Serial, num_bytes: int, **request) -> bytes:
    port.write(Packet(**request).pack())
    return port.read(num_bytes)


def is_quiet(port: serial.Serial) -> bool:
    return not select.select([port.fileno()], [], [], 0.05)[0]


def test_a_ping_is_answered_by_the_servo_it_names(port):
    assert ask(port, 6, servo_id=2, code=Instruction.PING) == Packet(servo_id=2, code=0).pack()


def test_a_ping_to_all_is_answered_by_all(port):
    answers = ask(port, 18, servo_id=BROADCAST_ID, code=Instruction.PING)

    assert answers == b"".join(Packet(servo_id=i, code=0).pack() for i in (1, 2, 3))


def test_a_servo_that_is_not_there_does_not_answer(port):
    port.write(Packet(servo_id=9, code=Instruction.PING).pack())

    assert is_quiet(port)


def test_a_sync_read_is_answered_in_the_order_it_asks(port):
    answers = ask(
        port,
        16,
        servo_id=BROADCAST_ID,
        code=Instruction.SYNC_READ,
        params=bytes((PRESENT, 2, 3, 1)),
    )

    assert answers == b"".join(
        Packet(servo_id=i, code=0, params=(1000 + i).to_bytes(2, "little")).pack() for i in (3, 1)
    )


def test_a_sync_write_is_obeyed_by_each_and_answered_by_none(port, bus, clock):
    goals = b"".join(bytes((i,)) + (2000 + i).to_bytes(2, "little") for i in (1, 3))
    port.write(
        Packet(
            servo_id=BROADCAST_ID, code=Instruction.SYNC_WRITE, params=bytes((GOAL, 2)) + goals
        ).pack()
    )
    assert is_quiet(port)

    clock.move(5.0)

    assert [bus.servo(i).get("present_position") for i in (1, 2, 3)] == [2001, 1002, 2003]


def test_registered_writes_happen_together_at_the_action(port, bus):
    for i in (1, 2):
        ask(port, 6, servo_id=i, code=Instruction.REG_WRITE, params=bytes((GOAL, 0, 4)))
    assert not bus.servo(1).has_torque

    port.write(Packet(servo_id=BROADCAST_ID, code=Instruction.ACTION).pack())
    assert is_quiet(port)

    assert [bus.servo(i).get("goal_position") for i in (1, 2, 3)] == [1024, 1024, 0]


def test_a_servo_given_another_id_answers_once_with_the_old_one(port):
    answer = ask(port, 6, servo_id=1, code=Instruction.WRITE, params=bytes((5, 7)))

    assert answer == Packet(servo_id=1, code=0).pack()
    assert ask(port, 6, servo_id=7, code=Instruction.PING) == Packet(servo_id=7, code=0).pack()


def test_lost_replies_are_lost_and_the_next_ones_arrive(port, bus):
    bus.faults.lose(1, servo_id=2)
    port.write(Packet(servo_id=2, code=Instruction.PING).pack())

    assert is_quiet(port)
    assert ask(port, 6, servo_id=2, code=Instruction.PING) == Packet(servo_id=2, code=0).pack()
    assert bus.faults.num_lost == 1


def test_a_corrupted_reply_differs_in_its_checksum_only(port, bus):
    bus.faults.corrupt(1)

    answer = ask(port, 6, servo_id=2, code=Instruction.PING)

    sent = Packet(servo_id=2, code=0).pack()
    assert answer[:-1] == sent[:-1]
    assert answer[-1] != sent[-1]


def test_a_silent_servo_does_not_obey_until_it_is_back(port, bus):
    bus.faults.silence(2)
    port.write(Packet(servo_id=2, code=Instruction.WRITE, params=bytes((40, 1))).pack())
    assert is_quiet(port)
    assert not bus.servo(2).has_torque

    bus.faults.revive(2)
    assert len(ask(port, 6, servo_id=2, code=Instruction.WRITE, params=bytes((40, 1)))) == 6
    assert bus.servo(2).has_torque


def test_unplugging_ends_the_line_and_leaves_the_torque(port, bus):
    ask(port, 6, servo_id=2, code=Instruction.WRITE, params=bytes((40, 1)))

    bus.unplug()

    assert not os.path.lexists(bus.port)
    with pytest.raises(serial.SerialException):
        port.write(b"anything")
    bus.plug_in()
    assert bus.servo(2).has_torque


def test_without_power_nothing_answers_and_the_torque_is_gone_after(port, bus):
    ask(port, 6, servo_id=2, code=Instruction.WRITE, params=bytes((40, 1)))
    bus.power_off()
    port.write(Packet(servo_id=2, code=Instruction.PING).pack())
    assert is_quiet(port)

    bus.power_on()

    assert ask(port, 6, servo_id=2, code=Instruction.PING) == Packet(servo_id=2, code=0).pack()
    assert not bus.servo(2).has_torque


def test_closing_twice_is_harmless(bus):
    bus.close()
    bus.close()

    assert not os.path.lexists(bus.port)
