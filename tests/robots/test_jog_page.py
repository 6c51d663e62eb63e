"""The page of the jog keys by itself: who may drive, and what silence means."""

import contextlib
import http.client
import json

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from backend.robots.jog_page import REPLACED, JogPage
from tests.hardware.clocks import HandClock


@pytest.fixture
def clock():
    return HandClock(5.0)


@pytest.fixture
def page(clock):
    page = JogPage(host="127.0.0.1", port=0, token="", clock_s=clock)
    yield page
    page.close()


@pytest.fixture
def address(page):
    return page.url.replace("http", "ws") + "/keys"


def say(socket, held, axes=()):
    """Send what is held; the answer says that it arrived."""
    socket.send(json.dumps({"held": held, "axes": list(axes)}))
    return json.loads(socket.recv(timeout=60))


def test_what_is_held_comes_in_order_with_its_time(page, address, clock):
    assert page.take() == ([], float("-inf"))
    with connect(address) as socket:
        assert say(socket, ["Space"]) == {
            "speed": 1.0,
            "gripper_closed": False,
            "stopped": False,
        }
        clock.move(0.1)
        say(socket, [], [0.5, -1])

        assert page.take() == ([(frozenset({"Space"}), ()), (frozenset(), (0.5, -1.0))], 5.1)
        assert page.take() == ([], 5.1)


def test_the_newest_page_drives(page, address):
    with connect(address) as first, connect(address) as second:
        say(second, ["KeyR"])

        with pytest.raises(ConnectionClosed) as closed:
            first.recv(timeout=60)
        assert closed.value.rcvd.code == REPLACED
        assert page.take()[0] == [(frozenset({"KeyR"}), ())]


def command(socket, name):
    socket.send(json.dumps({"command": name}))
    return json.loads(socket.recv(timeout=60))


def test_a_stop_drops_what_is_held_and_stays_until_it_is_cleared(page, address):
    with connect(address) as socket:
        say(socket, ["KeyR"])
        assert command(socket, "stop")["stopped"]
    assert page.is_stopped
    with connect(address) as another:
        assert say(another, ["KeyF"])["stopped"]
        assert page.take()[0] == []

        assert not command(another, "clear")["stopped"]
        say(another, ["KeyF"])
    assert not page.is_stopped
    assert page.take()[0] == [(frozenset({"KeyF"}), ())]


@pytest.mark.parametrize(
    "text", ["[]", '{"command": "go"}', '{"held": 3}', '{"keys": []}', '{"held": [1]}', "no"]
)
def test_a_message_that_is_none_closes_its_connection(page, address, text):
    with connect(address) as socket:
        socket.send(text)

        with pytest.raises(ConnectionClosed):
            socket.recv(timeout=60)
    assert page.take()[0] == []


def test_pages_of_other_origins_may_not_drive(page, address):
    with pytest.raises(InvalidStatus) as refused:
        connect(address, origin="http://evil.example")
    assert refused.value.response.status_code == 403
    answer = httpx.get(page.url, headers={"Host": "evil.example"})
    assert answer.status_code == 403


@pytest.mark.parametrize("path", ["../setup_page.py", "%2e%2e/setup_page.py", "jog", "none.js"])
def test_only_files_of_the_pages_are_served(page, path):
    # Not httpx: it would tidy the path up before it sends it.
    line = http.client.HTTPConnection(page.url.removeprefix("http://"), timeout=60)
    with contextlib.closing(line):
        line.request("GET", f"/handrail-static/{path}")
        assert line.getresponse().status == 404


@pytest.mark.parametrize("host", ["", "0.0.0.0", "::", "192.168.1.7"])
def test_a_wider_bind_demands_a_token(clock, host):
    with pytest.raises(ValueError, match="page_token"):
        JogPage(host=host, port=0, token="", clock_s=clock)


def test_nobody_sees_the_page_or_drives_without_its_token(clock):
    page = JogPage(host="0.0.0.0", port=0, token="sesame", clock_s=clock)
    with contextlib.closing(page):
        assert page.url.startswith("http://127.0.0.1:")
        address, query = page.url.split("/?")
        assert query == "token=sesame"
        for wrong in ("", "?token=", "?token=open"):
            assert httpx.get(f"{address}/{wrong}").status_code == 401
            with pytest.raises(InvalidStatus) as refused:
                connect(f"{address.replace('http', 'ws')}/keys{wrong}")
            assert refused.value.response.status_code == 401
        assert httpx.get(page.url).status_code == 200
        with connect(f"{address.replace('http', 'ws')}/keys?{query}") as socket:
            assert say(socket, [])["stopped"] is False


def test_closing_twice_is_harmless(clock):
    page = JogPage(host="127.0.0.1", port=0, token="", clock_s=clock)

    page.close()
    page.close()
