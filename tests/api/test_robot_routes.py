"""Looking a robot over through the API: a child process does it, one at a time."""

import shutil
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest

from backend.domain import Phase, Role
from backend.robots.config import ROBOTS_DIR
from backend.settings import Settings
from tests.conftest import RunningServer
from tests.flows.processes import wait_for


@pytest.fixture
def robots_dir(tmp_path):
    folder = tmp_path / "robots"
    folder.mkdir()
    shutil.copy(ROBOTS_DIR / "synthetic.yaml", folder)
    return folder


@pytest.fixture
def settings(tmp_path, robots_dir) -> Settings:
    return Settings(data_dir=tmp_path / "data", actor=False, robots_dir=robots_dir)


def test_a_check_finds_takes_pictures_and_is_remembered(api):
    api.timeout = 90
    assert api.get("/api/robots/synthetic/check").json()["state"] == "none"
    with ThreadPoolExecutor(1) as background:
        asked = background.submit(api.post, "/api/robots/synthetic/check")
        seen = set()
        while not asked.done():
            seen.add(api.get("/api/robots/synthetic/check").json()["looking_at"])

    check = asked.result().json()
    assert asked.result().status_code == 200, check
    assert check["state"] == "done"
    assert check["may_move"] is True
    assert [finding["check"] for finding in check["findings"]] == ["config", "disk", "rate"]
    assert {"the config", "the simulator's speed"} & seen
    assert api.get("/api/robots/synthetic/check").json() == check
    picture = api.get(f"/api/robots/synthetic/pictures/{check['pictures'][0]}.jpg")
    assert picture.headers["content-type"] == "image/jpeg"
    pixels = cv2.imdecode(np.frombuffer(picture.content, np.uint8), cv2.IMREAD_COLOR)
    assert pixels.std() > 1

    # New pictures leave what else was found.
    again = api.post("/api/robots/synthetic/check", json={"cameras_only": True}).json()
    assert [finding["check"] for finding in again["findings"]] == ["config", "disk", "rate"]
    assert again["began_s"] > check["began_s"]


def test_what_is_wrong_with_a_robot_is_found_with_its_remedy(api, robots_dir):
    api.timeout = 90
    text = (ROBOTS_DIR / "so101.yaml").read_text().replace("/dev/ttyACM", "/dev/none")
    (robots_dir / "mine.yaml").write_text(text)

    check = api.post("/api/robots/mine/check").json()

    assert check["may_move"] is False
    ports = [finding for finding in check["findings"] if finding["check"] == "port"]
    assert [finding["level"] for finding in ports] == ["blocking", "blocking"]
    assert "'/dev/none0' does not exist" in ports[0]["message"]
    assert "USB cable" in ports[0]["remedy"]


def test_no_check_begins_while_a_session_is_open(api, actor):
    actor.tick(phase=Phase.IDLE)
    wait_for("the tick", lambda: api.get("/api/session").json()["phase"] == "idle")

    response = api.post("/api/robots/synthetic/check")

    assert response.status_code == 409
    error = response.json()["error"]
    assert error["code"] == "session_open"
    assert "Close the session" in error["hint"]


def test_an_unknown_robot_and_an_unseen_camera_are_named(api):
    response = api.post("/api/robots/nothing/check")
    assert response.status_code == 404
    assert "'nothing'" in response.json()["error"]["message"]
    response = api.get("/api/robots/synthetic/pictures/overhead.jpg")
    assert response.status_code == 404
    assert "Check the robot first" in response.json()["error"]["hint"]


def test_a_config_with_a_mistake_says_which(api, robots_dir):
    (robots_dir / "mine.yaml").write_text("robot: {type: so101_follower}\nfsp: 30\n")

    response = api.post("/api/robots/mine/check")

    assert response.status_code == 422
    assert "fsp" in response.json()["error"]["message"]


