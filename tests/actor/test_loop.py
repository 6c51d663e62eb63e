"""The loop as a whole: how it starts, and the two ways in which it ends by itself or is ended."""

import threading
from dataclasses import replace

from backend.actor.loop import ControlLoop
from backend.actor.safety import SafetyTimes
from backend.domain import Command, EndReason, Phase


def loop_of(stage, **options):
    return ControlLoop(
        session=stage.session,
        inbox=stage.inbox,
        deadman=stage.deadman,
        outlet=stage.outlet,
        clock=stage.clock,
        times=SafetyTimes(),
        **options,
    )


def test_the_loop_warms_up_then_obeys_and_lets_go_of_the_robot_when_stopped(stage):
    warm = threading.Event()
    stage.maker.while_connecting = warm.set
    loop = loop_of(stage)
    opened = threading.Event()
    publish = stage.outlet.publish

    def watch(tick, observation):
        publish(tick, observation)
        if tick.phase is Phase.IDLE and tick.step > 3:
            opened.set()

    stage.outlet.publish = watch
    thread = threading.Thread(target=loop.run)
    thread.start()
    assert warm.wait(10)
    stage.ask(Command.OPEN)
    assert opened.wait(10)
    loop.stop()
    loop.stop()
    thread.join(10)

    assert not thread.is_alive()
    assert not stage.arm.is_connected
    assert stage.phase is Phase.CLOSED


def test_ten_minutes_without_a_server_end_the_loop_and_keep_the_open_attempt(stage):
    stage.start()
    stage.deadman.link_down(now_s=stage.clock.now_s())
    began_s = stage.clock.now_s()

    loop_of(stage).run()

    assert 600 <= stage.clock.now_s() - began_s < 601
    assert stage.phase is Phase.CLOSED
    assert not stage.arm.is_connected
    stage.settle()
    assert stage.writers[0].end.end_reason is EndReason.ABORT


def test_a_server_that_comes_back_in_time_keeps_the_loop_alive(stage):
    stage.command(Command.OPEN)
    loop = loop_of(stage, abandoned_s=5)
    began_s = stage.clock.now_s()
    publish = stage.outlet.publish

    def come_and_go(tick, observation):
        publish(tick, observation)
        if tick.step % 40 == 0:
            stage.deadman.link_up()
            stage.deadman.link_down(now_s=stage.clock.now_s())
        if tick.step == 200:
            loop.stop()

    stage.outlet.publish = come_and_go
    loop.run()

    assert stage.clock.now_s() - began_s > 15


def test_ticks_say_what_the_loop_really_does(stage):
    stage.start()
    stage.turn(60)

    rates = stage.outlet.ticks[-1].rates
    assert rates.target_hz == 10
    assert 9.9 < rates.loop_hz < 10.1
    assert rates.overruns == 0


def test_ticks_of_an_attempt_say_what_a_simulator_sees(stage):
    observe = stage.arm.observe
    known = {}
    stage.arm.observe = lambda: replace(observe(), privileged=known)
    stage.command(Command.OPEN)
    known["success"] = True
    stage.turn(2)
    assert stage.outlet.ticks[-1].verdict is None, "there is no attempt to judge"
    stage.command(Command.START)
    stage.turn(2)
    assert stage.outlet.ticks[-1].verdict is True
    known["success"] = False
    stage.turn(2)
    assert stage.outlet.ticks[-1].verdict is False
    del known["success"]
    stage.turn(2)
    assert stage.outlet.ticks[-1].verdict is None


def test_a_loop_that_cannot_keep_its_rate_says_so_once_in_a_while(stage):
    observe = stage.arm.observe

    def slow():
        stage.clock.time_s += 0.15
        return observe()

    stage.arm.observe = slow
    stage.start()
    stage.turn(30)

    assert stage.outlet.ticks[-1].rates.overruns >= 10
    assert len(stage.notices("slow_loop")) == 1
    assert "of 10 Hz" in stage.notices("slow_loop")[0].message


def test_another_robot_opened_at_once_gets_its_own_rate(stage):
    stage.command(Command.OPEN)
    stage.turn(3)
    stage.arm.fps = 20.0
    stage.ask(Command.CLOSE)
    stage.ask(Command.OPEN)
    stage.turn(2)

    assert stage.phase is Phase.IDLE
    assert stage.outlet.ticks[-1].rates.target_hz == 20
