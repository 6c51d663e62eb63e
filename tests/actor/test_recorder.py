"""Recording: nothing waits for it, nothing is lost in silence, and a failed take is kept."""

import threading
from dataclasses import replace

import numpy as np
import pytest

from backend.actor.recorder import GIB, Recorder, RecorderLimits
from backend.domain import Command, Driver, EndReason, Outcome, Phase
from backend.episodes.format import CameraSize, EpisodeEnd, EpisodeHeader, Step
from backend.wire import EpisodeFinished
from tests.actor.fakes import FakeWriter

HEADER = EpisodeHeader(
    id="e1",
    session_id="s1",
    number=1,
    robot="fake",
    robot_type="fake_type",
    task="t",
    fps=10,
    state_names=("one.pos",),
    action_names=("one.pos",),
    cameras={"front": CameraSize(width=8, height=6)},
    policy="hold",
    checkpoint_id=None,
    started_s=0,
    operator="ana",
)
FRAME_BYTES = 8 * 6 * 3


def step(number):
    return Step(
        step=number,
        timestamp_s=number / 10,
        wall_s=number / 10,
        state=np.zeros(1, np.float32),
        action=np.zeros(1, np.float32),
        requested=np.zeros(1, np.float32),
        driver=Driver.POLICY,
        frames={"front": np.zeros((6, 8, 3), np.uint8)},
    )


END = EpisodeEnd(
    end_reason=EndReason.SUCCESS,
    outcome=Outcome.SUCCESS,
    ended_s=1,
    num_steps=3,
    num_human_steps=0,
)


class SlowWriter(FakeWriter):
    """Takes no step before it is let."""

    def __init__(self, header):
        super().__init__(header)
        self.may_write = threading.Event()
        self.flushed = threading.Event()

    def add(self, step):
        assert self.may_write.wait(10)
        super().add(step)

    def flush(self):
        super().flush()
        self.flushed.set()


class Events:
    def __init__(self):
        self.said = []

    def __getattr__(self, name):
        return lambda *values: self.said.append((name, *values))


@pytest.fixture
def writer():
    return SlowWriter(HEADER)


@pytest.fixture
def events():
    return Events()


@pytest.fixture
def recorder(writer, events):
    recorder = Recorder(
        create=lambda header: writer,
        events=events,
        free_bytes=lambda: 100 * GIB,
        limits=RecorderLimits(memory_bytes=5 * FRAME_BYTES),
    )
    yield recorder
    writer.may_write.set()
    recorder.close()


def test_the_caller_never_waits_for_the_disk(recorder, writer, events):
    recorder.begin(HEADER)
    for number in range(3):
        assert recorder.add(step(number))
    recorder.finish(END)

    assert recorder.is_busy
    assert writer.end is None
    writer.may_write.set()
    recorder._queue.join()
    assert not recorder.is_busy
    assert writer.end == END
    assert [name for name, *_ in events.said] == ["episode_started", "episode_finished"]


def test_memory_is_bounded_and_a_step_too_much_is_refused_not_dropped(recorder, writer):
    recorder.begin(HEADER)
    taken = [recorder.add(step(number)) for number in range(7)]

    assert taken == [True] * 5 + [False] * 2
    writer.may_write.set()
    recorder._queue.join()
    assert recorder.add(step(5)), "there is room again"
    recorder._queue.join()
    assert [kept.step for kept in writer.steps] == [0, 1, 2, 3, 4, 5]


def test_steps_reach_the_disk_when_the_robot_pauses(recorder, writer):
    writer.may_write.set()
    recorder.begin(HEADER)
    recorder.add(step(0))

    assert writer.flushed.wait(5)


def test_what_waits_is_written_when_the_recorder_closes_and_the_take_stays_open(recorder, writer):
    writer.may_write.set()
    recorder.begin(HEADER)
    recorder.add(step(0))
    recorder.close()
    recorder.close()

    assert len(writer.steps) == 1
    assert writer.end is None
    assert writer.is_closed


def test_a_take_that_fails_is_left_as_it_is_and_told(recorder, writer, events):
    writer.may_write.set()
    recorder.begin(HEADER)
    recorder.add(step(0))
    recorder._queue.join()
    writer.fault = OSError("no space left on device")
    recorder.add(step(1))
    recorder._queue.join()

    assert recorder.failure == "OSError: no space left on device"
    assert not recorder.add(step(2))
    assert writer.is_closed
    recorder.finish(END)
    recorder._queue.join()
    assert writer.end is None
    assert not recorder.is_busy
    assert events.said[-1] == ("recording_failed", HEADER, "OSError: no space left on device")


def test_the_next_take_begins_without_the_last_ones_failure(recorder, writer, events):
    writer.may_write.set()
    writer.fault = OSError("gone")
    recorder.begin(HEADER)
    recorder.add(step(0))
    recorder.finish(END)
    recorder._queue.join()
    writer.fault = None
    recorder.begin(replace(HEADER, id="e2"))

    assert recorder.failure == ""
    assert recorder.add(step(0))


def test_people_are_warned_once_when_the_disk_runs_low(stage):
    stage.disk_free = 5 * GIB
    stage.start()
    stage.turn(40)
    stage.settle()

    assert len(stage.notices("disk_low")) == 1
    assert "5.0 GB" in stage.notices("disk_low")[0].message


def test_no_attempt_starts_on_a_full_disk_and_the_answer_says_what_to_do(stage):
    stage.disk_free = 1 * GIB
    stage.command(Command.OPEN)
    stage.recorder._look_at_disk()

    answer = stage.command(Command.START)

    assert answer.error.code == "disk_full"
    assert "1.0 GB" in answer.error.message
    assert stage.phase is Phase.IDLE


def test_an_attempt_that_cannot_be_recorded_is_held_and_can_only_be_ended(stage):
    stage.start()
    stage.settle()
    stage.writers[0].fault = OSError("no space left on device")
    stage.turn()
    stage.settle()

    tick = stage.turn()

    assert tick.phase is Phase.HELD
    assert "no space left" in tick.reason
    assert stage.notices("recording_failed")[0].level == "error"
    for command in (Command.START, Command.INTERVENE):
        assert stage.command(command).error.code == "recording_failed"
    assert stage.command(Command.ABORT).accepted
    stage.until(Phase.IDLE)
    assert stage.outlet.said(EpisodeFinished) == []
    assert stage.command(Command.START).accepted, "the next attempt is another matter"


def test_an_episode_whose_folder_cannot_be_made_is_held_too(stage):
    stage.create_fault = PermissionError("episodes is read-only")
    stage.start()
    stage.settle()

    assert stage.turn().phase is Phase.HELD
    assert "read-only" in stage.outlet.ticks[-1].reason


def test_a_recorder_that_cannot_keep_up_holds_the_robot_with_an_error(stage):
    slow = SlowWriter(HEADER)
    stage.recorder._create = lambda header: slow
    stage.recorder._limits = RecorderLimits(memory_bytes=3 * FRAME_BYTES)
    stage.start()
    stage.turn(5)

    assert stage.phase is Phase.HELD
    assert "keep up" in stage.outlet.ticks[-1].reason
    assert stage.notices("recorder_behind")[0].level == "error"
    slow.may_write.set()
    stage.settle()
    assert stage.command(Command.START).phase is Phase.POLICY
    stage.turn(2)
    stage.settle()
    assert [kept.step for kept in slow.steps] == list(range(len(slow.steps)))
