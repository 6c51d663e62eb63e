"""Silence: what the robot does when whoever drives it, or could stop it, is no longer there."""

import pytest

from backend.domain import Command, Driver, Phase
from backend.wire import Notice
from tests.actor.stage import Stage

KEEP = ("ArrowUp",)


@pytest.fixture
def human(stage):
    """A person has taken over and jogs."""
    stage.start()
    stage.keep()
    assert stage.command(Command.INTERVENE).accepted
    stage.turn(3, keeping=KEEP)
    assert stage.arm.acted[-1][0] > stage.arm.acted[-2][0]
    return stage


def silence(stage, seconds):
    stage.turn(round(seconds * 10))


def test_a_human_silent_for_250_ms_moves_nothing_and_after_a_second_is_held(human):
    silence(human, 0.2)
    moving = human.arm.state.copy()
    silence(human, 0.3)

    assert human.phase is Phase.HUMAN
    assert human.human.releases > 0
    assert human.arm.state[0] <= moving[0] + 1, "at most the tick in which the input got stale"
    still = human.arm.state.copy()
    silence(human, 0.6)
    assert human.phase is Phase.HELD
    assert "driver lost" in human.outlet.ticks[-1].reason
    assert human.outlet.ticks[-1].came_from is Phase.HUMAN
    assert human.outlet.ticks[-1].driver is Driver.NONE
    silence(human, 1)
    assert human.arm.state.tolist() == still.tolist()
    assert human.notices("held")


def test_a_human_who_is_back_goes_on_without_being_told(human):
    silence(human, 1.5)
    assert human.phase is Phase.HELD
    starts = len(human.human.started_at)
    held_at = human.arm.state.copy()

    human.turn(keeping=())

    assert human.phase is Phase.HUMAN
    assert len(human.human.started_at) == starts + 1
    assert human.arm.state.tolist() == held_at.tolist(), "no key held, nothing moves"
    human.turn(2, keeping=KEEP)
    assert human.arm.state[0] == held_at[0] + 2


def test_a_human_who_takes_over_and_never_sends_a_key_is_held_after_a_second(stage):
    stage.start()
    stage.command(Command.INTERVENE)
    silence(stage, 0.8)
    assert stage.phase is Phase.HUMAN

    silence(stage, 0.3)

    assert stage.phase is Phase.HELD


def test_late_inputs_are_dropped_and_do_not_keep_the_human_alive(human):
    moved = human.arm.state.copy()
    for _ in range(12):
        human.keep(*KEEP, age_s=0.3)
        human.turn()

    assert human.phase is Phase.HELD
    assert human.deadman.num_late == 12
    assert human.arm.state[0] <= moved[0] + 3


def test_a_human_whose_lease_is_gone_moves_nothing_at_once(human):
    human.deadman.lease("ana")
    human.deadman.lease(None)
    before = human.arm.state.copy()

    human.turn()

    assert human.arm.state.tolist() == before.tolist()


@pytest.mark.parametrize("come_back", [Command.STOP, Command.CLEAR])
def test_after_a_stop_nobody_drives_on_by_himself(human, come_back):
    silence(human, 1.5)
    human.command(Command.STOP)
    if come_back is Command.CLEAR:
        human.command(Command.CLEAR)

    human.turn(20, keeping=KEEP)

    assert human.phase is (Phase.STOPPED if come_back is Command.STOP else Phase.HELD)


def test_a_program_that_never_sent_an_input_is_not_missed_while_the_policy_drives(stage):
    stage.start()

    silence(stage, 10)

    assert stage.phase is Phase.POLICY


def test_a_page_that_was_there_before_the_robot_was_opened_is_not_missed_either(stage):
    stage.keep()
    stage.clock.time_s += 0.4
    stage.ask(Command.OPEN)
    stage.ask(Command.START)
    stage.turn(2)
    assert stage.phase is Phase.POLICY

    silence(stage, 10)

    assert stage.phase is Phase.POLICY


def test_a_page_that_watched_the_policy_and_went_silent_holds_it(stage):
    stage.start()
    stage.turn(5, keeping=())

    silence(stage, 1.2)

    assert stage.phase is Phase.HELD
    assert "silent" in stage.outlet.ticks[-1].reason
    stage.turn(20, keeping=())
    assert stage.phase is Phase.HELD, "the policy never goes on by itself"
    assert stage.command(Command.START).phase is Phase.POLICY


