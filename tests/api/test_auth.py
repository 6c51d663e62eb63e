"""Who gets in, as whom, and from where."""

from contextlib import closing

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from backend.domain import Role
from backend.settings import Settings
from tests.api.page_client import Control, Socket
from tests.conftest import RunningServer

HTML = {"accept": "text/html"}


@pytest.fixture
def settings(tmp_path):
    return Settings(
        data_dir=tmp_path / "data",
        actor=False,
        tokens=tuple((role, f"{role}-token") for role in Role),
        allowed_hosts=("robot.lan",),
    )


@pytest.fixture
def open_server(tmp_path):
    """A server that demands no token."""
    with closing(RunningServer(Settings(data_dir=tmp_path / "open", actor=False))) as running:
        yield running


def bearer(role):
    return {"authorization": f"Bearer {role}-token"}


def test_without_a_token_there_is_a_named_refusal(api):
    response = api.get("/api/session")

    assert response.status_code == 401
    assert response.json()["error"]["code"] == "token"
    assert "/enter" in response.json()["error"]["hint"]


@pytest.mark.parametrize("path", ["/api/health", "/docs", "/api/openapi.json", "/api/nothing"])
def test_nothing_is_open_without_a_token(api, path):
    assert api.get(path).status_code == 401


def test_a_browser_without_a_token_is_led_to_the_form(api):
    response = api.get("/", headers=HTML)

    assert response.status_code == 303
    assert response.headers["location"] == "/enter"
    form = api.get("/enter", headers=HTML)
    assert form.status_code == 200
    assert 'name="token"' in form.text


@pytest.mark.parametrize("role", list(Role))
def test_a_bearer_token_gives_its_role(server, api, role):
    assert api.get("/api/session", headers=bearer(role)).status_code == 200
    url = f"{server.ws_url}/ws/live"
    with closing(Socket(url, additional_headers=bearer(role))) as live:
        assert live.next()["role"] == role


@pytest.mark.parametrize("token", ["admin-toke", "admin-tokenn", "ADMIN-TOKEN", "…"])
def test_a_wrong_token_gives_nothing(api, token):
    headers = {"authorization": f"Bearer {token}".encode()}

    assert api.get("/api/session", headers=headers).status_code == 401
    assert api.get("/enter", params={"token": token}).status_code == 401


def test_enter_sets_a_cookie_that_no_script_reads_and_no_other_site_sends(api):
    response = api.get("/enter", params={"token": "operator-token", "name": "Ana  Ø"})

    assert response.status_code == 303
    assert response.headers["location"] == "/"
    cookies = {c.split("=")[0]: c for c in response.headers.get_list("set-cookie")}
    assert "HttpOnly" in cookies["handrail_token"]
    assert "SameSite=strict" in cookies["handrail_token"]
    assert "operator-token" not in cookies["handrail_token"]
    assert api.get("/api/session").status_code == 200, "the client kept the cookie"


def test_the_form_enters_too(api):
    response = api.post("/enter", data={"token": "viewer-token", "name": "Bo"})

    assert response.status_code == 303
    assert api.get("/api/session").status_code == 200


def test_a_link_from_another_site_goes_on_by_itself(api):
    """A strict cookie does not travel through a redirect that another site began."""
    headers = {"sec-fetch-site": "cross-site"}

    response = api.get("/enter", params={"token": "viewer-token"}, headers=headers)

    assert response.status_code == 200
    assert "refresh" in response.text
    assert "handrail_token" in response.headers["set-cookie"]


def test_the_cookie_opens_sockets_and_carries_the_name(server, api):
    api.get("/enter", params={"token": "operator-token", "name": "Ana Ø"})
    cookie = "; ".join(f"{name}={value}" for name, value in api.cookies.items())
    headers = {"cookie": cookie, "origin": server.url}

    with closing(Control(f"{server.ws_url}/ws/control", additional_headers=headers)) as control:
        assert control.next()["you"] == "Ana Ø"
        assert control.take()["mine"] is True


@pytest.mark.parametrize("path", ["/ws/live", "/ws/control"])
def test_sockets_without_a_token_are_refused_in_the_same_shape(server, path):
    with pytest.raises(InvalidStatus) as refused:
        Socket(server.ws_url + path)

    assert refused.value.response.status_code == 401
    assert b'"code":"token"' in refused.value.response.body


