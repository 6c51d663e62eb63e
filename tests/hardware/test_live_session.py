"""A whole live session with two emulated arms: the actor's own loop, LeRobot's own drivers."""

import threading
from collections.abc import Iterator

import cv2
import pytest

from backend.actor import rigging
from backend.actor.priority import HELPER_PRIORITY
from backend.actor.rigging import LeRobotRigs
from backend.domain import Command, Driver, Phase
from tests.actor.fakes import FakeClock
from tests.actor.stage import Stage
from tests.hardware.arms import JOINTS
from tests.hardware.cameras import FileDevice, write_video
from tests.hardware.clocks import HandClock
from tests.hardware.rigs import so101_config

ALL = set(JOINTS)


class ArmsClock(FakeClock):
    """The loop's time, which is the arms' own."""

    def __init__(self, arms: HandClock) -> None:
        super().__init__()
        self._arms = arms

    def sleep_until(self, deadline_s: float) -> None:
        self._arms.move(max(0.0, deadline_s - self.time_s))
        super().sleep_until(deadline_s)


@pytest.fixture
def session(tmp_path, follower_arm, leader_arm, clock) -> Iterator[Stage]:
    config = so101_config(tmp_path, follower=follower_arm, leader=leader_arm)
    loop_clock = ArmsClock(clock)
    robot = str(config.source)
    rigs = LeRobotRigs(default_robot=robot, data_dir=tmp_path, clock=loop_clock)
    stage = Stage(clock=loop_clock, rigs=rigs, robot=robot)
    yield stage
    stage.session.shut_down()
    stage.close()


def test_a_leader_arm_follows_leads_and_is_limp_again_at_the_end(session, follower_arm, leader_arm):
    answer = session.command(Command.OPEN)
    assert answer.accepted, answer.error
    session.turn(5)
    assert (follower_arm.torque(), leader_arm.torque()) == (ALL, set())

    session.command(Command.START)
    session.turn(90)
    assert leader_arm.torque() == ALL
    assert leader_arm.pose()["elbow_flex"] == pytest.approx(20, abs=1)

    session.command(Command.INTERVENE)
    assert leader_arm.torque() == set()
    for angle in range(31):
        leader_arm.grip(shoulder_pan=float(angle))
        session.turn(1, keeping=())
    session.turn(10, keeping=())
    assert session.phase is Phase.HUMAN
    assert session.outlet.ticks[-1].driver is Driver.HUMAN
    assert follower_arm.pose()["shoulder_pan"] == pytest.approx(30, abs=1)

    leader_arm.let_go()
    session.command(Command.INTERVENE)
    session.turn(5)
    assert (session.phase, leader_arm.torque()) == (Phase.POLICY, ALL)
    session.command(Command.CLOSE)
    assert follower_arm.torque() == leader_arm.torque() == set()


def test_pushing_the_leader_arm_takes_over(session, leader_arm):
    session.command(Command.OPEN)
    session.command(Command.START)
    session.turn(90)
    assert session.phase is Phase.POLICY

    leader_arm.grip(wrist_flex=25.0)
    session.turn(14, keeping=())

    assert session.phase is Phase.HUMAN
    assert leader_arm.torque() == set()


def test_the_threads_that_read_cameras_are_as_much_on_time_as_the_encoder(
    tmp_path, follower_arm, monkeypatch
):
    monkeypatch.setattr(cv2, "VideoCapture", FileDevice)
    asked = []
    monkeypatch.setattr(
        rigging, "run_on_time", lambda priority, *, thread: asked.append((priority, thread))
    )
    cameras = {name: write_video(tmp_path / f"{name}.mp4") for name in ("overhead", "wrist")}
    config = so101_config(tmp_path, follower=follower_arm, cameras=cameras)
    robot = str(config.source)

    rig = LeRobotRigs(default_robot=robot, data_dir=tmp_path, clock=FakeClock()).connect(
        robot, "hold"
    )

    threads = {thread.native_id: thread.name for thread in threading.enumerate()}
    rig.close()
    assert {priority for priority, _ in asked} == {HELPER_PRIORITY}
    names = sorted(threads[thread] for _, thread in asked)
    assert [name.endswith("_read_loop") for name in names] == [True, True]
    assert [camera in name for camera, name in zip(cameras, names, strict=True)] == [True, True]


def test_a_leader_arm_that_does_not_answer_refuses_to_open_and_leaves_both_limp(
    session, follower_arm, leader_arm
):
    leader_arm.bus.faults.silence(6)

    answer = session.command(Command.OPEN)

    assert not answer.accepted
    assert "teleop: servo 6 (gripper) does not answer" in answer.error.message
    assert follower_arm.torque() == set()