def test_a_program_may_go_on_after_the_page_is_gone(stage):
    stage.start()
    stage.turn(2, keeping=())
    silence(stage, 1.2)
    assert stage.phase is Phase.HELD

    stage.command(Command.START)
    silence(stage, 5)

    assert stage.phase is Phase.POLICY


def test_a_page_that_hands_back_is_still_watched(human):
    human.keep()
    human.command(Command.INTERVENE)
    assert human.phase is Phase.POLICY

    silence(human, 1.2)

    assert human.phase is Phase.HELD


def test_a_policy_whose_lease_holder_vanishes_is_held_at_once(stage):
    stage.deadman.lease("ana")
    stage.start()
    stage.deadman.lease("ben")
    stage.turn()
    assert stage.phase is Phase.POLICY, "the lease was handed over, not lost"

    stage.deadman.lease(None)
    stage.turn()

    assert stage.phase is Phase.HELD
    assert "lease" in stage.outlet.ticks[-1].reason


def test_a_lease_given_up_before_the_attempt_is_nothing_to_it(stage):
    stage.deadman.lease("ana")
    stage.deadman.lease(None)
    stage.start()
    stage.turn(5)

    assert stage.phase is Phase.POLICY


def test_no_link_for_a_second_holds_the_policy(stage):
    stage.start()
    stage.deadman.link_down(now_s=stage.clock.now_s())
    silence(stage, 0.9)
    assert stage.phase is Phase.POLICY

    silence(stage, 0.2)

    assert stage.phase is Phase.HELD
    assert "link" in stage.outlet.ticks[-1].reason
    stage.deadman.link_up()
    stage.turn(20)
    assert stage.phase is Phase.HELD


def test_a_link_that_comes_back_within_a_second_interrupts_nothing(stage):
    stage.start()
    for _ in range(3):
        stage.deadman.link_down(now_s=stage.clock.now_s())
        silence(stage, 0.8)
        stage.deadman.link_up()
        stage.turn()

    assert stage.phase is Phase.POLICY


def test_an_open_link_without_pings_counts_as_lost_once_pings_had_come(stage):
    stage.start()
    stage.deadman.ping(now_s=stage.clock.now_s())
    silence(stage, 2.3)
    assert stage.phase is Phase.POLICY

    silence(stage, 0.4)

    assert stage.phase is Phase.HELD


def test_a_reset_waits_where_it_is_while_no_stop_could_reach_the_robot(stage):
    stage.start()
    stage.turn(5)
    stage.command(Command.SUCCESS)
    stage.deadman.link_down(now_s=stage.clock.now_s() - 1)
    stage.settle()
    stage.turn()
    where = stage.arm.state.copy()
    stage.turn(20)

    assert stage.phase is Phase.RESETTING
    assert stage.arm.state.tolist() == where.tolist()
    stage.deadman.link_up()
    stage.until(Phase.IDLE)
    assert stage.arm.state.tolist() == [0, 0]


def test_a_frozen_camera_is_told_once_and_holds_a_human(human):
    human.arm.frozen_since_s = human.clock.wall_s()

    human.turn(10, keeping=())

    assert human.phase is Phase.HELD
    assert "front" in human.outlet.ticks[-1].reason
    assert len(human.notices("camera_frozen")) == 1
    human.arm.frozen_since_s = None
    human.turn(10, keeping=())
    assert human.phase is Phase.HELD, "the human looks again first"
    assert human.command(Command.INTERVENE).phase is Phase.HUMAN


def test_a_frozen_camera_does_not_hold_the_policy(stage):
    stage.start()
    stage.arm.frozen_since_s = stage.clock.wall_s()
    stage.turn(10)

    assert stage.phase is Phase.POLICY
    assert len(stage.notices("camera_frozen")) == 1


def test_a_frozen_camera_holds_nobody_when_so_configured():
    stage = Stage(hold_on_frozen_camera=False)
    try:
        stage.start()
        stage.keep()
        stage.command(Command.INTERVENE)
        stage.arm.frozen_since_s = stage.clock.wall_s()
        stage.turn(10, keeping=())

        assert stage.phase is Phase.HUMAN
    finally:
        stage.close()


def test_inputs_that_nobody_takes_do_not_pile_up(stage):
    for _ in range(1000):
        stage.keep(*KEEP)

    assert len(stage.deadman.take()) == 64


def test_every_hold_is_told_to_people(human):
    silence(human, 1.5)

    notices = human.outlet.said(Notice)
    assert [(notice.level, notice.code) for notice in notices] == [("warning", "held")]
    assert notices[0].t_ms == pytest.approx(human.clock.wall_s() * 1000, abs=1000)
