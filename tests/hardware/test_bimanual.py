"""Two emulated SO-101 as one robot, each with a leader: the arm's contract, and a short session."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from backend.actor.rigging import LeRobotRigs
from backend.control import RobotFaultError
from backend.domain import Command, Phase
from backend.robots.config import ROBOTS_DIR, RobotConfig, load_robot_config
from backend.robots.make import make_arm
from backend.robots.preflight import check_to_open
from backend.robots.preflight_finding import in_words, may_move
from tests.actor.stage import Stage
from tests.contracts.arm_contract import ArmContract
from tests.hardware.arms import JOINTS, EmulatedArm
from tests.hardware.cameras import FileDevice, write_video
from tests.hardware.clocks import HandClock
from tests.hardware.servo import Alarm
from tests.hardware.test_live_session import ArmsClock

ALL = set(JOINTS)
SIDES = ("left", "right")


class Pair:
    """`so101_bimanual.yaml` with four emulated arms on four ports.

    LeRobot puts the sides behind the pair's id, which names the calibrations.
    """

    def __init__(self, folder: Path, clock: HandClock, video: Path) -> None:
        folder.mkdir()
        self.followers, self.leaders = (
            {
                side: EmulatedArm(folder, name=f"{kind}_{side}", clock=clock, pose=pose)
                for side in SIDES
            }
            for kind, pose in (("pair", {"elbow_flex": 20.0}), ("hand", {}))
        )
        content = yaml.safe_load((ROBOTS_DIR / "so101_bimanual.yaml").read_text("utf-8"))
        for part, arms in (("robot", self.followers), ("teleop", self.leaders)):
            content[part]["id"] = "pair" if part == "robot" else "hand"
            content[part]["calibration_dir"] = str(folder / "calibration")
            for side, arm in arms.items():
                content[part][f"{side}_arm_config"] = {"port": str(arm.port)}
        camera = {"index_or_path": str(video), "width": 160, "height": 120, "fps": 30}
        content["robot"]["cameras"] = {"overhead": {"type": "opencv", "warmup_s": 0, **camera}}
        self._path = folder / "pair.yaml"
        self._path.write_text(yaml.safe_dump(content), encoding="utf-8")

    @property
    def config(self) -> RobotConfig:
        return load_robot_config(self._path)

    def close(self) -> None:
        for arm in (*self.followers.values(), *self.leaders.values()):
            arm.close()


class Shop:
    """Pairs, each with a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.clock = HandClock()
        self.pairs: list[Pair] = []
        self._folder = folder
        self._video = write_video(folder / "overhead.mp4")

    def new_pair(self) -> Pair:
        folder = self._folder / f"pair{len(self.pairs)}"
        self.pairs.append(Pair(folder, self.clock, self._video))
        return self.pairs[-1]

    def new_arm(self):
        return make_arm(self.new_pair().config)

    def step(self) -> None:
        self.clock.move(1 / 30)

    def close(self) -> None:
        for pair in self.pairs:
            pair.close()


@pytest.fixture
def shop(tmp_path, monkeypatch):
    monkeypatch.setattr(cv2, "VideoCapture", FileDevice)
    shop = Shop(tmp_path)
    yield shop
    shop.close()


class TestPairOfFollowers(ArmContract):
    @pytest.fixture
    def new_arm(self, shop):
        return shop.new_arm

    @pytest.fixture
    def arm(self, shop):
        arm = shop.new_arm()
        arm.connect()
        yield arm
        arm.close()

    @pytest.fixture
    def step_passes(self, shop):
        return shop.step


@pytest.fixture
def pair(shop) -> Pair:
    return shop.new_pair()


def test_both_buses_are_looked_over_and_the_bad_servo_is_named_by_its_side(pair):
    assert may_move(findings := check_to_open(pair.config)), in_words(findings)

    pair.followers["right"].raise_alarm("elbow_flex", Alarm.OVERLOAD)

    words = in_words(check_to_open(pair.config))
    assert "robot right: elbow_flex has shut itself off" in words


def test_one_arm_that_is_unplugged_is_a_fault_and_the_other_goes_limp(pair):
    arm = make_arm(pair.config)
    arm.connect()
    assert [follower.torque() for follower in pair.followers.values()] == [ALL, ALL]

    pair.followers["left"].bus.unplug()
    with pytest.raises(RobotFaultError, match="Check power, USB cable"):
        arm.observe()
    arm.close()

    # A cable that is out leaves an arm as it is.
    assert [follower.torque() for follower in pair.followers.values()] == [ALL, set()]


def test_a_session_with_a_take_over_moves_both_followers_by_their_leaders(pair, shop, tmp_path):
    clock = ArmsClock(shop.clock)
    robot = str(pair.config.source)
    rigs = LeRobotRigs(default_robot=robot, data_dir=tmp_path, clock=clock)
    stage = Stage(clock=clock, rigs=rigs, robot=robot)
    followers, leaders = ([*arms.values()] for arms in (pair.followers, pair.leaders))
    try:
        answer = stage.command(Command.OPEN)
        assert answer.accepted, answer.error
        stage.command(Command.START)
        stage.turn(90)
        assert [arm.torque() for arm in (*followers, *leaders)] == [ALL] * 4
        assert leaders[0].pose()["elbow_flex"] == pytest.approx(20, abs=1)

        stage.command(Command.INTERVENE)
        for angle in np.linspace(0, 25, 26):
            leaders[0].grip(shoulder_pan=float(angle))
            leaders[1].grip(wrist_flex=float(-angle))
            stage.turn(1, keeping=())
        stage.turn(10, keeping=())
        assert [arm.torque() for arm in leaders] == [set(), set()]
        assert followers[0].pose()["shoulder_pan"] == pytest.approx(25, abs=1)
        assert followers[1].pose()["wrist_flex"] == pytest.approx(-25, abs=1)

        followers[1].raise_alarm("gripper", Alarm.OVERHEAT)
        stage.turn(90, keeping=())
        assert stage.phase is Phase.HELD
        assert "right_gripper has shut itself off (overheat)" in stage.session.reason
        stage.command(Command.SUCCESS)
        episode = stage.finished()
        assert (episode.outcome, episode.num_human_steps > 30) == ("success", True)
        stage.command(Command.CLOSE)
        assert [arm.torque() for arm in (*followers, *leaders)] == [set()] * 4
    finally:
        stage.session.shut_down()
        stage.close()
