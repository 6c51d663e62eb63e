"""What the server accepts from an actor, and from whom."""

import threading
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosedError, InvalidStatus
from websockets.sync.client import connect

from backend.api import actor_line
from backend.domain import Phase
from backend.wire import ActorHello, Ping, PolicyMessage, to_actor
from tests.api.fake_actor import FakeActor


def closed_by_server(actor):
    with pytest.raises(ConnectionClosedError) as closed:
        list(actor.socket)
    assert closed.value.rcvd is not None
    return closed.value.rcvd


def test_without_the_right_token_nobody_is_an_actor(server):
    with pytest.raises(InvalidStatus) as refused:
        FakeActor(server.ws_url, token="guess")

    assert refused.value.response.status_code == 401
    assert b"actor.token" in refused.value.response.body


def test_a_browser_is_no_actor_whatever_it_knows(server):
    token = (server.backend.settings.data_dir / "actor.token").read_text()
    headers = {"Authorization": f"Bearer {token}", "Origin": server.url}

    with (
        pytest.raises(InvalidStatus) as refused,
        connect(f"{server.ws_url}/ws/actor", additional_headers=headers),
    ):
        raise AssertionError("let in")

    assert refused.value.response.status_code == 403


def test_the_token_is_readable_by_its_owner_only(server):
    path = server.backend.settings.data_dir / "actor.token"

    assert path.stat().st_mode & 0o777 == 0o600
    assert len(path.read_text()) >= 40


def test_a_second_actor_is_refused_while_the_first_is_alive(actor, open_actor, open_live):
    live = open_live()
    second = open_actor(pid=4712, hello=False)

    close = closed_by_server(second)

    assert close.code == 1013
    assert "another actor" in close.reason
    sent = actor.send_frame()
    assert live.next_frame() == sent, "the first one did not notice"


def test_a_second_actor_replaces_one_that_has_gone_silent(
    server, actor, open_actor, open_live, monkeypatch
):
    monkeypatch.setattr(actor_line, "REPLACEABLE_AFTER_S", 0.0)
    live = open_live()

    second = open_actor(pid=4712)

    assert closed_by_server(actor).code == 1013
    sent = second.send_frame()
    assert live.next_frame() == sent
    assert server.backend.live.actor_status().pid == 4712


def test_an_actor_that_says_nothing_is_let_go(open_actor, monkeypatch):
    monkeypatch.setattr("backend.api.actor_socket.SILENT_AFTER_S", 0.1)
    actor = open_actor()

    assert "silent" in closed_by_server(actor).reason


def test_pings_come_from_the_start(open_actor):
    actor = open_actor()

    kinds = [type(to_actor.validate_json(actor.socket.recv(timeout=5))) for _ in range(2)]
    assert Ping in kinds


@pytest.mark.parametrize(
    ("message", "code", "named"),
    [
        ('{"type": "tock"}', 1008, "tock"),
        ('{"type": "ping", "t_ms": 1, "extra": 2}', 1008, "extra"),
        ("[]", 1008, "message"),
        (b"\x00" * 20, 1008, "kind 1"),
        (b"\x01", 1008, "header"),
        ("x" * (64 * 1024 + 1), 1009, "65536"),
    ],
)
def test_what_is_not_understood_is_refused_by_name(actor, open_actor, message, code, named):
    actor.socket.send(message)

    close = closed_by_server(actor)
    assert close.code == code
    assert named in close.reason
    again = open_actor()
    again.send_frame()


@pytest.mark.parametrize("first", ['{"type": "ping", "t_ms": 1}', b"\x01" * 30])
def test_the_first_message_is_a_hello(open_actor, first):
    actor = open_actor(hello=False)
    actor.socket.send(first)

    assert "hello" in closed_by_server(actor).reason


def test_a_lost_actor_is_shown_as_lost_with_its_last_phase(actor, open_live, api):
    live = open_live()
    actor.tick(phase=Phase.POLICY)
    while live.next_of("hello")["session"]["phase"] != "policy":
        pass

    actor.close()

    while (session := live.next_of("hello")["session"])["actor"]["state"] != "lost":
        pass
    assert session["phase"] == "policy"
    assert session["driver"] == "none"
    assert session["possible"] == []
    assert "calls again" in session["actor"]["message"]
    assert api.get("/api/health").json()["actor"]["state"] == "lost"


def test_the_same_actor_comes_back_where_it_was(actor, open_actor, open_live):
    live = open_live()
    actor.tick(phase=Phase.POLICY)
    actor.close()
    while live.next_of("hello")["session"]["actor"]["state"] != "lost":
        pass

    again = open_actor(hello=False)
    again.state = again.state.on("open").on("start")
    again.hello()

    while (session := live.next_of("hello")["session"])["actor"]["state"] != "connected":
        pass
    assert session["phase"] == "policy"


def test_an_answer_survives_a_lost_connection(server, actor, open_actor, api):
    """The actor keeps its answers until it is connected again."""
    responses = []
    asking = threading.Thread(
        target=lambda: responses.append(
            api.post("/api/session/command", json={"command": "open", "command_id": "c1"})
        )
    )
    asking.start()
    command = actor.next_command()
    actor.close()

    again = open_actor(hello=False)
    again.state = again.state.on("open")
    again.hello()
    again.send_answer(command)
    asking.join(timeout=5)

    assert responses[0].json() == {"accepted": True, "phase": "idle"}


def test_another_process_owes_no_answers_of_the_one_before(actor, open_actor, api):
    responses = []
    asking = threading.Thread(
        target=lambda: responses.append(
            api.post("/api/session/command", json={"command": "open", "command_id": "c1"})
        )
    )
    asking.start()
    actor.next_command()
    actor.close()

    open_actor(pid=4712)
    asking.join(timeout=5)

    assert responses[0].status_code == 409
    assert responses[0].json()["error"]["code"] == "refused"


def test_hello_names_every_field_it_does_not_know():
    with pytest.raises(ValueError, match="surprise"):
        ActorHello.model_validate({"type": "hello", "surprise": 1})


def test_every_connection_of_the_actor_is_told_what_was_promoted_last(server, open_actor):
    live = server.backend.live
    live.offer_policy("touch/000500", Path("/data/checkpoints/touch/000500"), promoted_s=1.0)
    live.offer_policy("touch/001000", Path("/data/checkpoints/touch/001000"), promoted_s=2.0)

    for pid in (4711, 4712):
        actor = open_actor(pid=pid)
        said = [to_actor.validate_json(actor.socket.recv(timeout=5)) for _ in range(3)]
        promotions = [message for message in said if isinstance(message, PolicyMessage)]
        actor.close()

        assert [message.checkpoint_id for message in promotions] == ["touch/001000"]
        assert promotions[0].path == "/data/checkpoints/touch/001000"