def test_checking_takes_an_operator(tmp_path, robots_dir):
    settings = Settings(
        data_dir=tmp_path / "shared",
        actor=False,
        robots_dir=robots_dir,
        tokens=((Role.VIEWER, "look"),),
    )
    server = RunningServer(settings)
    try:
        with server.client() as client:
            client.headers["Authorization"] = "Bearer look"
            assert client.post("/api/robots/synthetic/check").status_code == 403
    finally:
        server.close()


def test_own_and_shipped_robots_are_listed_and_only_own_ones_are_written(api, settings):
    text = (ROBOTS_DIR / "synthetic.yaml").read_text()
    listed = api.get("/api/robots").json()
    assert [(item["name"], item["own"]) for item in listed["items"]] == [("synthetic", False)]
    changes = [
        {"path": ["fps"], "value": 20},
        {"path": ["cameras_view"], "value": {"overhead": {"crop": [0, 0, 64, 48]}}},
    ]
    save = {"base": "synthetic", "changes": changes}

    refused = api.put("/api/robots/synthetic/config", json=save)
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "shipped")
    saved = api.put("/api/robots/mine/config", json=save).json()

    assert saved["own"] is True
    assert saved["views"] == {"overhead": {"crop": [0, 0, 64, 48]}}
    fields = {".".join(field["path"]): field for field in saved["fields"]}
    assert (fields["fps"]["value"], fields["fps"]["unit"]) == (20, "Hz")
    assert fields["episode_time_s"]["default"] == 60
    file = settings.data_dir / "robots" / "mine.yaml"
    assert file.read_text() == saved["text"]
    assert [line for line in text.splitlines() if line.startswith("#")] == [
        line for line in saved["text"].splitlines() if line.startswith("#")
    ]
    assert (ROBOTS_DIR / "synthetic.yaml").read_text() == text
    listed = api.get("/api/robots").json()["items"]
    assert [(item["name"], item["own"], item["fps"]) for item in listed] == [
        ("mine", True, 20),
        ("synthetic", False, listed[1]["fps"]),
    ]


def test_a_config_that_breaks_a_rule_is_not_saved(api):
    for body in (
        {"base": "synthetic", "changes": [{"path": ["fps"], "value": -1}]},
        {"base": "synthetic", "changes": [{"path": ["fps", "x"], "value": 1}]},
        {"text": "robot: ["},
    ):
        response = api.put("/api/robots/mine/config", json=body)
        assert response.status_code == 422
        assert "Nothing was saved" in response.json()["error"]["hint"]
    assert api.get("/api/robots/mine/config").status_code == 404


def test_a_preview_lives_for_as_long_as_somebody_looks_and_ends_for_a_session(api, actor):
    api.timeout = 60
    address = "/api/robots/synthetic/preview"
    assert api.get(address).json()["state"] == "off"
    assert api.post(address).json()["state"] == "starting"

    def live():
        # An actor that says nothing is given up.
        actor.tick()
        now = api.get(address).json()
        return now if now["state"] != "starting" else None

    now = wait_for("pictures", live, timeout_s=120)
    assert now["state"] == "live", now
    camera = now["cameras"][0]
    picture = api.get(f"{address}/{camera['name']}.jpg")
    pixels = cv2.imdecode(np.frombuffer(picture.content, np.uint8), cv2.IMREAD_COLOR)
    assert pixels.shape == (camera["height"], camera["width"], 3)
    seen = camera["pictures"]
    wait_for("more of them", lambda: api.get(address).json()["cameras"][0]["pictures"] > seen)

    with ThreadPoolExecutor(1) as background:
        body = {"command": "open", "command_id": "o1"}
        asked = background.submit(api.post, "/api/session/command", json=body)
        # The actor hears of it when the cameras are free.
        actor.obey()
        assert asked.result().status_code == 200

    assert api.get(address).json()["state"] == "off"
    actor.tick()
    wait_for("the tick", lambda: api.get("/api/session").json()["phase"] == "idle")
    assert api.post(address).json()["error"]["code"] == "session_open"
