"""What goes from one driver to the next: the last command, the grip, the leader arm."""

from dataclasses import replace

import numpy as np
import pytest

from backend.domain import Command, Driver, Phase
from tests.actor.fakes import FakeLeader

JOINTS = ("one.pos", "gripper.pos")


def put_something_between_the_jaws(arm) -> None:
    """The gripper goes no further shut than 40."""
    arm.state_names = arm.action_names = JOINTS
    act = arm.act

    def blocked(action: np.ndarray) -> np.ndarray:
        executed = act(action)
        arm.state[1] = max(40.0, executed[1])
        return executed

    arm.act = blocked
    arm.state = np.array([0, 40], np.float32)
    arm.limits = replace(arm.limits, max_relative_target=np.full(2, 50, np.float32))


@pytest.fixture
def holding(stage):
    """The policy has closed the gripper around something."""
    put_something_between_the_jaws(stage.arm)
    stage.policy.answer = lambda observation: np.array([observation.state[0] + 1, 5], np.float32)
    stage.start()
    stage.turn(3)
    return stage


def test_taking_over_brings_the_last_action_along(stage):
    stage.start()
    stage.turn(2)
    last = stage.arm.acted[-1]

    stage.command(Command.INTERVENE)

    assert stage.human.started_from[-1].tolist() == last.tolist()


@pytest.mark.parametrize("command", [Command.STOP, Command.SUCCESS])
def test_a_robot_that_is_held_does_not_let_go_of_what_it_holds(holding, command):
    before = holding.arm.state.copy()
    holding.command(command)

    assert holding.arm.acted[-1].tolist() == [before[0], 5.0]


def test_a_policy_without_an_answer_keeps_its_grip(holding):
    holding.policy.answer = lambda observation: None
    before = holding.arm.state.copy()
    holding.turn(2)

    assert holding.arm.acted[-1].tolist() == [before[0], 5.0]


def test_nothing_of_one_scene_is_held_on_to_in_the_next(holding):
    holding.command(Command.SUCCESS)
    holding.arm.begin_reset = lambda: setattr(holding.arm, "state", np.array([9, 60], np.float32))
    holding.until(Phase.IDLE)
    holding.turn()

    assert holding.arm.acted[-1].tolist() == [9, 60]


@pytest.fixture
def leader(stage):
    stage.maker.human = FakeLeader()
    return stage.maker.human


def test_a_leader_arm_is_limp_until_the_first_attempt_then_follows(stage, leader):
    stage.command(Command.OPEN)
    stage.turn(3)
    assert leader.followed == []

    stage.command(Command.START)
    stage.turn(2)

    assert len(leader.followed) == 3


def test_a_leader_arm_leads_while_a_human_drives_and_follows_when_held(stage, leader):
    stage.start()
    stage.command(Command.INTERVENE)
    followed = len(leader.followed)
    stage.turn(3, keeping=())
    assert len(leader.followed) == followed

    stage.command(Command.STOP)
    stage.turn(2)

    assert len(leader.followed) == followed + 3


def test_pushing_the_leader_arm_takes_over_like_the_key_does(stage, leader):
    stage.start()
    leader.is_pushed = True

    stage.turn(2)

    assert stage.phase is Phase.HUMAN
    assert stage.outlet.ticks[-1].driver is Driver.HUMAN
    stage.turn(2, keeping=())
    assert stage.phase is Phase.HUMAN, "pushed once, asked once"


def test_a_leader_arm_is_let_go_of_with_the_robot_even_when_that_fails(stage, leader):
    stage.start()

    def fails() -> None:
        raise OSError("the bus is gone")

    stage.arm.close = fails
    stage.command(Command.CLOSE)

    assert leader.num_closed == 1
    assert stage.phase is Phase.CLOSED
