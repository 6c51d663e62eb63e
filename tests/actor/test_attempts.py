"""An attempt from start to grade: what moves, what is recorded, what is said."""

import numpy as np
import pytest

from backend.control import RobotFaultError
from backend.domain import Command, Driver, EndReason, Outcome, Phase
from backend.wire import EpisodeStarted
from tests.actor.fakes import ROBOT_FAULT


def test_open_connects_the_robot_and_introduces_it(stage):
    assert stage.outlet.hellos[-1].phase is Phase.CLOSED
    assert stage.outlet.hellos[-1].cameras == []

    answer = stage.command(Command.OPEN, session_id="s1")

    assert answer.accepted
    assert answer.phase is Phase.IDLE
    hello = stage.outlet.hellos[-1]
    assert (hello.phase, hello.session_id, hello.robot) == (Phase.IDLE, "s1", "fake")
    assert [camera.name for camera in hello.cameras] == ["front"]
    assert hello.joints == ["one.pos", "two.pos"]
    assert hello.policy == "run/7"


def test_the_policy_drives_after_start_and_every_step_is_recorded(stage):
    stage.start()
    stage.turn(4)

    tick = stage.outlet.ticks[-1]
    assert (tick.phase, tick.driver) == (Phase.POLICY, Driver.POLICY)
    assert tick.episode.steps == 5
    assert tick.episode.human_steps == 0
    stage.settle()
    steps = stage.writers[0].steps
    assert [step.step for step in steps] == [0, 1, 2, 3, 4]
    assert [step.action[1] for step in steps] == [1, 2, 3, 4, 5]
    assert [step.timestamp_s for step in steps] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])
    assert np.diff([step.wall_s for step in steps]) == pytest.approx(np.full(4, 0.1), abs=1e-5)
    assert stage.outlet.said(EpisodeStarted)[0].operator == "ana"


def test_a_grade_ends_the_attempt_resets_the_robot_and_carries_who_gave_it(stage):
    stage.start()
    stage.turn(2)

    answer = stage.command(Command.SUCCESS, command_id="grade-1")

    assert answer.phase is Phase.ENDED
    finished = stage.finished()
    assert finished.end_reason is EndReason.SUCCESS
    assert finished.outcome is Outcome.SUCCESS
    assert (finished.command_id, finished.author) == ("grade-1", "ana")
    assert finished.num_steps == len(stage.writers[0].steps) == 3
    assert stage.arm.resets == 1
    assert stage.arm.state.tolist() == [0, 0]


@pytest.mark.parametrize(
    ("command", "reason", "outcome"),
    [
        (Command.FAILURE, EndReason.FAILURE, Outcome.FAILURE),
        (Command.ABORT, EndReason.ABORT, Outcome.NONE),
    ],
)
def test_failure_and_abort_say_what_they_are(stage, command, reason, outcome):
    stage.start()
    stage.command(command)

    finished = stage.finished()
    assert (finished.end_reason, finished.outcome) == (reason, outcome)


def test_a_simulators_new_scene_is_not_disturbed_by_where_the_arm_was(stage):
    stage.start()
    stage.turn(8)

    def new_scene():
        stage.arm.state = np.array([50, 50], np.float32)

    stage.arm.begin_reset = new_scene
    stage.command(Command.SUCCESS)
    stage.until(Phase.IDLE)
    stage.turn(3)

    assert stage.arm.state.tolist() == [50, 50]


def test_taking_over_starts_from_the_present_position_and_resets_the_policy(stage):
    stage.start()
    stage.turn(3)
    resets = stage.policy.resets
    before = stage.arm.state.copy()

    assert stage.command(Command.INTERVENE).phase is Phase.HUMAN

    assert stage.human.started_at[-1].tolist() == before.tolist()
    assert stage.policy.resets == resets + 1
    assert stage.arm.state.tolist() == before.tolist(), "no key is held, nothing moves"
    stage.turn(2, keeping=("ArrowUp",))
    assert stage.arm.state.tolist() == [before[0] + 2, before[1]]
    assert stage.outlet.ticks[-1].driver is Driver.HUMAN

    stage.command(Command.INTERVENE)
    assert stage.phase is Phase.POLICY
    assert stage.policy.resets == resets + 2
    assert stage.arm.state.tolist() == [before[0] + 2, before[1] + 1]
    stage.settle()
    drivers = [step.driver for step in stage.writers[0].steps]
    assert drivers == [Driver.POLICY] * 4 + [Driver.HUMAN] * 3 + [Driver.POLICY]


def test_a_policy_without_an_answer_holds_the_pose_it_had(stage):
    stage.policy.answer = lambda observation: None
    stage.start()
    stage.arm.state = np.array([3, 4], np.float32)
    stage.turn()
    held = stage.arm.acted[-1].tolist()
    stage.arm.state = stage.arm.state - 1
    stage.turn(3)

    assert stage.arm.acted[-1].tolist() == held, "it does not follow a sagging arm"
    assert stage.outlet.ticks[-1].driver is Driver.POLICY


def test_the_executed_action_is_recorded_beside_the_wanted_one(stage):
    stage.policy.answer = lambda observation: np.array([50.0, 0.0])
    stage.start()
    stage.settle()

    step = stage.writers[0].steps[0]
    assert step.requested.tolist() == [50, 0]
    assert step.action.tolist() == [10, 0]
    assert "one.pos" in stage.notices("clamped")[0].message


def test_time_runs_out_after_so_much_driving_and_says_so(stage):
    stage.maker.episode_time_s = 1.0
    stage.start()
    stage.turn(20)

    finished = stage.finished()
    assert finished.end_reason is EndReason.TIMEOUT
    assert finished.outcome is Outcome.NONE
    assert finished.num_steps == 10


