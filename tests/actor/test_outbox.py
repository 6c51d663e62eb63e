"""What leaves for the server, in which order, and what a broken connection does not swallow."""

import json

import pytest

from backend.actor.outbox import MAX_NOTICES, Outbox
from backend.domain import EndReason, Outcome, Phase
from backend.wire import (
    ActorHello,
    Answer,
    EpisodeFinished,
    EpisodeStarted,
    Notice,
    Ping,
    Tick,
    from_actor,
)


def hello(robot="fake"):
    return ActorHello(
        pid=1,
        robot=robot,
        fps=10,
        cameras=[],
        joints=[],
        policies=[],
        phase=Phase.CLOSED,
        task="t",
    )


def answer(command_id="c"):
    return Answer(command_id=command_id, accepted=True, phase=Phase.IDLE)


def finished(episode_id="e"):
    return EpisodeFinished(
        episode_id=episode_id,
        end_reason=EndReason.SUCCESS,
        outcome=Outcome.SUCCESS,
        command_id="c",
        author="ana",
        num_steps=1,
        num_human_steps=0,
    )


STARTED = EpisodeStarted(episode_id="e", task="t", policy="hold", fps=10, started_s=0)


def notice(text="n"):
    return Notice(level="info", code="x", message=text, t_ms=0)


def tick(step):
    return Tick(step=step, t_ms=0, phase=Phase.IDLE, driver="none")


def drain(outbox):
    """Everything that may leave now: messages, and frames as bytes."""
    items = []
    while (item := outbox.next()) is not None:
        outbox.sent()
        items.append(item if isinstance(item, bytes) else from_actor.validate_json(item))
    return items


@pytest.fixture
async def outbox():
    outbox = Outbox()
    outbox.hello(hello(), generation=1)
    outbox.reconnected()
    assert drain(outbox) == [hello()]
    return outbox


async def test_lasting_messages_keep_their_order_and_go_before_ticks_and_frames(outbox):
    outbox.frame(1, 0, b"frame")
    outbox.tick(tick(1))
    outbox.put(answer("a"))
    outbox.put(notice())
    outbox.put(finished())

    assert drain(outbox) == [answer("a"), notice(), finished(), tick(1), b"frame"]


async def test_only_the_newest_tick_and_the_newest_frame_of_a_camera_leave(outbox):
    for number in range(5):
        outbox.tick(tick(number))
        outbox.frame(1, 0, b"old")
    outbox.frame(1, 0, b"new")

    assert drain(outbox) == [tick(4), b"new"]


async def test_two_frames_a_camera_may_be_under_way_and_each_camera_has_its_own(outbox):
    for number in range(4):
        outbox.frame(1, 0, b"a%d" % number)
        outbox.frame(1, 1, b"b%d" % number)
        sent = drain(outbox)
        assert sent == ([b"a%d" % number, b"b%d" % number] if number < 2 else [])

    outbox.acknowledge(1)
    assert drain(outbox) == [b"b3"]
    outbox.acknowledge(0)
    assert drain(outbox) == [b"a3"]


async def test_acknowledgements_that_were_not_owed_earn_no_credit(outbox):
    for _ in range(10):
        outbox.acknowledge(0)
        outbox.acknowledge(200)
    for _ in range(4):
        outbox.frame(1, 0, b"x")
        drain(outbox)
    outbox.frame(1, 0, b"x")

    assert drain(outbox) == []


async def test_a_reconnect_begins_with_the_hello_and_with_all_credits(outbox):
    for _ in range(3):
        outbox.frame(1, 0, b"x")
        drain(outbox)
    outbox.put(Ping(t_ms=1, actor_ms=2))
    outbox.reconnected()

    assert drain(outbox) == [hello(), b"x"], "an echo for the old connection means nothing now"


async def test_frames_of_a_robot_that_was_closed_are_not_sent(outbox):
    outbox.frame(1, 0, b"old robot")
    outbox.hello(hello("other"), generation=2)
    outbox.frame(1, 0, b"old robot, encoded late")

    assert drain(outbox) == [hello("other")]


async def test_what_the_server_must_know_is_said_again_after_a_reconnect(outbox):
    outbox.put(STARTED)
    drain(outbox)
    outbox.reconnected()
    assert drain(outbox) == [hello(), STARTED], "the episode that is open"

    outbox.put(finished())
    outbox.put(answer())
    drain(outbox)
    outbox.reconnected()
    assert drain(outbox) == [hello(), finished(), answer()]


async def test_a_message_the_connection_did_not_take_is_sent_on_the_next(outbox):
    outbox.put(notice("first"))
    outbox.put(notice("second"))
    assert json.loads(outbox.next())["message"] == "first"
    # The connection broke while sending.
    outbox.reconnected()

    assert drain(outbox) == [hello(), notice("first"), notice("second")]


async def test_answers_wait_for_a_server_however_long_and_old_notices_make_room(outbox):
    for number in range(MAX_NOTICES + 50):
        outbox.put(notice(str(number)))
    outbox.put(answer("a"))
    outbox.reconnected()

    sent = drain(outbox)
    assert sent[0] == hello()
    assert sent[-1] == answer("a")
    assert [message.message for message in sent[1:-1]] == [
        str(number) for number in range(50, MAX_NOTICES + 50)
    ]


def test_it_is_not_empty_while_a_connection_takes_the_last_message():
    outbox = Outbox()
    outbox.put(finished())
    assert outbox.next() is not None
    assert not outbox.is_empty, "whoever hangs up now would lose it"

    outbox.sent()
    assert outbox.is_empty
