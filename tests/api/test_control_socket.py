"""Who may drive, and what reaches the actor."""

import json
import socket
import sqlite3

import pytest
from sqlalchemy.exc import OperationalError

from backend.api.command_log import CommandRows
from backend.domain import Command
from backend.wire import MAX_TEXT_BYTES


def keep(control, seq, **fields):
    control.send(type="keep", seq=seq, **fields)


def test_one_client_drives_and_everyone_knows_who(actor, open_control, open_live):
    ana, bob, live = open_control("Ana"), open_control("Bob"), open_live("Cid")

    assert ana.take() == {"type": "lease", "holder": "Ana", "mine": True, "you": "Ana"}

    assert bob.next() == {"type": "lease", "holder": "Ana", "mine": False, "you": "Bob"}
    assert actor.next_lease().holder == "Ana"
    while (lease := live.next_of("hello")["session"]["lease"])["holder"] is None:
        pass
    assert lease["holder"] == "Ana"
    assert bob.take()["mine"] is False


def test_a_lease_that_is_released_may_be_taken_by_another(actor, open_control):
    ana, bob = open_control("Ana"), open_control("Bob")
    ana.take()
    bob.next()

    ana.send(type="release")

    assert bob.next()["holder"] is None
    assert bob.take()["mine"] is True
    assert [actor.next_lease().holder for _ in range(3)] == ["Ana", None, "Bob"]


def test_a_socket_that_closes_frees_the_lease_at_once(actor, open_control):
    ana, bob = open_control("Ana"), open_control("Bob")
    ana.take()
    bob.next()

    ana.close()

    assert bob.next()["holder"] is None
    assert [actor.next_lease().holder for _ in range(2)] == ["Ana", None]


def test_an_actor_that_connects_later_is_told_who_drives(open_control, open_actor):
    open_control("Ana").take()

    assert open_actor().next_lease().holder == "Ana"


def test_asking_tells_everyone_and_changes_nothing(actor, open_control, open_live):
    ana, bob, live = open_control("Ana"), open_control("Bob"), open_live("Ana")
    ana.take()

    bob.send(type="ask")

    event = live.next_of("event")
    assert event["code"] == "lease_asked"
    assert event["message"] == "Bob asks Ana for the lease"


def test_asking_when_nobody_drives_is_answered(open_control):
    control = open_control()
    control.send(type="ask")

    assert control.next()["code"] == "lease_free"


def test_every_keep_of_the_holder_is_forwarded_in_order_and_acknowledged(actor, open_control):
    control = open_control()
    control.take()

    for seq in range(50):
        keep(control, seq, held=["ArrowUp"] if seq % 2 else [], axes=[0.5])

    inputs = [actor.next_input() for _ in range(50)]
    assert [message.seq for message in inputs] == list(range(50))
    assert inputs[1].held == ["ArrowUp"]
    assert inputs[1].axes == [0.5]
    acks = [control.next_of("ack") for _ in range(50)]
    assert [ack["seq"] for ack in acks] == list(range(50))
    assert acks[0]["server_ms"] > 0


def test_keeps_of_others_are_acknowledged_and_go_nowhere(actor, open_control):
    ana, bob = open_control("Ana"), open_control("Bob")
    ana.take()

    keep(bob, 1, held=["ArrowUp"])
    assert bob.next_of("ack")["seq"] == 1
    keep(ana, 2)

    assert actor.next_input().seq == 2


def test_a_keep_that_came_late_moves_nothing(server, actor, open_control):
    control = open_control()
    control.take()
    now_ms = server.backend.live.clock.wall_ms()

    keep(control, 1, held=["ArrowUp"], sent_ms=now_ms - 400)
    keep(control, 2, sent_ms=now_ms + 60_000)

    message = actor.next_input()
    assert message.seq == 2
    assert message.sent_ms < now_ms + 30_000, "a page's clock that is ahead gives no extra time"


def test_a_command_of_the_holder_is_answered_by_the_actor(actor, open_control):
    control = open_control()
    control.take()

    control.command("open", "c1", params={"robot": "so101_sim_touch"})
    command = actor.obey()

    assert command.command is Command.OPEN
    assert command.author == "Ana"
    assert command.params == {"robot": "so101_sim_touch"}
    answer = control.next_of("answer")
    assert answer == {
        "type": "answer",
        "command_id": "c1",
        "accepted": True,
        "phase": "idle",
        "error": None,
    }


