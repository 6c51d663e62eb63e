"""One servo's registers, motion, power and alarms, without a bus."""

import pytest

from tests.hardware.registers import REGISTERS, decode, encode
from tests.hardware.servo import Alarm, Servo

GOAL = REGISTERS["goal_position"].address
TORQUE = REGISTERS["torque_enable"].address
LOCK = REGISTERS["lock"].address
PRESENT = REGISTERS["present_position"].address
RETURN_DELAY = REGISTERS["return_delay"].address


def goal(ticks: int) -> bytes:
    return encode(REGISTERS["goal_position"], ticks)


@pytest.fixture
def servo() -> Servo:
    servo = Servo(1, shaft_ticks=2000, max_speed_ticks_s=1000)
    servo.advance(0.0)
    return servo


@pytest.mark.parametrize("value", [0, 1, -1, 2047, -2047])
def test_signed_values_survive_the_register(value):
    register = REGISTERS["homing_offset"]

    assert decode(register, encode(register, value)) == value


def test_the_shaft_goes_to_its_goal_at_its_finite_speed(servo):
    servo.write(GOAL, goal(2500), now_s=0.0)

    servo.advance(0.2)
    assert servo.get("present_position") == 2200
    assert servo.get("present_velocity") == 1000
    assert servo.get("moving") == 1
    servo.advance(10.0)
    servo.advance(10.1)
    assert servo.get("present_position") == 2500
    assert servo.get("moving") == 0


def test_a_goal_beyond_the_limits_is_kept_within_them(servo):
    servo.set("max_position", 2100)
    servo.write(GOAL, goal(4000), now_s=0.0)

    servo.advance(10.0)

    assert servo.get("present_position") == 2100


def test_a_goal_turns_the_torque_on_whatever_was_said_before(servo):
    servo.write(TORQUE, b"\0", now_s=0.0)
    servo.write(GOAL, goal(2500), now_s=1.0)

    assert servo.has_torque
    assert servo.torque_changes == [(1.0, True)]


@pytest.mark.parametrize(("keeps_stale_goal", "end"), [(False, 2000), (True, 500)])
def test_torque_turned_on_holds_or_goes_to_an_old_goal_as_the_firmware_does(keeps_stale_goal, end):
    servo = Servo(1, shaft_ticks=2000, max_speed_ticks_s=1000, keeps_stale_goal=keeps_stale_goal)
    servo.set("goal_position", 500)
    servo.advance(0.0)

    servo.write(TORQUE, b"\1", now_s=0.0)
    servo.advance(10.0)

    assert servo.get("present_position") == end


def test_without_torque_a_hand_moves_the_shaft_and_it_stays(servo):
    servo.grip(1200)
    servo.let_go()
    servo.advance(5.0)

    assert servo.get("present_position") == 1200
    assert servo.get("present_load") == 0


def test_a_hand_overpowers_the_torque_and_is_felt_as_load(servo):
    servo.write(TORQUE, b"\1", now_s=0.0)
    servo.grip(1700)
    servo.advance(1.0)

    assert servo.get("present_position") == 1700
    assert servo.get("present_load") == 300
    servo.let_go()
    servo.advance(2.0)
    assert servo.get("present_position") == 2000


def test_the_homing_offset_shifts_what_is_reported_and_what_is_asked(servo):
    servo.set("homing_offset", -300)
    servo.advance(0.1)
    assert servo.get("present_position") == 2300

    servo.write(GOAL, goal(2400), now_s=0.1)
    servo.advance(10.0)
    assert servo.shaft_ticks == 2100


def test_what_may_only_be_read_is_not_written(servo):
    servo.write(PRESENT, b"\0\0", now_s=0.0)

    assert servo.get("present_position") == 2000


@pytest.mark.parametrize(("lock", "kept"), [(b"\0", 7), (b"\1", 250)])
def test_only_unlocked_writes_survive_a_power_cut(servo, lock, kept):
    servo.write(LOCK, lock, now_s=0.0)
    servo.write(RETURN_DELAY, b"\7", now_s=0.0)
    assert servo.get("return_delay") == 7

    servo.cut_power(now_s=1.0)

    assert servo.get("return_delay") == kept


def test_a_power_cut_takes_the_torque_and_leaves_the_shaft(servo):
    servo.write(GOAL, goal(2100), now_s=0.0)

    servo.cut_power(now_s=0.05)
    servo.advance(10.0)

    assert not servo.has_torque
    assert servo.get("present_position") == 2050


def test_an_alarm_takes_the_torque_and_gives_it_back_to_nobody(servo):
    servo.write(GOAL, goal(2500), now_s=0.0)
    servo.raise_alarm(Alarm.OVERLOAD, now_s=0.1)
    servo.write(TORQUE, b"\1", now_s=0.2)
    servo.write(GOAL, goal(2500), now_s=0.3)

    assert not servo.has_torque
    assert servo.torque_changes == [(0.0, True), (0.1, False)]


def test_a_write_that_is_put_off_waits_for_its_action(servo):
    servo.put_off(GOAL, goal(2100))
    servo.advance(1.0)
    assert servo.get("present_position") == 2000

    servo.act(now_s=1.0)
    servo.advance(2.0)
    assert servo.get("present_position") == 2100