@pytest.mark.parametrize("path", ["/ws/live", "/ws/control"])
@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1"])
def test_a_page_elsewhere_opens_no_socket(server, path, origin):
    with pytest.raises(InvalidStatus) as refused:
        Socket(server.ws_url + path, additional_headers={**bearer(Role.ADMIN), "origin": origin})

    assert refused.value.response.status_code == 403
    assert b'"code":"origin"' in refused.value.response.body


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://127.0.0.1"])
def test_a_page_elsewhere_changes_nothing(open_server, origin):
    body = {"command": "stop", "command_id": "c1"}

    response = httpx.post(
        f"{open_server.url}/api/session/command", json=body, headers={"origin": origin}
    )

    assert response.status_code == 403
    assert response.json()["error"]["code"] == "origin"


def test_its_own_page_may(open_server):
    body = {"command": "stop", "command_id": "c1"}

    response = httpx.post(
        f"{open_server.url}/api/session/command", json=body, headers={"origin": open_server.url}
    )

    assert response.json()["error"]["code"] == "refused", "past the door; there is no actor"


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "", "localhost.evil.example"])
def test_a_name_that_was_rebound_to_this_server_is_refused(open_server, host):
    response = httpx.get(f"{open_server.url}/api/session", headers={"host": host})

    assert response.status_code in (400, 403)


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1:1", "[::1]:7860", "192.168.1.7", "robot.lan:80", "ROBOT.LAN."]
)
def test_names_of_this_server_are_known(api, host):
    assert api.get("/api/session", headers={**bearer("viewer"), "host": host}).status_code == 200


def test_a_browser_gets_the_refusal_as_a_page(open_server):
    response = httpx.get(open_server.url, headers={"host": "evil.example", **HTML})

    assert response.status_code == 403
    assert "--allow-host evil.example" in response.text


@pytest.mark.parametrize(
    ("role", "method", "path", "body"),
    [
        ("viewer", "POST", "/api/session/command", {"command": "open", "command_id": "a"}),
        ("labeler", "POST", "/api/session/command", {"command": "start", "command_id": "a"}),
        ("viewer", "POST", "/api/episodes/e1/labels", {"new": {"outcome": "success"}}),
        ("viewer", "POST", "/api/labels/undo", {}),
        ("viewer", "POST", "/api/labels/redo", {}),
        ("labeler", "POST", "/api/episodes/e1/recover", None),
        ("labeler", "POST", "/api/episodes/e1/discard", None),
        ("labeler", "POST", "/api/jobs", {"kind": "export", "params": {}}),
        ("labeler", "POST", "/api/jobs/j1/cancel", None),
        ("viewer", "POST", "/api/jobs/j1/resume", None),
    ],
)
def test_a_role_that_does_not_suffice_is_named(api, role, method, path, body):
    response = api.request(method, path, json=body, headers=bearer(role))

    assert response.status_code == 403
    error = response.json()["error"]
    assert error["code"] == "role"
    assert f"you are {role}" in error["message"]


def test_a_viewer_can_stop_and_cannot_drive(server, open_actor):
    actor = open_actor()
    url = f"{server.ws_url}/ws/control?name=Vi"
    with closing(Control(url, additional_headers=bearer("viewer"))) as control:
        control.next()
        control.send(type="take")
        assert "role operator" in control.next_of("event")["message"]
        assert control.next_of("lease")["mine"] is False

        control.command("stop", "c1")
        assert actor.obey().author == "Vi"
        assert control.next_of("answer")["accepted"] is True


def test_browsers_without_a_name_become_guests_with_numbers(open_server):
    names = []
    for _ in range(2):
        with httpx.Client(base_url=open_server.url, headers=HTML) as browser:
            browser.get("/docs")
            names.append(browser.cookies["handrail_name"])
            assert "set-cookie" not in browser.get("/docs").headers, "it keeps its name"

    assert names == ["guest%201", "guest%202"]


def test_a_guest_from_before_a_restart_keeps_the_number_to_itself(open_server):
    cookies = {"handrail_name": "guest%205"}
    httpx.get(f"{open_server.url}/docs", headers=HTML, cookies=cookies)

    newcomer = httpx.get(f"{open_server.url}/docs", headers=HTML)

    assert newcomer.cookies["handrail_name"] == "guest%206"


@pytest.mark.parametrize(
    ("given", "shown"),
    [("  Ana \n Maria ", "Ana Maria"), ("x" * 99, "x" * 40), ("\x00\x1b[1m", "[1m"), ("", "guest")],
)
def test_names_are_fit_to_be_shown(open_server, given, shown):
    params = httpx.QueryParams({"name": given})

    with closing(Socket(f"{open_server.ws_url}/ws/live?{params}")) as live:
        assert live.next()["you"] == shown
