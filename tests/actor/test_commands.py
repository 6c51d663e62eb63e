"""Commands: one answer each, stop first, late ones refused, and why not, by name."""

import threading

import numpy as np
import pytest

from backend.domain import Command, Driver, Phase
from backend.wire import Answer


def test_a_repeated_command_is_answered_like_the_first_and_does_nothing(stage):
    stage.start()
    first = stage.command(Command.INTERVENE, command_id="five")
    again = stage.command(Command.INTERVENE, command_id="five")

    assert again == first
    assert stage.phase is Phase.HUMAN
    assert len([a for a in stage.outlet.said(Answer) if a.command_id == "five"]) == 2


def test_a_command_repeated_before_its_answer_is_done_once(stage):
    stage.start()
    stage.ask(Command.INTERVENE, command_id="five")
    stage.ask(Command.INTERVENE, command_id="five")
    stage.turn()

    assert stage.phase is Phase.HUMAN
    assert len([a for a in stage.outlet.said(Answer) if a.command_id == "five"]) == 1


def test_a_refused_command_stays_refused_when_repeated(stage):
    first = stage.command(Command.SUCCESS, command_id="one")
    stage.start()

    again = stage.command(Command.SUCCESS, command_id="one")

    assert not first.accepted
    assert again == first
    assert stage.phase is Phase.POLICY


def test_stop_overtakes_what_waits(stage):
    stage.start()
    intervene = stage.ask(Command.INTERVENE)
    stop = stage.ask(Command.STOP)
    stage.turn()

    assert stage.phase is Phase.STOPPED
    assert stage.answer(stop).accepted
    assert not stage.answer(intervene).accepted
    assert "the stop is latched" in stage.answer(intervene).error.message


@pytest.mark.parametrize("phase", [Phase.IDLE, Phase.POLICY, Phase.HUMAN, Phase.RESETTING])
def test_stop_holds_the_arm_where_it_is_from_the_next_tick_on(stage, phase):
    stage.command(Command.OPEN)
    if phase is not Phase.IDLE:
        stage.command(Command.START)
        stage.turn(4)
    if phase is Phase.HUMAN:
        stage.command(Command.INTERVENE)
        stage.turn(2, keeping=("ArrowUp",))
    elif phase is Phase.RESETTING:
        stage.command(Command.SUCCESS)
        stage.settle()
        stage.turn()
    assert stage.phase is phase
    before = stage.arm.state.copy()

    answer = stage.command(Command.STOP)

    assert answer.phase is Phase.STOPPED
    assert stage.arm.acted[-1].tolist() == before.tolist()
    tick = stage.turn(10, keeping=("ArrowUp",))
    assert stage.arm.state.tolist() == before.tolist()
    assert (tick.driver, tick.reason) == (Driver.NONE, "stopped by ana")


def test_only_clear_leaves_a_stop_and_the_attempt_goes_on_only_when_told(stage):
    stage.start()
    stage.command(Command.STOP)
    for command in (Command.START, Command.INTERVENE, Command.SUCCESS, Command.ABORT):
        assert not stage.command(command).accepted

    assert stage.command(Command.CLEAR).phase is Phase.HELD
    stage.turn(20)
    assert stage.phase is Phase.HELD
    assert stage.command(Command.START).phase is Phase.POLICY


def test_a_late_command_is_refused_by_name_and_a_late_stop_is_not(stage):
    stage.start()
    late = stage.ask(Command.SUCCESS, age_s=1.4)
    assert stage.answer(late).error.code == "late"
    assert "1.4 s" in stage.answer(late).error.message

    stop = stage.ask(Command.STOP, age_s=60)
    stage.turn()

    assert stage.answer(stop).accepted
    assert stage.phase is Phase.STOPPED


def test_a_refusal_names_phase_command_and_what_is_possible(stage):
    stage.command(Command.OPEN)

    error = stage.command(Command.SUCCESS).error

    assert error.code == "refused"
    assert "success is not possible while idle" in error.message
    assert error.hint == "possible now: start, stop, close"


