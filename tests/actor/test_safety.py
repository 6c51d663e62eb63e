"""The gate: what reaches the motors is finite, within limits, and near where the arm is."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.actor.safety import CameraWatch, SafetyGate, SafetyTimes
from backend.control import Limits

LIMITS = Limits(
    low=np.array([-90, 0], np.float32),
    high=np.array([90, 100], np.float32),
    max_relative_target=np.array([10, 20], np.float32),
)
ANY_NUMBER = st.floats(allow_nan=True, allow_infinity=True, width=32)


@pytest.fixture
def gate():
    return SafetyGate(limits=LIMITS, names=("pan.pos", "gripper.pos"))


def test_an_action_within_limits_passes_unchanged(gate):
    checked = gate.check(np.array([5, 50]), present=np.array([0, 45], np.float32))

    assert checked.action.tolist() == [5, 50]
    assert checked.action.dtype == np.float32
    assert checked.clamped == ()
    assert gate.num_clamped == 0


def test_a_step_that_is_too_large_is_cut_and_counted_by_joint(gate):
    checked = gate.check(np.array([80, 50]), present=np.array([0, 45], np.float32))

    assert checked.action.tolist() == [10, 50]
    assert checked.clamped == ("pan.pos",)
    assert gate.num_clamped == 1


def test_a_target_beyond_a_joint_limit_is_cut(gate):
    checked = gate.check(np.array([95, -5]), present=np.array([89, 2], np.float32))

    assert checked.action.tolist() == [90, 0]
    assert checked.clamped == ("pan.pos", "gripper.pos")


def test_an_arm_outside_its_limits_is_brought_back_in_bounded_steps(gate):
    checked = gate.check(np.array([0, 50]), present=np.array([130, 50], np.float32))

    assert checked.action.tolist() == [120, 50]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_an_action_that_is_no_number_is_refused_by_the_joints_name(gate, bad):
    checked = gate.check(np.array([0, bad]), present=np.zeros(2, np.float32))

    assert checked.action is None
    assert "gripper.pos" in checked.refusal
    assert "pan.pos" not in checked.refusal


def test_an_action_of_another_shape_is_refused_with_both_shapes(gate):
    checked = gate.check(np.zeros(3), present=np.zeros(2, np.float32))

    assert checked.action is None
    assert "(3,)" in checked.refusal
    assert "(2,)" in checked.refusal


@given(
    requested=st.tuples(ANY_NUMBER, ANY_NUMBER),
    present=st.tuples(st.floats(-90, 90, width=32), st.floats(0, 100, width=32)),
)
def test_whatever_is_asked_what_passes_is_finite_near_and_within_limits(requested, present):
    gate = SafetyGate(limits=LIMITS, names=("pan.pos", "gripper.pos"))
    present = np.array(present, np.float32)

    checked = gate.check(np.array(requested), present=present)

    if checked.action is None:
        assert not np.isfinite(requested).all()
        return
    assert np.isfinite(checked.action).all()
    assert (checked.action >= LIMITS.low).all()
    assert (checked.action <= LIMITS.high).all()
    assert (np.abs(checked.action - present) <= LIMITS.max_relative_target + 1e-4).all()


def test_a_camera_is_frozen_once_its_picture_is_older_than_period_and_patience():
    watch = CameraWatch(period_s=0.1, frozen_s=0.3)

    assert watch.look({"wrist": 9.0, "top": 9.0}, wall_s=9.0) == ()
    assert watch.look({"wrist": 10.0, "top": 10.39}, wall_s=10.39) == ()
    assert watch.look({"wrist": 10.0, "top": 10.41}, wall_s=10.41) == ("wrist",)
    assert watch.look({"wrist": 10.0, "top": 10.51}, wall_s=10.51) == ()
    assert watch.frozen == ("wrist",)
    assert watch.look({"wrist": 10.6, "top": 10.6}, wall_s=10.6) == ()
    assert watch.frozen == ()


def test_a_first_picture_that_waited_for_the_loop_is_not_a_frozen_one():
    watch = CameraWatch(period_s=0.1, frozen_s=0.3)

    assert watch.look({"wrist": 8.0}, wall_s=10.0) == ()
    assert watch.look({"wrist": 8.0}, wall_s=10.3) == ()
    assert watch.look({"wrist": 8.0}, wall_s=10.5) == ("wrist",), "unless it stays the only one"


def test_times_that_contradict_each_other_are_refused():
    with pytest.raises(ValueError, match=r"release_s \(2.0\).*held_s \(1.0\)"):
        SafetyTimes(release_s=2.0)
