"""The line to the server, over real sockets on this machine, with the loop's side simulated."""

import threading
import time

import numpy as np
import pytest

from backend.actor.clock import SystemClock
from backend.actor.deadman import Deadman
from backend.actor.frames import FrameEncoder
from backend.actor.inbox import Inbox
from backend.actor.link import Link, ServerClock
from backend.actor.place import Place
from backend.actor.promotion import Promotions
from backend.actor.safety import SafetyTimes
from backend.control import Observation
from backend.domain import Command, EndReason, Outcome, Phase
from backend.wire import (
    ActorHello,
    CameraInfo,
    CommandMessage,
    EpisodeFinished,
    LeaseMessage,
    Ping,
    Tick,
    UploadOrder,
    unpack_frame,
)
from tests.actor.fakes import FakePolicy
from tests.actor.plain_server import PlainServer

FINISHED = EpisodeFinished(
    episode_id="e",
    end_reason=EndReason.SUCCESS,
    outcome=Outcome.SUCCESS,
    command_id="c",
    author="ana",
    num_steps=1,
    num_human_steps=0,
)


def hello(*cameras):
    return ActorHello(
        pid=1,
        robot="fake",
        fps=10,
        cameras=[CameraInfo(name=name, width=8, height=6) for name in cameras],
        joints=[],
        policies=[],
        phase=Phase.CLOSED,
        task="t",
    )


def observation(captured_s, *cameras):
    return Observation(
        state=np.zeros(1, np.float32),
        frames={name: np.full((6, 8, 3), 90, np.uint8) for name in cameras},
        frame_wall_s=dict.fromkeys(cameras, captured_s),
    )


TICK = Tick(step=1, t_ms=0, phase=Phase.IDLE, driver="none")


class Line:
    """A link with an inbox that nobody empties but the test."""

    def __init__(self, server, data_dir, *, token=""):
        clock = SystemClock()
        self.place = Place(data_dir)
        self.link = Link(url=server.url, token=token, clock=clock, place=self.place)
        self.inbox = Inbox(send=self.link.send)
        self.deadman = Deadman(times=SafetyTimes(), now_s=clock.now_s())
        self.link.hello(hello("front"), None)
        self.promotions = Promotions(load=lambda policy, arm: FakePolicy())
        self.decided: list[UploadOrder] = []
        self.link.start(
            inbox=self.inbox,
            deadman=self.deadman,
            promotions=self.promotions,
            decided=self.decided.append,
        )


@pytest.fixture
def server():
    server = PlainServer(token="secret")
    yield server
    server.close()


@pytest.fixture
def line(server, tmp_path):
    line = Line(server, tmp_path, token="secret")
    server.wait("the hello", lambda: server.hellos or None)
    yield line
    line.link.close()


def test_the_actor_introduces_itself_with_its_token(line, server):
    assert server.hellos == [hello("front")]


def test_a_wrong_token_gets_no_further(server, tmp_path, caplog):
    line = Line(server, tmp_path, token="wrong")
    try:
        complaint = threading.Event()
        deadline_s = time.monotonic() + 10
        while "the token is wrong" not in caplog.text and time.monotonic() < deadline_s:
            complaint.wait(0.01)
        assert "the token is wrong" in caplog.text
        assert server.hellos == []
    finally:
        line.link.close()


def test_frames_are_jpeg_with_camera_sequence_and_capture_time(line, server):
    seen = []
    server.on_frame = seen.append
    for number in range(3):
        line.link.publish(TICK, observation(5.0 + number, "front"))
        server.wait("a frame", lambda number=number: server.frames.get(0) == number + 1)

    camera, sequence, captured_ms, jpeg = unpack_frame(seen[-1])
    assert (camera, sequence, captured_ms) == (0, 2, 7000.0)
    assert bytes(jpeg[:2]) == b"\xff\xd8"


def test_a_server_that_acknowledges_nothing_gets_two_frames_and_still_every_tick(line, server):
    server.acknowledges = False
    for number in range(10):
        line.link.publish(
            TICK.model_copy(update={"step": number}), observation(float(number), "front")
        )
        server.wait_tick("the tick", lambda tick, number=number: tick.step == number)
        if number < 2:
            server.wait("its frame", lambda number=number: server.frames.get(0) == number + 1)

    assert server.frames == {0: 2}


def test_what_people_decide_of_uploads_is_passed_on(line, server):
    server.wait("the link", lambda: bool(server.hellos))
    order = UploadOrder(episode_id="e", order="discard")
    server.send(order)

    server.wait("the order", lambda: line.decided == [order])


def test_a_picture_that_did_not_change_is_not_sent_twice():
    offered = []
    done = threading.Event()

    def offer(*frame):
        offered.append(frame)
        if frame[1] == 1 and unpack_frame(frame[2])[2] == 2000:
            done.set()

    encoder = FrameEncoder(offer=offer)
    encoder.use(("slow", "fast"), None)
    for fast_s in (1.0, 2.0):
        encoder.put(
            Observation(
                state=np.zeros(1, np.float32),
                frames={name: np.zeros((6, 8, 3), np.uint8) for name in ("slow", "fast")},
                frame_wall_s={"slow": 1.0, "fast": fast_s},
            )
        )
        if fast_s == 1.0:
            while len(offered) < 2:
                done.wait(0.001)
    assert done.wait(5)
    encoder.close()
    encoder.close()

    assert [camera for _, camera, _ in offered] == [0, 1, 1]