@pytest.mark.parametrize(
    ("command", "params"),
    [
        (Command.OPEN, {"speed": 3}),
        (Command.START, {"robot": "fake"}),
        (Command.STOP, {"now": True}),
    ],
)
def test_unknown_params_are_refused_by_name(stage, command, params):
    if command is not Command.OPEN:
        stage.command(Command.OPEN)

    answer = stage.command(command, **params)

    assert answer.error.code == "bad_params"
    assert next(iter(params)) in answer.error.message


@pytest.mark.parametrize("task", ["", "   ", 7, "x" * 501])
def test_a_task_that_is_no_text_is_refused(stage, task):
    stage.command(Command.OPEN)

    answer = stage.command(Command.START, task=task)

    assert answer.error.code == "bad_params"
    assert stage.phase is Phase.IDLE
    assert stage.writers == []


def test_while_a_robot_is_being_connected_everybody_is_answered_at_once(stage):
    answers = {}

    def ask_meanwhile():
        for command in (Command.START, Command.CLOSE, Command.OPEN):
            answers[command] = stage.answer(stage.ask(command))

    stage.maker.while_connecting = ask_meanwhile

    assert stage.command(Command.OPEN).accepted

    assert answers[Command.START].error.code == "refused"
    assert answers[Command.CLOSE].error.code == "busy"
    assert "connecting fake" in answers[Command.OPEN].error.message


def test_a_stop_while_a_robot_is_being_connected_is_latched(stage):
    stopped = []
    stage.maker.while_connecting = lambda: stopped.append(
        stage.answer(stage.ask(Command.STOP)).accepted
    )

    answer = stage.command(Command.OPEN)

    assert stopped == [True]
    assert answer.accepted
    assert stage.phase is Phase.STOPPED
    assert not stage.command(Command.START).accepted
    assert stage.command(Command.CLEAR).phase is Phase.IDLE


def test_an_open_that_comes_while_the_actor_warms_up_is_obeyed_afterwards(stage):
    asked = []
    stage.maker.while_connecting = lambda: asked.append(stage.ask(Command.OPEN))
    stage.session.warm_up()
    stage.maker.while_connecting = lambda: None

    stage.turn()

    assert stage.answer(asked[0]).accepted
    assert stage.phase is Phase.IDLE


def test_what_a_policy_asks_for_that_is_no_number_holds_the_robot(stage):
    stage.start()
    stage.turn(2)
    before = stage.arm.state.copy()
    stage.policy.answer = lambda observation: np.array([np.nan, 0])

    tick = stage.turn()

    assert tick.phase is Phase.HELD
    assert "policy" in tick.reason
    assert "one.pos" in tick.reason
    assert stage.arm.state.tolist() == before.tolist()
    stage.settle()
    assert len(stage.writers[0].steps) == 3, "the refused step is none"


def test_a_policy_that_crashes_holds_the_robot_and_may_be_tried_again(stage):
    stage.start()

    def crash(observation):
        raise KeyError("no such image")

    good, stage.policy.answer = stage.policy.answer, crash
    assert "KeyError" in stage.turn().reason
    assert stage.phase is Phase.HELD
    stage.policy.answer = good
    assert stage.command(Command.START).phase is Phase.POLICY
    assert stage.turn().phase is Phase.POLICY


def test_commands_from_many_threads_are_each_answered_once(stage):
    stage.command(Command.OPEN)
    ids = [f"t{n}" for n in range(50)]
    threads = [
        threading.Thread(target=stage.ask, args=(Command.STOP,), kwargs={"command_id": i})
        for i in ids
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stage.turn()

    answered = [a.command_id for a in stage.outlet.said(Answer) if a.command_id in ids]
    assert sorted(answered) == sorted(ids)


def test_a_closed_session_still_says_that_it_lives(stage):
    tick = stage.turn()

    assert tick.phase is Phase.CLOSED
    assert tick.driver is Driver.NONE
    assert tick.rates.target_hz == 0
