"""The leader arm's behaviour, seen on the emulated servos: torque and motion at every change."""

import numpy as np
import pytest
from lerobot.teleoperators.so_leader import SO101Leader

from tests.hardware.arms import JOINTS, EmulatedArm
from tests.hardware.leader_bench import DT_S, FEEL, Bench, state

ALL = set(JOINTS)


def test_a_leader_that_was_just_connected_is_limp(bench):
    assert bench.arm.torque() == set()


@pytest.mark.parametrize("keeps_stale_goal", [False, True])
def test_it_turns_stiff_where_it_is_whatever_goal_it_had(tmp_path, clock, keeps_stale_goal):
    arm = EmulatedArm(tmp_path, clock=clock, keeps_stale_goal=keeps_stale_goal)
    for joint in JOINTS:
        arm.servo(joint).set("goal_position", 3000)
    bench = Bench(arm, clock)
    bench.leader.connect()
    before = bench.pose()

    bench.follow(state())

    assert arm.torque() == ALL
    assert bench.pose() == pytest.approx(before, abs=0.2)
    bench.leader.close()
    arm.close()


def test_it_goes_slowly_to_a_follower_that_is_somewhere_else(bench):
    far = state(shoulder_pan=60.0)
    poses = [bench.pose()]

    for _ in range(75):
        bench.follow(far)
        poses.append(bench.pose())

    speeds = np.abs(np.diff(poses, axis=0)).max(axis=1) / DT_S
    # One tick of the encoder is 2.6 degrees a second at this rate.
    assert speeds[:30].max() <= FEEL.catch_up_speed + 2.7
    assert speeds.max() <= 2 * FEEL.catch_up_speed
    assert poses[-1] == pytest.approx(far, abs=0.3)


def test_it_stays_with_a_follower_that_moves_fast_and_feels_no_push(following):
    wishes = []
    for number in range(60):
        angle = 40 * np.sin(number * DT_S * 4)
        wishes += following.follow(state(shoulder_pan=angle, elbow_flex=-angle / 2))

    assert not any(wishes)
    assert following.arm.pose()["shoulder_pan"] == pytest.approx(angle, abs=6)


def test_taking_over_makes_it_limp_and_begins_where_the_follower_is(following):
    follower = state(shoulder_pan=3.0, wrist_roll=-2.0)

    following.leader.start(follower)

    assert following.arm.torque() == set()
    assert following.lead(follower) == pytest.approx(follower, abs=1e-3)


def test_the_first_movement_of_the_hand_counts_at_once(following):
    follower = state(shoulder_pan=3.0)
    following.leader.start(follower)
    before = following.lead(follower)

    following.arm.grip(elbow_flex=4.0)
    after = following.lead(follower)

    assert (after - before)[2] == pytest.approx(4.0, abs=0.15)


def test_a_difference_fades_within_its_time_and_in_small_steps(bench):
    # Never followed, so the leader is 90 degrees away.
    bench.arm.grip(shoulder_pan=-90.0)
    follower = state()
    bench.leader.start(follower)
    targets = [bench.lead(follower) for _ in range(round(FEEL.max_align_s / DT_S) + 2)]

    assert targets[0] == pytest.approx(follower, abs=1e-3)
    assert targets[-1][0] == pytest.approx(-90.0, abs=0.1)
    steps = np.abs(np.diff([target[0] for target in targets]))
    assert steps.max() <= 90 / FEEL.max_align_s * DT_S + 0.01


def test_nothing_is_sent_to_it_while_it_leads(following):
    following.leader.start(state())
    goal = following.arm.goal()

    for angle in range(20):
        following.arm.grip(shoulder_pan=float(angle))
        following.lead(state())

    assert following.arm.torque() == set()
    assert following.arm.goal() == goal


def test_handing_back_makes_it_stiff_in_the_hand_and_follow_again(following):
    following.leader.start(state())
    following.arm.grip(shoulder_pan=20.0)
    following.lead(state())
    following.arm.let_go()

    following.follow(state(shoulder_pan=20.0))
    assert following.arm.torque() == ALL
    assert following.arm.pose()["shoulder_pan"] == pytest.approx(20.0, abs=0.3)
    following.follow(state(), 2.0)
    assert following.arm.pose()["shoulder_pan"] == pytest.approx(0.0, abs=0.3)


def test_every_change_of_driver_changes_the_torque_once(following):
    leader, servo = following.leader, following.arm.servo("elbow_flex")
    servo.torque_changes.clear()

    leader.start(state())
    following.lead(state())
    following.follow(state(), 0.5)
    leader.start(state())

    assert [on for _, on in servo.torque_changes] == [False, True, False]


def test_a_push_is_felt_once_and_only_after_its_time(following):
    following.arm.grip(shoulder_lift=-20.0)

    wishes = following.follow(state(), 1.0)

    assert wishes.count(True) == 1
    assert wishes.index(True) == pytest.approx(FEEL.push_s / DT_S - 1, abs=1.01)


def test_a_small_nudge_is_no_push(following):
    following.arm.grip(shoulder_lift=-8.0)

    assert not any(following.follow(state(), 1.0))


def test_a_leader_held_back_on_its_way_to_the_follower_is_no_push(bench):
    bench.arm.grip(shoulder_pan=-60.0)

    assert not any(bench.follow(state(), 3.0))


def test_a_pushed_leader_that_is_let_go_does_not_snap_back(following):
    following.arm.grip(shoulder_pan=70.0)
    following.follow(state(), 1.0)

    following.arm.let_go()
    before = following.pose()
    following.follow(state(), 0.3)

    leash = FEEL.catch_up_speed * FEEL.lag_s
    assert np.abs(following.pose() - before).max() <= leash + FEEL.catch_up_speed * 0.3 + 1


def test_a_leader_without_motors_leads_and_never_follows(leader_arm, clock, monkeypatch):
    # Koch's leader has no feedback.
    monkeypatch.setattr(SO101Leader, "feedback_features", property(lambda self: {}))
    bench = Bench(leader_arm, clock)
    bench.leader.connect()

    bench.follow(state(shoulder_pan=30.0), 1.0)
    assert leader_arm.torque() == set()
    assert leader_arm.pose()["shoulder_pan"] == pytest.approx(-10.0, abs=0.1)
    bench.leader.start(state(shoulder_pan=30.0))
    assert bench.lead(state(shoulder_pan=30.0))[0] == pytest.approx(30.0, abs=0.1)
    bench.leader.close()


def test_the_gripper_of_the_leader_shows_as_open_or_closed(following):
    following.leader.start(state())
    following.arm.grip(gripper=90.0)
    following.lead(state())
    assert not following.leader.gripper_closed

    following.arm.grip(gripper=5.0)
    following.lead(state())
    assert following.leader.gripper_closed