def test_a_refusal_of_the_actor_reaches_the_page_word_for_word(actor, open_control):
    control = open_control()
    control.take()

    control.command("success", "c1")
    actor.obey()

    answer = control.next_of("answer")
    assert answer["accepted"] is False
    assert answer["error"]["code"] == "refused"
    assert "success is not possible while closed" in answer["error"]["message"]


def test_commands_without_the_lease_are_refused_by_name(actor, open_control):
    ana, bob = open_control("Ana"), open_control("Bob")
    bob.command("open", "early")
    nobody = bob.next_of("answer")
    ana.take()

    bob.command("open", "c1")

    answer = bob.next_of("answer")
    assert answer["accepted"] is False
    assert answer["error"]["code"] == "lease"
    assert "Ana holds the lease" in answer["error"]["message"]
    assert "nobody holds the lease" in nobody["error"]["message"]


def test_stop_works_without_the_lease(actor, open_control):
    ana, bob = open_control("Ana"), open_control("Bob")
    ana.take()

    bob.command("stop", "c1", sent_ms=1.0)

    command = actor.obey()
    assert command.command is Command.STOP
    assert command.author == "Bob"
    assert bob.next_of("answer")["accepted"] is True


@pytest.mark.parametrize("write", ["_begin", "_conclude"])
def test_stop_is_answered_when_the_database_cannot_keep_it(
    actor, open_control, monkeypatch, caplog, write
):
    def full_disk(*_):
        raise OperationalError("insert", {}, sqlite3.OperationalError("database or disk is full"))

    monkeypatch.setattr(CommandRows, write, full_disk)
    control = open_control()

    control.command("stop", "c1")

    assert actor.obey().command is Command.STOP
    assert control.next_of("answer")["accepted"] is True
    assert "stop c1 could not be recorded" in caplog.text
    assert "disk is full" in caplog.text


def test_a_late_command_is_dropped_by_name(server, actor, open_control):
    control = open_control()
    control.take()
    now_ms = server.backend.live.clock.wall_ms()

    control.command("open", "c1", sent_ms=now_ms - 1500)

    assert control.next_of("answer")["error"]["code"] == "late"
    control.command("open", "c2", sent_ms=now_ms)
    assert actor.next_command().command_id == "c2"


@pytest.mark.parametrize(
    ("message", "code", "named"),
    [
        ('{"type": "jump"}', 1008, "jump"),
        ('{"type": "take", "force": true}', 1008, "force"),
        ('{"type": "keep", "seq": "x"}', 1008, "seq"),
        ('{"type": "command", "command": "fly", "command_id": "a"}', 1008, "command"),
        ('{"type": "command", "command": "open", "command_id": ""}', 1008, "command_id"),
        ("not json", 1008, "JSON"),
        (json.dumps({"type": "ask", "x": "y" * MAX_TEXT_BYTES}), 1009, str(MAX_TEXT_BYTES)),
        (b"\x00", 1003, "binary"),
    ],
)
def test_what_is_not_understood_is_refused_by_name_and_closes_only_this_connection(
    actor, open_control, message, code, named
):
    wrong, right = open_control("wrong"), open_control("right")
    wrong.take()

    wrong.raw.send(message)

    wrong.expect_refusal(code, named)
    assert [right.next()["holder"] for _ in range(2)] == ["wrong", None], "its lease is free"
    assert right.take()["mine"] is True


def test_a_page_that_reads_no_answers_is_let_go(server, open_control):
    watching = open_control("Bo")
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect(("127.0.0.1", server.port))
        deaf.sendall(
            b"GET /ws/control?name=Deaf HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
            b"Sec-WebSocket-Version: 13\r\n\r\n"
        )
        assert deaf.recv(12) == b"HTTP/1.1 101"
        deaf.sendall(as_frame({"type": "take"}))
        assert watching.next()["holder"] == "Deaf"

        unheard = as_frame({"type": "keep", "seq": 10**15})
        deaf.sendall(unheard * 60_000)

        assert watching.next(timeout_s=30)["holder"] is None


def as_frame(message):
    """A short text message as a client's WebSocket frame, masked with zeros."""
    text = json.dumps(message).encode()
    return bytes([0x81, 0x80 | len(text), 0, 0, 0, 0]) + text