def test_cameras_that_run_on_their_own_are_shown_without_waiting_for_a_step():
    class Live:
        def __init__(self):
            self.captured_s = 1.0

        def newest_frames(self):
            return {"front": (np.zeros((6, 8, 3), np.uint8), self.captured_s)}

    live = Live()
    arrived = threading.Condition()
    captured_ms = []

    def offer(generation, camera, packed):
        with arrived:
            captured_ms.append(unpack_frame(packed)[2])
            arrived.notify()

    encoder = FrameEncoder(offer=offer)
    encoder.use(("front",), live)
    for number in range(1, 4):
        with arrived:
            assert arrived.wait_for(lambda number=number: len(captured_ms) == number, 5)
        live.captured_s += 1.00002
        # The same picture again: as the loop observed it, and with its time converted anew.
        encoder.put(observation(live.captured_s - 1.00002, "front"))
    with arrived:
        assert arrived.wait_for(lambda: len(captured_ms) == 4, 5)
    encoder.close()

    assert captured_ms == pytest.approx([1000, 2000, 3000, 4000], abs=1)


def test_commands_inputs_and_the_lease_reach_the_loop(line, server):
    server.send(LeaseMessage(holder="ana"))
    server.keep("ArrowUp", seq=1)
    server.keep("ArrowUp", "KeyR", seq=2)
    server.send(
        CommandMessage(
            command=Command.STOP, command_id="s", author="ana", sent_ms=time.time() * 1000
        )
    )
    line.inbox.wait(10)

    assert [command.command_id for command in line.inbox.take()] == ["s"]
    assert [message.held for message in line.deadman.take()] == [["ArrowUp"], ["ArrowUp", "KeyR"]]


def test_an_old_command_is_refused_as_late(line, server):
    server.wait("an echoed ping", lambda: server.said(Ping) or None)
    server.send(
        CommandMessage(
            command=Command.START,
            command_id="old",
            author="ana",
            sent_ms=(time.time() - 3) * 1000,
        )
    )

    answer = server.wait(
        "the refusal",
        lambda: next((m for m in server.messages if getattr(m, "command_id", "") == "old"), None),
    )
    assert answer.error.code == "late"
    assert line.inbox.take() == []


def test_pings_come_back_with_the_actors_clock(line, server):
    ping = server.wait("an echo", lambda: server.said(Ping) or None)[0]

    assert ping.actor_ms == pytest.approx(ping.t_ms, abs=5000)


def test_what_was_said_without_a_server_arrives_after_the_reconnect(line, server):
    server.hang_up()
    server.wait("the second hello", lambda: len(server.hellos) >= 2)
    server.hang_up()
    line.link.send(FINISHED)

    server.wait("the episode", lambda: FINISHED in server.messages)
    assert line.deadman.link_down_for_s(now_s=time.monotonic()) == 0


def test_a_link_that_breaks_is_known_to_be_down(line, server):
    server.close()
    deadline_s = time.monotonic() + 10
    tick = threading.Event()
    while (
        not line.deadman.link_down_for_s(now_s=time.monotonic()) and time.monotonic() < deadline_s
    ):
        tick.wait(0.01)

    assert line.deadman.link_down_for_s(now_s=time.monotonic()) > 0


@pytest.mark.parametrize(
    ("raw", "named"),
    [
        ('{"type": "lease", "holder": "ana", "why": 1}', "lease.why"),
        ('{"type": "dance"}', "dance"),
        ("not json", "message"),
        (b"two", "one byte"),
    ],
)
def test_what_is_not_understood_is_refused_by_name_and_the_line_reopened(
    line, server, caplog, raw, named
):
    server.send_raw(raw)

    server.wait("the next connection", lambda: len(server.hellos) >= 2)
    assert named in caplog.text
    assert any(code == 1008 and named in reason for code, reason in server.closes)


def test_an_oversized_message_closes_the_connection_and_nothing_else(line, server):
    server.send_raw('{"type": "lease", "holder": "' + "x" * 70_000 + '"}')

    server.wait("the next connection", lambda: len(server.hellos) >= 2)
    assert any(code == 1009 for code, _ in server.closes)


def test_closing_brings_away_what_waits_and_may_be_repeated(line, server):
    line.link.send(FINISHED)
    line.link.close()
    line.link.close()

    server.wait("what waited", lambda: FINISHED in server.messages)
    line.link.send(FINISHED)


def test_the_age_of_a_message_allows_for_different_clocks():
    clock = ServerClock()
    assert clock.age_s(sent_ms=1000, now_ms=1500) == 0.5

    clock.ping(sent_ms=1000, arrived_ms=61_040)
    clock.ping(sent_ms=2000, arrived_ms=62_002)
    clock.ping(sent_ms=3000, arrived_ms=63_300)

    assert clock.age_s(sent_ms=4000, now_ms=64_102) == pytest.approx(0.1)
    assert clock.age_s(sent_ms=9000, now_ms=64_000) == 0