def test_held_time_is_neither_recorded_nor_counted_towards_the_timeout(stage):
    stage.maker.episode_time_s = 1.0
    stage.start()
    stage.command(Command.STOP)
    stage.turn(50)
    stage.command(Command.CLEAR)
    stage.turn(50)

    assert stage.phase is Phase.HELD
    assert stage.outlet.ticks[-1].episode.steps == 1
    stage.command(Command.START)
    stage.turn(2)
    stage.settle()
    assert [step.step for step in stage.writers[0].steps] == [0, 1, 2, 3]
    assert np.diff([step.wall_s for step in stage.writers[0].steps]).max() > 10


def test_attempts_are_counted_and_a_task_is_kept_for_the_next_one(stage):
    stage.command(Command.OPEN)
    stage.command(Command.START, task="  Stack the cubes ")
    stage.command(Command.FAILURE)
    stage.until(Phase.IDLE)
    stage.command(Command.START)
    stage.settle()

    headers = [writer.header for writer in stage.writers]
    assert [header.number for header in headers] == [1, 2]
    assert [header.task for header in headers] == ["Stack the cubes"] * 2
    assert headers[0].session_id == headers[1].session_id
    assert headers[0].id != headers[1].id
    assert stage.outlet.hellos[-1].task == "Stack the cubes"


def test_a_header_says_all_that_is_known_at_the_start(stage):
    stage.start()
    stage.settle()

    header = stage.writers[0].header
    assert (header.robot, header.robot_type, header.fps) == ("fake", "fake_type", 10.0)
    assert (header.policy, header.checkpoint_id, header.operator) == ("run/7", "run/7", "ana")
    assert header.cameras["front"].width == 8
    assert header.cameras["front"].height == 6
    assert header.state_names == header.action_names == ("one.pos", "two.pos")


@pytest.mark.parametrize("during", ["policy", "human", "held"])
def test_closing_in_an_attempt_keeps_it_as_aborted(stage, during):
    stage.start()
    if during == "human":
        stage.command(Command.INTERVENE)
    elif during == "held":
        stage.command(Command.STOP)
        stage.command(Command.CLEAR)

    assert stage.command(Command.CLOSE).phase is Phase.CLOSED

    stage.settle()
    assert stage.writers[0].end.end_reason is EndReason.ABORT
    assert stage.writers[0].end.author == "ana"
    assert stage.arm.num_closed == 1
    assert stage.outlet.hellos[-1].session_id is None


def test_the_end_of_the_process_keeps_an_open_attempt_as_aborted(stage):
    stage.start()

    stage.session.shut_down()
    stage.session.shut_down()

    stage.settle()
    assert stage.writers[0].end.end_reason is EndReason.ABORT
    assert stage.arm.num_closed == 1


@pytest.mark.parametrize("error", [ROBOT_FAULT, OSError("the bus is gone")])
def test_a_robot_fault_keeps_the_attempt_closes_the_robot_and_the_process_lives(stage, error):
    stage.start()
    stage.turn(3)
    stage.arm.fault = error

    stage.until(Phase.CLOSED)

    stage.settle()
    assert stage.writers[0].end.end_reason is EndReason.FAULT
    assert stage.writers[0].end.num_steps == 4
    assert str(error) in stage.notices("robot_lost")[0].message
    assert stage.arm.num_closed == 1
    stage.arm.fault = None
    assert stage.command(Command.OPEN).accepted, "it may be opened again"


def test_a_robot_that_is_silent_for_a_moment_holds_and_the_attempt_goes_on(stage):
    stage.start()
    stage.turn(3)
    stage.arm.fault = ROBOT_FAULT
    acted = len(stage.arm.acted)

    tick = stage.turn(10)

    assert (tick.phase, len(stage.arm.acted)) == (Phase.HELD, acted)
    assert "check its cable It keeps its pose" in tick.reason.replace(".", "")
    assert len(stage.notices("held")) == 1
    stage.arm.fault = None
    stage.turn()
    assert stage.command(Command.START).accepted
    assert stage.turn().phase is Phase.POLICY
    stage.arm.fault = OSError("something unforeseen")
    assert stage.turn().phase is Phase.CLOSED


def test_a_state_that_is_no_number_is_a_fault(stage):
    stage.start()
    stage.arm.state = np.array([np.nan, 0], np.float32)

    assert stage.turn().phase is Phase.HELD
    stage.until(Phase.CLOSED)
    assert "not a number" in stage.notices("robot_lost")[0].message


def test_a_robot_that_cannot_be_connected_is_refused_with_the_remedy(stage):
    stage.maker.connect_fault = RobotFaultError("no servo answers: is the power on?")

    answer = stage.command(Command.OPEN)

    assert not answer.accepted
    assert answer.phase is Phase.CLOSED
    assert "is the power on?" in answer.error.message


def test_an_unknown_robot_is_refused_with_the_known_ones(stage):
    answer = stage.command(Command.OPEN, robot="fakee")

    assert answer.error.code == "bad_robot"
    assert "fakee" in answer.error.message
    assert "known: fake, other" in answer.error.message


def test_another_robot_brings_its_own_task(stage):
    stage.command(Command.OPEN, robot="other")

    assert stage.outlet.hellos[-1].robot == "other"
    assert stage.outlet.hellos[-1].task == "the task of other"


def test_a_robot_opened_by_its_configs_path_is_opened_again_by_it(stage):
    stage.command(Command.OPEN, robot="my/other.yaml")
    stage.command(Command.CLOSE)

    assert stage.command(Command.OPEN).accepted
    assert stage.outlet.hellos[-1].robot == "other"
