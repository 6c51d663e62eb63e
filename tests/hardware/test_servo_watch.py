"""What servos tell of themselves while they work, and how seldom they are asked."""

import pytest

from backend.robots.servo_watch import LOOK_EVERY_S, REMIND_S, ROUND, ServoWatch
from tests.hardware.servo import Alarm

WHOLE_ROUND_S = LOOK_EVERY_S * len(ROUND)


@pytest.fixture
def connected(follower):
    follower.connect(calibrate=False)
    yield follower
    if follower.bus.is_connected:
        follower.bus.port_handler.closePort()


@pytest.fixture
def watch(connected, clock):
    watch = ServoWatch(connected, name="arm", may_hold=True, now_s=clock)
    watch.begin()
    return watch


def look_for(watch, clock, seconds: float = WHOLE_ROUND_S):
    """Look as often as a loop at 10 Hz does; return all that was found."""
    found = []
    for _ in range(round(seconds * 10) + 1):
        found += watch.look()
        clock.move(0.1)
    return found


def test_servos_that_are_well_say_nothing_and_are_asked_twice_a_second(
    watch, connected, clock, monkeypatch
):
    asked = []
    read = connected.bus.sync_read
    monkeypatch.setattr(
        connected.bus, "sync_read", lambda name, **how: asked.append(name) or read(name, **how)
    )

    assert look_for(watch, clock) == []

    assert len(asked) == pytest.approx(len(ROUND), abs=1)
    assert set(asked) == {"Status", "Present_Temperature", "Present_Voltage", "Present_Load"}


def test_a_servo_that_shut_itself_off_is_found_within_a_second_and_holds(
    watch, follower_arm, clock
):
    follower_arm.raise_alarm("elbow_flex", Alarm.OVERLOAD)

    first, *others = look_for(watch, clock, 2.0)

    assert "arm: elbow_flex has shut itself off (overload): free the joint" in first.message
    assert first.must_hold
    assert first.is_new
    # It is said once, and holds for as long as it is so.
    assert [(other.must_hold, other.is_new) for other in others] == [(True, False)]
    follower_arm.bus.power_off()
    follower_arm.bus.power_on()
    assert look_for(watch, clock) == []


@pytest.mark.parametrize(
    ("registers", "words", "must_hold"),
    [
        ({"present_temperature": 58}, "has 58 °C: let it rest", False),
        ({"present_temperature": 66}, "66 °C, at 70 °C it shuts off: switch its power off", True),
        ({"present_voltage": 42}, "only 4.2 V, below 4.0 V it gives up: check the arm's", False),
        ({"present_voltage": 39}, "only 3.9 V, below 4.0 V it gives up: check the arm's", True),
    ],
)
def test_what_is_too_much_is_said_with_its_remedy(
    watch, follower_arm, clock, registers, words, must_hold
):
    follower_arm.feel("wrist_flex", **registers)

    (found,) = look_for(watch, clock)

    assert words in found.message
    assert found.must_hold is must_hold


def test_what_persists_is_said_again_after_a_minute_and_what_worsens_at_once(
    watch, follower_arm, clock
):
    follower_arm.feel("gripper", present_temperature=58)
    assert len(look_for(watch, clock, REMIND_S - 1)) == 1
    assert len(look_for(watch, clock, WHOLE_ROUND_S)) == 1

    follower_arm.feel("gripper", present_temperature=68)

    assert look_for(watch, clock)[0].must_hold


def test_a_joint_that_is_held_back_for_long_is_named_and_a_gripper_is_not(
    watch, connected, follower_arm, clock
):
    pose = follower_arm.pose()
    # Hands keep two joints far from where they are sent to.
    follower_arm.grip(shoulder_lift=pose["shoulder_lift"], gripper=pose["gripper"])
    connected.send_action({"shoulder_lift.pos": 85.0, "gripper.pos": 0.0})
    connected.get_observation()

    found = look_for(watch, clock, 2 * WHOLE_ROUND_S)

    assert ["shoulder_lift pushes with" in ailment.message for ailment in found] == [True]


def test_a_line_that_does_not_answer_is_left_to_the_next_observation(watch, follower_arm, clock):
    follower_arm.bus.faults.silence(3)

    assert look_for(watch, clock) == []


def test_a_device_without_a_bus_has_nothing_to_say(clock):
    watch = ServoWatch(object(), name="simulator", may_hold=True, now_s=clock)
    watch.begin()

    assert look_for(watch, clock) == []
