"""A part of a picture, made smaller: the same for recordings, page and policies."""

import numpy as np
import pytest
import yaml

from backend.robots.arm import LeRobotArm
from backend.robots.arm_cameras import viewed
from backend.robots.camera_view import CameraView
from backend.robots.config import ROBOTS_DIR, RobotConfigError, load_robot_config
from backend.robots.make import make_arm
from backend.robots.synthetic import SyntheticCameraConfig, SyntheticRobot, SyntheticRobotConfig
from tests.contracts.arm_contract import ArmContract
from tests.hardware.clocks import HandClock

VIEWS = {
    "overhead": {"crop": [100, 40, 200, 160], "resize": [100, 80]},
    "wrist": {"crop": [10, 20, 300, 220]},
}


@pytest.fixture
def read(tmp_path):
    """Read the synthetic robot's config with another `cameras_view`."""

    def read(views):
        content = yaml.safe_load((ROBOTS_DIR / "synthetic.yaml").read_text())
        path = tmp_path / "viewed.yaml"
        path.write_text(yaml.safe_dump({**content, "cameras_view": views}))
        return load_robot_config(path)

    return read


class TestArmWithViews(ArmContract):
    @pytest.fixture
    def clock(self):
        return HandClock()

    @pytest.fixture
    def step_passes(self, clock):
        return lambda: clock.move(1 / 30)

    @pytest.fixture
    def new_arm(self, read, clock, tmp_path):
        def make():
            cameras = {name: SyntheticCameraConfig(width=640, height=480, fps=30) for name in VIEWS}
            robot = SyntheticRobotConfig(calibration_dir=tmp_path, cameras=cameras)
            return LeRobotArm(read(VIEWS), SyntheticRobot(robot, clock_s=clock))

        return make

    @pytest.fixture
    def arm(self, new_arm):
        arm = new_arm()
        arm.connect()
        yield arm
        arm.close()

    def test_all_pictures_have_the_views_size(self, arm):
        assert arm.cameras == {"overhead": (100, 80), "wrist": (300, 220)}

    def test_recorded_and_live_pictures_are_the_same_part_of_the_cameras_own(self, arm):
        # Frozen pictures can be compared.
        for camera in arm._robot.cameras.values():
            camera.frozen.set()
            own = camera.read_latest
        seen, live = arm.observe().frames, arm.newest_frames()

        assert np.array_equal(live["wrist"][0], seen["wrist"])
        assert np.array_equal(seen["wrist"], own()[20:240, 10:310])
        assert seen["wrist"].flags["C_CONTIGUOUS"]


def test_shrinking_averages():
    picture = np.zeros((40, 40, 3), np.uint8)
    picture[:, ::2] = 200

    seen = viewed(picture, CameraView(size_px=(20, 20)))

    assert np.unique(seen).tolist() == [100]


@pytest.mark.parametrize(
    ("views", "said"),
    [
        ({"overhead": {"crop": [500, 0, 200, 100]}}, r"crop \[500, 0, 200, 100\].* leaves the"),
        ({"overhead": {"resize": [101, 80]}}, "even picture sizes, this gives 101x80"),
        ({"overhaed": {"resize": [100, 80]}}, "overhaed: no such camera; did you mean 'overhead'"),
    ],
)
def test_a_view_that_does_not_fit_the_camera_is_refused(read, views, said):
    with pytest.raises(RobotConfigError, match=said):
        make_arm(read(views))


@pytest.mark.parametrize(
    ("view", "said"),
    [
        ({"crop": [0, 0, 100]}, r"overhead.crop: needs \[x, y, width, height\]"),
        ({"crop": [-2, 0, 100, 100]}, "at least"),
        ({"resize": [64.5, 64]}, "whole pixels"),
        ({"size": [64, 64]}, "overhead.size: unknown key"),
        ({}, "needs crop, resize, or both"),
    ],
)
def test_a_view_that_makes_no_sense_is_refused_when_the_config_is_read(read, view, said):
    with pytest.raises(RobotConfigError, match=said):
        read({"overhead": view})
