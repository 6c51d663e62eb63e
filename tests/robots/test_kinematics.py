"""Forward and inverse kinematics of the SO-101, as properties."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from backend.robots.kinematics import So101Kinematics, ToolPose

ARM = So101Kinematics()
# Where the axis of the shoulder pan meets the table.
BASE_AXIS_M = np.array([0.0388, 0.0])
joints = st.tuples(
    *(st.floats(low, high) for low, high in zip(ARM.low_deg, ARM.high_deg, strict=True))
).map(np.array)
# Well inside the reach, where every pose has neighbours on all sides.
roomy = st.tuples(
    st.floats(-90, 90),
    st.floats(-70, 20),
    st.floats(-40, 80),
    st.floats(-60, 80),
    st.floats(-140, 140),
).map(np.array)
anywhere = st.builds(
    ToolPose,
    position_m=st.tuples(*[st.floats(-2, 2)] * 3).map(np.array),
    pitch_deg=st.floats(-400, 400),
    roll_deg=st.floats(-400, 400),
)


@given(roomy, st.tuples(*[st.floats(-10, 10)] * 5).map(np.array))
def test_a_pose_that_was_reached_once_is_found_again(wanted, away):
    pose = ARM.forward(wanted)

    found = ARM.forward(ARM.solve(wanted + away, pose))

    assert np.linalg.norm(found.position_m - pose.position_m) < 1e-3
    assert found.roll_deg == pytest.approx(pose.roll_deg)


@given(roomy)
def test_a_small_step_is_exact_in_position_and_pitch(start):
    pose = ARM.forward(start)
    # Above the axis of the base no joint moves the tool sideways.
    assume(np.linalg.norm(pose.position_m[:2] - BASE_AXIS_M) > 0.05)
    target = ToolPose(
        position_m=pose.position_m + np.array([0.002, -0.003, 0.002]),
        pitch_deg=pose.pitch_deg,
        roll_deg=pose.roll_deg,
    )

    found = ARM.forward(ARM.solve(start, target))

    assert np.linalg.norm(found.position_m - target.position_m) < 2e-4
    assert found.pitch_deg == pytest.approx(target.pitch_deg, abs=1.0)


@given(joints, anywhere, st.floats(0.1, 20))
def test_no_target_makes_it_leave_limits_or_step_bound(start, target, max_step_deg):
    found = ARM.solve(start, target, max_step_deg=max_step_deg)

    assert np.isfinite(found).all()
    assert (found >= ARM.low_deg - 1e-6).all()
    assert (found <= ARM.high_deg + 1e-6).all()
    assert np.abs(found - start).max() <= max_step_deg + 1e-6


@given(joints)
def test_where_it_is_already_it_stays(start):
    assert np.abs(ARM.solve(start, ARM.forward(start)) - start).max() < 0.1


def test_a_start_outside_the_limits_comes_back_by_bounded_steps():
    outside = ARM.high_deg + 8
    target = ARM.forward(ARM.high_deg - 5)

    found = ARM.solve(outside, target, max_step_deg=5)

    assert np.abs(found - outside).max() <= 5 + 1e-6
    assert (found <= outside).all()


def test_pitch_gives_way_before_position_does():
    start = np.array([0.0, -62, 40, 80, -90])
    pose = ARM.forward(start)
    straight_down = ToolPose(position_m=pose.position_m, pitch_deg=-110, roll_deg=-90)

    found = ARM.forward(ARM.solve(start, straight_down))

    assert np.linalg.norm(found.position_m - pose.position_m) < 1e-4
    assert -110 < found.pitch_deg < pose.pitch_deg


def test_the_frame_is_away_left_up():
    rest = np.array([0.0, -62, 40, 80, 0])
    here = ARM.forward(rest).position_m
    left = ARM.forward(rest + np.array([10, 0, 0, 0, 0])).position_m
    right = ARM.forward(rest - np.array([10, 0, 0, 0, 0])).position_m

    assert here[0] > 0.1
    # The pan joint's positive turn is to the right.
    assert left[1] < here[1] < right[1]
    assert ARM.forward(np.zeros(5)).pitch_deg == 0


def test_the_jaw_axis_is_a_unit_vector_that_turns_with_the_roll():
    down = np.array([0.0, -35, 45, 80, 0])
    axis, turned = ARM.jaw_axis(down), ARM.jaw_axis(down + np.array([0, 0, 0, 0, 90]))

    assert np.linalg.norm(axis) == pytest.approx(1)
    assert axis @ turned == pytest.approx(0, abs=1e-6)
