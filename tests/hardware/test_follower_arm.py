"""Handrail's arm on the emulated follower: the contract of every arm, and what faults become."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from backend.control import RobotFaultError
from backend.robots.make import make_arm
from tests.contracts.arm_contract import ArmContract
from tests.hardware.arms import JOINTS, EmulatedArm
from tests.hardware.cameras import FileDevice, write_video
from tests.hardware.clocks import HandClock
from tests.hardware.rigs import so101_config


class Shop:
    """Emulated followers, each with a folder of its own, and Handrail's arms for them."""

    def __init__(self, folder: Path) -> None:
        self.clock = HandClock()
        self.emulated: list[EmulatedArm] = []
        self._folder = folder
        self._video = write_video(folder / "overhead.mp4")

    def new_arm(self):
        folder = self._folder / f"arm{len(self.emulated)}"
        folder.mkdir()
        self.emulated.append(EmulatedArm(folder, clock=self.clock))
        return make_arm(
            so101_config(folder, follower=self.emulated[-1], cameras={"overhead": self._video})
        )

    def step(self) -> None:
        self.clock.move(1 / 30)

    def close(self) -> None:
        for arm in self.emulated:
            arm.close()


@pytest.fixture
def shop(tmp_path, monkeypatch):
    monkeypatch.setattr(cv2, "VideoCapture", FileDevice)
    shop = Shop(tmp_path)
    yield shop
    shop.close()


@pytest.fixture
def arm(shop):
    arm = shop.new_arm()
    arm.connect()
    yield arm
    arm.close()


class TestEmulatedFollower(ArmContract):
    @pytest.fixture
    def new_arm(self, shop):
        return shop.new_arm

    @pytest.fixture
    def step_passes(self, shop):
        return shop.step


@pytest.fixture
def follower(shop, arm) -> EmulatedArm:
    return shop.emulated[0]


def test_it_holds_while_it_is_open_and_lets_go_when_it_is_closed(arm, follower):
    assert follower.torque() == set(JOINTS)

    arm.close()

    assert follower.torque() == set()


def test_the_motors_are_sent_what_is_said_to_be_executed(arm, follower):
    arm.observe()
    executed = arm.act(np.full(6, 200.0))
    arm.observe()

    # The servo has 4096 positions, and LeRobot rounds towards zero.
    assert list(follower.goal().values()) == pytest.approx(executed.tolist(), abs=0.1)


@pytest.mark.parametrize(
    ("break_it", "words"),
    [
        (lambda bus: bus.faults.silence(6), "no status packet"),
        (lambda bus: bus.faults.corrupt(3, servo_id=1), "Incorrect status packet"),
        (lambda bus: bus.unplug(), "Input/output error"),
        (lambda bus: bus.power_off(), "no status packet"),
    ],
    ids=["silent servo", "garbled replies", "unplugged", "no power"],
)
def test_every_fault_of_the_line_is_a_robot_fault_with_a_remedy(arm, follower, break_it, words):
    break_it(follower.bus)

    with pytest.raises(RobotFaultError, match=words) as caught:
        arm.observe()
    assert "Check power, USB cable and port" in str(caught.value)
    follower.bus.faults.clear()
    follower.bus.power_on()


def test_two_bad_replies_in_a_row_are_no_fault(arm, follower):
    follower.bus.faults.corrupt(2, servo_id=1)

    assert np.isfinite(arm.observe().state).all()


def test_a_follower_without_calibration_is_refused_with_the_command_that_makes_one(shop):
    arm = shop.new_arm()
    shop.emulated[-1].servo("elbow_flex").set("homing_offset", 5)

    with pytest.raises(RobotFaultError, match=r"lerobot-calibrate --robot\.type=so101_follower"):
        arm.connect()
    assert shop.emulated[-1].torque() == set()


def observe_many(arm) -> None:
    """LeRobot forgives a camera for a while before it says that it is gone."""
    for _ in range(100):
        arm.observe()


def test_a_camera_that_is_gone_is_a_fault_and_closing_still_lets_go(arm, follower, request):
    request.addfinalizer(FileDevice.unplugged.clear)
    arm.observe()
    FileDevice.unplugged.set()

    with pytest.raises(RobotFaultError, match=r"[Cc]amera"):
        observe_many(arm)
    arm.close()

    assert follower.torque() == set()
