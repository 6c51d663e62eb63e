"""LeRobot's own drivers on the emulated bus: what they do, and what they raise when it fails.

The errors are what LeRobot 0.6.1 really raises; Handrail's own code is built upon this table.
"""

import termios

import pytest

from tests.hardware.arms import JOINTS
from tests.hardware.servo import Alarm

ALL = set(JOINTS)


@pytest.fixture
def connected(follower):
    follower.connect(calibrate=False)
    yield follower
    if follower.bus.is_connected:
        follower.bus.port_handler.closePort()


@pytest.fixture
def leading(leader):
    leader.connect(calibrate=False)
    yield leader
    if leader.bus.is_connected:
        leader.bus.port_handler.closePort()


def action(**targets: float) -> dict[str, float]:
    return {f"{joint}.pos": value for joint, value in targets.items()}


def test_follower_connects_calibrated_holds_and_has_not_moved(connected, follower_arm):
    before = follower_arm.pose()

    assert connected.is_calibrated
    assert follower_arm.torque() == ALL
    assert follower_arm.pose() == before


def test_follower_reports_where_the_joints_are(connected, follower_arm):
    observation = connected.get_observation()

    assert observation == pytest.approx(
        {f"{joint}.pos": value for joint, value in follower_arm.pose().items()}
    )
    assert observation["elbow_flex.pos"] == pytest.approx(20.0, abs=0.1)


def test_follower_goes_where_it_is_sent_at_the_servos_speed(connected, follower_arm, clock):
    sent = connected.send_action(action(shoulder_pan=54.0))
    # sync_write has no answer; a read comes after it on the line.
    connected.get_observation()

    clock.move(0.1)
    # 45 rpm are 270 degrees a second.
    assert connected.get_observation()["shoulder_pan.pos"] == pytest.approx(27.0, abs=0.3)
    clock.move(1.0)
    assert connected.get_observation()["shoulder_pan.pos"] == pytest.approx(54.0, abs=0.1)
    assert sent == action(shoulder_pan=54.0)


def test_follower_lets_go_when_it_is_disconnected(connected, follower_arm):
    connected.disconnect()

    assert follower_arm.torque() == set()


def test_a_file_that_is_not_the_motors_calibration_is_noticed(follower_arm, follower):
    follower_arm.servo("elbow_flex").set("homing_offset", 111)
    follower.connect(calibrate=False)

    assert not follower.is_calibrated
    follower.disconnect()


def test_leader_connects_limp_and_reports_the_hand(leading, leader_arm):
    assert leader_arm.torque() == set()

    leader_arm.grip(wrist_flex=33.0)

    assert leading.get_action()["wrist_flex.pos"] == pytest.approx(33.0, abs=0.1)


def test_leader_follows_its_feedback_with_torque_on(leading, leader_arm, clock):
    leading.enable_torque()
    leading.send_feedback(action(shoulder_pan=15.0))
    leading.get_action()
    clock.move(1.0)

    assert leader_arm.pose()["shoulder_pan"] == pytest.approx(15.0, abs=0.1)
    leading.disable_torque()
    assert leader_arm.torque() == set()


def test_leader_feedback_turns_the_torque_on_by_itself(leading, leader_arm):
    leading.send_feedback(action(shoulder_pan=15.0))
    leading.get_action()

    assert leader_arm.torque() == {"shoulder_pan"}


@pytest.mark.parametrize("fault", ["lose", "corrupt"])
def test_two_bad_replies_are_retried_unseen(connected, follower_arm, fault):
    getattr(follower_arm.bus.faults, fault)(2, servo_id=6)

    assert connected.get_observation()["elbow_flex.pos"] == pytest.approx(20.0, abs=0.1)


def test_replies_lost_for_longer_are_a_connection_error(connected, follower_arm):
    follower_arm.bus.faults.lose(3, servo_id=6)

    with pytest.raises(ConnectionError, match=r"after 3 tries.*There is no status packet"):
        connected.get_observation()


