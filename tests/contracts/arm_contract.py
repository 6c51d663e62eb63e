"""What every arm promises the control loop. Inherit `ArmContract` and provide its fixtures."""

from collections.abc import Callable

import numpy as np
import pytest

from backend.control import Arm, Observation
from backend.robots.arm import ArmNotConnectedError


class ArmContract:
    """Fixtures to provide: `arm` (connected, shared), `new_arm` (makes one, not connected),
    `step_passes` (lets one control period pass for what moves by itself)."""

    @pytest.fixture
    def step_passes(self) -> Callable[[], None]:
        return lambda: None

    def test_it_is_an_arm(self, arm: Arm):
        assert isinstance(arm, Arm)
        assert arm.fps > 0
        assert len(arm.limits.low) == len(arm.limits.high) == len(arm.action_names)
        assert (arm.limits.low < arm.limits.high).all()
        assert (arm.limits.max_relative_target > 0).all()

    def test_its_features_are_known_before_it_is_connected(self, arm: Arm, new_arm):
        fresh = new_arm()

        assert fresh.state_names == arm.state_names
        assert fresh.action_names == arm.action_names
        assert fresh.cameras == arm.cameras

    def test_every_observation_has_the_promised_shapes(self, arm: Arm, step_passes):
        for _ in range(3):
            self.check(arm, seen := arm.observe())
            arm.act(arm.position(seen.state))
            step_passes()

    def check(self, arm: Arm, seen: Observation) -> None:
        assert seen.state.shape == (len(arm.state_names),)
        assert seen.state.dtype == np.float32
        assert list(seen.frames) == list(arm.cameras)
        assert set(seen.frame_wall_s) == set(arm.cameras)
        for name, (width, height) in arm.cameras.items():
            assert seen.frames[name].shape == (height, width, 3)
            assert seen.frames[name].dtype == np.uint8

    def test_a_frame_is_never_older_than_the_one_before_it(self, arm: Arm, step_passes):
        before = arm.observe()
        arm.act(arm.position(before.state))
        step_passes()
        after = arm.observe()

        for name in arm.cameras:
            assert after.frame_wall_s[name] >= before.frame_wall_s[name] - 1e-3

    def test_a_picture_can_be_seen_without_waiting_for_the_next_step(self, arm: Arm, step_passes):
        seen = arm.observe()
        arm.act(arm.position(seen.state))
        step_passes()

        newest = arm.newest_frames()

        assert set(newest) == set(arm.cameras)
        for name, (width, height) in arm.cameras.items():
            frame, wall_s = newest[name]
            assert frame.shape == (height, width, 3)
            assert wall_s >= seen.frame_wall_s[name] - 1e-3

    def test_there_is_no_picture_before_it_is_connected(self, new_arm):
        assert new_arm().newest_frames() == {}

    @pytest.mark.parametrize("end", ["low", "high"])
    def test_what_is_executed_keeps_to_the_limits(self, arm: Arm, step_passes, end):
        wild = getattr(arm.limits, end) * 3
        for _ in range(5):
            present = arm.position(arm.observe().state)
            executed = arm.act(wild)
            step_passes()

            assert executed.shape == wild.shape
            assert executed.dtype == np.float32
            # The simulator's servo has 4096 positions: half of one is 0.05 degrees.
            assert (executed >= arm.limits.low - 0.06).all()
            assert (executed <= arm.limits.high + 0.06).all()
            assert (np.abs(executed - present) <= arm.limits.max_relative_target + 0.1).all()

    def test_it_holds_its_pose(self, arm: Arm, step_passes):
        still = arm.position(arm.observe().state)
        for _ in range(10):
            arm.act(still)
            step_passes()
        start = arm.observe().state
        for _ in range(10):
            arm.act(still)
            step_passes()

        assert np.abs(arm.observe().state - start).max() < 1.0

    def test_it_refuses_what_is_no_number(self, arm: Arm):
        broken = arm.position(arm.observe().state)
        broken[0] = np.nan

        with pytest.raises(ValueError, match="finite"):
            arm.act(broken)

    def test_it_refuses_an_action_made_for_another_robot(self, arm: Arm):
        with pytest.raises(ValueError, match="another robot"):
            arm.act(np.zeros(len(arm.action_names) + 1, dtype=np.float32))

    def test_a_reset_reaches_the_reset_pose(self, arm: Arm, step_passes):
        arm.act(arm.position(arm.observe().state) + 5)
        step_passes()

        arm.begin_reset()
        for _ in range(round(10 * arm.fps)):
            action = arm.reset_action(arm.observe().state)
            if action is None:
                break
            executed = arm.act(action)
            assert np.allclose(executed, action, atol=0.1), "a reset moves within the limits"
            step_passes()

        assert action is None
        wanted = [arm.config.reset.pose[name] for name in arm.action_names]
        assert np.abs(arm.position(arm.observe().state) - wanted).max() < 2.0

    def test_it_cannot_be_used_before_it_is_connected(self, new_arm):
        with pytest.raises(ArmNotConnectedError, match="connect"):
            new_arm().observe()

    def test_it_can_be_closed_twice_and_not_used_after(self, new_arm):
        arm = new_arm()
        arm.connect()
        still = arm.position(arm.observe().state)

        arm.close()
        arm.close()

        for use in (arm.observe, arm.begin_reset, lambda: arm.act(still)):
            with pytest.raises(ArmNotConnectedError, match=arm.name):
                use()
