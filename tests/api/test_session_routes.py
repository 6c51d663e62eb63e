"""The command path for programs: one answer for one command_id, refusals by name."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from backend.db.models import CommandRow, SessionRow
from backend.domain import Command, Phase
from backend.wire import Answer


def post(api, command, command_id, **fields):
    return api.post(
        "/api/session/command", json={"command": command, "command_id": command_id, **fields}
    )


@pytest.fixture
def background():
    with ThreadPoolExecutor(4) as pool:
        yield pool


def row_of(server, command_id):
    with server.backend.database.read() as db:
        return db.get(CommandRow, command_id)


def test_an_accepted_command_says_which_phase_it_led_to(server, actor, api, background):
    asked = background.submit(post, api, "open", "c1", params={"policy": "hold"})
    command = actor.obey()

    response = asked.result(timeout=5)
    assert response.status_code == 200
    assert response.json() == {"accepted": True, "phase": "idle"}
    assert command.params == {"policy": "hold"}
    row = row_of(server, "c1")
    assert (row.command, row.accepted, row.phase, row.source) == ("open", True, "idle", "api")


def test_a_refused_command_names_phase_and_what_is_possible(server, actor, api, background):
    asked = background.submit(post, api, "start", "c1")
    actor.obey()

    response = asked.result(timeout=5)
    assert response.status_code == 409
    error = response.json()["error"]
    assert error["code"] == "refused"
    assert "start is not possible while closed" in error["message"]
    assert "open" in error["message"]
    assert row_of(server, "c1").accepted is False


def test_a_repeat_is_answered_like_the_first_and_reaches_nobody(actor, api, background):
    asked = background.submit(post, api, "open", "c1")
    actor.obey()
    first = asked.result(timeout=5)

    again = post(api, "open", "c1")

    assert again.json() == first.json()
    other = background.submit(post, api, "stop", "c2")
    assert actor.obey().command_id == "c2", "the repeat was not sent"
    assert other.result(timeout=5).status_code == 200


def test_a_repeat_of_a_refusal_is_refused_in_the_same_words(actor, api, background):
    asked = background.submit(post, api, "success", "c1")
    actor.obey()
    first = asked.result(timeout=5)

    again = post(api, "success", "c1")

    assert again.status_code == 409
    assert again.json() == first.json()


def test_the_same_command_from_two_at_once_is_sent_once(actor, api, background):
    asked = [background.submit(post, api, "open", "c1") for _ in range(4)]
    actor.obey()

    answers = [future.result(timeout=5).json() for future in asked]
    assert answers == [{"accepted": True, "phase": "idle"}] * 4
    stop = background.submit(post, api, "stop", "c2")
    assert actor.obey().command is Command.STOP
    stop.result(timeout=5)


def test_a_repeat_over_the_socket_finds_the_answer_given_over_rest(
    actor, api, open_control, background
):
    asked = background.submit(post, api, "open", "c1")
    actor.obey()
    asked.result(timeout=5)
    control = open_control()
    control.take()

    control.command("open", "c1")

    assert control.next_of("answer")["accepted"] is True


def test_without_an_actor_the_refusal_says_what_to_do(api):
    response = post(api, "open", "c1")

    assert response.status_code == 409
    error = response.json()["error"]
    assert error["code"] == "refused"
    assert "actor is stopped" in error["message"]
    assert "backend.actor" in error["hint"]


def test_an_actor_that_stays_silent_is_a_timeout_that_may_be_repeated(
    server, actor, api, background, monkeypatch
):
    monkeypatch.setattr("backend.api.commands.TIMEOUT_S", 0.05)

    response = post(api, "start", "c1")

    assert response.status_code == 504
    assert response.json()["error"]["code"] == "timeout"
    assert row_of(server, "c1").accepted is None
    monkeypatch.setattr("backend.api.commands.TIMEOUT_S", 5)
    actor.next_command()
    again = background.submit(post, api, "start", "c1")
    assert actor.next_command().command_id == "c1", "an unanswered command is asked again"
    actor.send(Answer(command_id="c1", accepted=True, phase=Phase.POLICY))
    assert again.result(timeout=5).status_code == 200


def test_an_answer_that_comes_too_late_is_still_kept(server, actor, api, monkeypatch):
    monkeypatch.setattr("backend.api.commands.TIMEOUT_S", 0.05)
    post(api, "start", "c1")

    actor.send(Answer(command_id="c1", accepted=True, phase=Phase.POLICY))

    for _ in range(100):
        if row_of(server, "c1").accepted is not None:
            break
        threading.Event().wait(0.02)
    assert row_of(server, "c1").accepted is True
    assert post(api, "start", "c1").json() == {"accepted": True, "phase": "policy"}


def test_stop_goes_ahead_of_everything_that_waits(server, actor, api, background):
    control_ids = [f"c{number}" for number in range(3)]
    line = server.backend.live.line
    asked = [background.submit(post, api, "open", name) for name in control_ids]
    first = actor.next_command()

    stop = background.submit(post, api, "stop", "stop")

    seen = [first, *(actor.next_command() for _ in range(3))]
    assert "stop" in [command.command_id for command in seen]
    for command in seen:
        actor.send(Answer(command_id=command.command_id, accepted=True, phase=Phase.IDLE))
    assert stop.result(timeout=5).status_code == 200
    assert all(future.result(timeout=5).status_code == 200 for future in asked)
    assert line.is_connected


def test_everyone_hears_when_a_program_commands_over_somebodys_head(
    actor, api, open_control, open_live, background
):
    open_control("Ana").take()
    live = open_live()

    asked = background.submit(post, api, "open", "c1")
    actor.obey()

    assert asked.result(timeout=5).status_code == 200
    assert live.next_of("event")["message"] == "guest sent open by program"


def test_the_session_has_a_row_from_open_to_close(server, actor, api, background, open_live):
    live = open_live()

    def told(session_id):
        while live.next_of("hello")["session"]["session_id"] != session_id:
            pass

    def rows():
        with server.backend.database.read() as db:
            return {row.id: row for row in db.query(SessionRow)}

    def wait_for(check):
        for _ in range(200):
            if check(rows()):
                return
            threading.Event().wait(0.02)
        raise AssertionError(rows())

    asked = background.submit(post, api, "open", "c1")
    actor.obey()
    asked.result(timeout=5)
    actor.session_id = "s1"
    actor.hello()
    told("s1")
    wait_for(lambda found: found.keys() == {"s1"} and found["s1"].closed_s is None)
    assert rows()["s1"].operator == "guest"

    actor.session_id = None
    actor.hello()
    told(None)

    wait_for(lambda found: found["s1"].closed_s is not None)


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"command": "fly", "command_id": "a"}, "body.command"),
        ({"command": "open"}, "body.command_id"),
        ({"command": "open", "command_id": ""}, "body.command_id"),
        ({"command": "open", "command_id": "x" * 65}, "body.command_id"),
        ({"command": "open", "command_id": "a", "force": True}, "body.force"),
    ],
)
def test_a_command_that_is_no_command_is_refused_by_field(api, body, named):
    response = api.post("/api/session/command", json=body)

    assert response.status_code == 422
    assert response.json()["error"]["code"] == "invalid"
    assert named in response.json()["error"]["message"]
