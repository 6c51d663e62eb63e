"""A leader arm that is gone, ends or cannot begin: who is told what, and what stays stiff."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from backend.control import RobotFaultError
from backend.robots.leader import LeaderInput, LeaderLostError
from tests.hardware.arms import JOINTS, EmulatedArm
from tests.hardware.leader_bench import DT_S, FEEL, Bench, state

ALL = set(JOINTS)


def test_a_leader_that_goes_silent_while_following_is_told_and_left_alone(following, caplog):
    following.arm.bus.faults.lose(1000)

    for _ in range(5):
        following.leader.follow(state(), DT_S)

    assert [r.levelname for r in caplog.records] == ["WARNING"]
    assert "could not let it follow" in caplog.text
    assert "no status packet" in caplog.text
    # Three attempts of one read, and no more.
    assert following.arm.bus.faults.num_lost <= 18


def test_a_leader_that_goes_silent_while_leading_says_so_until_it_is_taken_again(following):
    following.leader.start(state())
    following.arm.bus.faults.silence(6)

    for _ in range(2):
        with pytest.raises(LeaderLostError, match="so101_leader failed, could not read it"):
            following.leader.act(state(), DT_S)
    following.arm.bus.faults.clear()
    following.leader.start(state())

    assert following.lead(state()) == pytest.approx(state(), abs=1e-3)


def test_taking_over_a_leader_that_is_gone_raises_nothing_until_it_should_lead(following):
    following.arm.bus.unplug()

    following.leader.start(state())

    with pytest.raises(LeaderLostError, match="could not let go of it"):
        following.leader.act(state(), DT_S)
    following.leader.follow(state(), DT_S)


def test_a_leader_that_is_plugged_in_again_leads_again(following):
    following.leader.start(state())
    following.arm.bus.unplug()
    with pytest.raises(LeaderLostError, match="could not read it"):
        following.leader.act(state(), DT_S)

    following.arm.bus.plug_in()
    following.leader.start(state())

    following.arm.grip(wrist_flex=20.0)
    following.clock.move(FEEL.max_align_s)
    assert following.lead(state())[3] == pytest.approx(20.0, abs=0.2)
    assert following.arm.torque() == set()


def test_closing_makes_it_limp_and_may_be_repeated(following):
    following.leader.close()
    following.leader.close()

    assert following.arm.torque() == set()
    assert not following.teleop.is_connected


def test_closing_lets_go_of_every_joint_that_answers_and_names_the_others(following, caplog):
    following.arm.bus.faults.silence(3)

    following.leader.close()

    assert following.arm.torque() == {"elbow_flex"}
    assert "elbow_flex did not answer and may still be stiff" in caplog.text
    assert not following.teleop.is_connected


def test_closing_an_unplugged_leader_is_harmless(following):
    following.arm.bus.unplug()

    following.leader.close()

    assert not following.teleop.is_connected


@pytest.fixture
def ended_leaders(tmp_path, clock):
    """By how its process ended: a leader's arm, and what that process said last."""
    arms, programs = {}, {}
    for end in ("exit", "kill"):
        (tmp_path / end).mkdir()
        arms[end] = EmulatedArm(tmp_path / end, name="leader", clock=clock)
        # Both at once: importing LeRobot is most of what they do.
        programs[end] = subprocess.Popen(
            [
                *(sys.executable, "-m", "tests.hardware.crashing_leader"),
                *(json.dumps(arms[end].lerobot_fields()), end),
            ],
            cwd=Path(__file__).parents[2],
            stderr=subprocess.PIPE,
            text=True,
        )
    try:
        said = {end: program.communicate(timeout=200)[1] for end, program in programs.items()}
        assert all(program.returncode for program in programs.values()), said
        yield {end: (arms[end], said[end]) for end in arms}
    finally:
        for program in programs.values():
            program.kill()
        for arm in arms.values():
            arm.close()


def test_a_crash_makes_it_limp_and_after_a_kill_the_next_connect_does(ended_leaders, clock):
    crashed, said = ended_leaders["exit"]
    assert "SystemError: the process crashed" in said
    assert crashed.torque() == set()

    killed, _ = ended_leaders["kill"]
    assert killed.torque() == ALL
    bench = Bench(killed, clock)
    bench.leader.connect()
    assert killed.torque() == set()
    bench.leader.close()


def test_a_leader_without_calibration_is_refused_with_the_command_that_makes_one(leader_arm, clock):
    (leader_arm.calibration_dir / "leader.json").unlink()
    bench = Bench(leader_arm, clock)

    with pytest.raises(RobotFaultError, match=r"lerobot-calibrate --teleop\.type=so101_leader"):
        bench.leader.connect()
    assert leader_arm.torque() == set()
    assert not bench.teleop.is_connected


def test_a_leader_that_is_not_there_is_refused_with_a_remedy(leader_arm, clock):
    bench = Bench(leader_arm, clock)
    leader_arm.bus.unplug()

    with pytest.raises(RobotFaultError, match="lerobot-find-port"):
        bench.leader.connect()


def test_a_leader_without_the_followers_joints_is_refused(leader_arm, clock):
    teleop = Bench(leader_arm, clock).teleop

    with pytest.raises(ValueError, match=r"so101_leader has no left_gripper\.pos"):
        LeaderInput(
            teleop,
            name="so101_leader",
            action_names=("left_gripper.pos",),
            position=lambda s: s,
        )