def test_replies_garbled_for_longer_are_a_connection_error(connected, follower_arm):
    follower_arm.bus.faults.corrupt(3, servo_id=1)

    with pytest.raises(ConnectionError, match=r"after 3 tries.*Incorrect status packet"):
        connected.get_observation()


def test_replies_after_two_garbled_ones_answer_whatever_is_asked_next(connected, follower_arm):
    follower_arm.bus.faults.corrupt(2)
    connected.get_observation()

    # Low bytes of positions, of which LeRobot thinks as alarms.
    assert any(connected.bus.sync_read("Status", normalize=False).values())
    # Then alarms are left, of which it makes positions that no servo has.
    positions = connected.bus.sync_read("Present_Position", normalize=False)
    assert all(abs(ticks) > 4095 for ticks in positions.values())


def test_a_silent_servo_fails_the_read_and_passes_unnoticed_in_the_write(connected, follower_arm):
    follower_arm.bus.faults.silence(6)

    with pytest.raises(ConnectionError, match="no status packet"):
        connected.get_observation()
    assert connected.send_action(action(gripper=10.0)) == action(gripper=10.0)
    connected.bus.read("Present_Position", "elbow_flex")
    assert follower_arm.goal()["gripper"] == pytest.approx(50.0, abs=0.1)


def test_a_silent_servo_keeps_lerobot_from_letting_go_of_those_after_it(connected, follower_arm):
    follower_arm.bus.faults.silence(3)

    with pytest.raises(ConnectionError, match="Failed to write 'Torque_Enable' on id_=3"):
        connected.disconnect()

    assert follower_arm.torque() == ALL - {"shoulder_pan", "shoulder_lift"}
    assert connected.is_connected


def test_a_silent_servo_is_named_when_connecting(follower, follower_arm):
    follower_arm.bus.faults.silence(4)

    with pytest.raises(RuntimeError, match=r"Missing motor IDs:\n  - 4 \(expected model: 777\)"):
        follower.connect(calibrate=False)
    follower.bus.port_handler.closePort()


def test_unplugging_is_a_terminal_error_then_a_busy_port(connected, follower_arm):
    follower_arm.bus.unplug()

    with pytest.raises(termios.error, match="Input/output error"):
        connected.get_observation()
    # LeRobot 0.6.1 never releases the port after that, so it says what is not so.
    with pytest.raises(ConnectionError, match="Port is in use"):
        connected.send_action(action(gripper=10.0))
    with pytest.raises(termios.error):
        connected.disconnect()


def test_unplugging_leaves_the_arm_stiff_where_it_was_going(connected, follower_arm, clock):
    connected.send_action(action(shoulder_pan=54.0))
    connected.get_observation()

    follower_arm.bus.unplug()
    clock.move(5.0)

    assert follower_arm.torque() == ALL
    assert follower_arm.pose()["shoulder_pan"] == pytest.approx(54.0, abs=0.1)


def test_an_overloaded_servo_is_limp_and_neither_read_nor_action_says_so(connected, follower_arm):
    follower_arm.raise_alarm("elbow_flex", Alarm.OVERLOAD)

    connected.send_action(action(elbow_flex=0.0))
    connected.get_observation()

    assert follower_arm.torque() == ALL - {"elbow_flex"}
    with pytest.raises(RuntimeError, match="Overload error"):
        connected.bus.read("Present_Temperature", "elbow_flex")


def test_a_power_cut_is_a_connection_error_and_the_arm_is_limp_after(connected, follower_arm):
    follower_arm.bus.power_off()
    with pytest.raises(ConnectionError, match="no status packet"):
        connected.get_observation()

    follower_arm.bus.power_on()

    assert connected.get_observation()["elbow_flex.pos"] == pytest.approx(20.0, abs=0.1)
    assert follower_arm.torque() == set()


def test_a_missing_port_is_a_connection_error(follower, follower_arm):
    follower_arm.bus.unplug()

    with pytest.raises(ConnectionError, match="Could not connect on port"):
        follower.connect(calibrate=False)
