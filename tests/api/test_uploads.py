"""Episodes on their way from an actor on another computer, over real HTTP."""

import hashlib
import json
import shutil
import threading
import uuid

import httpx
import pytest

from backend.actor.clock import SystemClock
from backend.actor.news import News
from backend.actor.place import Place
from backend.actor.server_http import ServerHttp, ServerUnreachableError
from backend.actor.spool import NOTE_FILE, Spool, plan_of
from backend.actor.uploads import Uploads
from backend.domain import EndReason, EpisodeState, Outcome
from backend.episodes.store import read_end
from backend.wire import (
    DIGEST_HEADER,
    DISK_APART,
    DISK_HEADER,
    EpisodeFinished,
    EpisodeStarted,
    UploadOrder,
    UploadState,
)
from tests.episodes.episode_fixtures import make_header, make_step, record


class Told:
    """An outlet that keeps what it is given."""

    def __init__(self):
        self.notices = []

    def send(self, message):
        self.notices.append(message)


class Robot:
    """The robot's computer: a spool, and the thread's work done by hand."""

    def __init__(self, server, data_dir, *, keep_bytes=10**9, http=None):
        token = (server.backend.settings.data_dir / "actor.token").read_text()
        self.http = http or ServerHttp(url=server.ws_url, token=token)
        self.episodes_dir = data_dir / "episodes"
        self.episodes_dir.mkdir(parents=True, exist_ok=True)
        self.spool = Spool(self.episodes_dir, keep_bytes=keep_bytes)
        self.told = Told()
        place = Place(data_dir)
        place.connected({DISK_HEADER: DISK_APART})
        self.uploads = Uploads(
            spool=self.spool,
            http=self.http,
            place=place,
            news=News(outlet=self.told, clock=SystemClock()),
            clock=SystemClock(),
        )

    def record(self, **how):
        folder = record(self.episodes_dir, make_header(str(uuid.uuid4())), num_steps=5, **how)
        (folder / NOTE_FILE).write_text('{"server": null}')
        return folder


@pytest.fixture
def robot(server, tmp_path):
    robot = Robot(server, tmp_path / "robot")
    yield robot
    robot.http.close()


def shown(api, folder):
    return api.get(f"/api/episodes/{folder.name}").json()


def uploads(api):
    return {one["episode_id"]: one["share"] for one in api.get("/api/session").json()["uploads"]}


def test_a_spooled_episode_becomes_one_of_the_server(server, robot, api):
    folder = robot.record()
    assert robot.spool.waiting() == [folder]

    assert robot.uploads.bring_all()

    there = server.backend.settings.data_dir / "episodes" / folder.name
    for path in folder.iterdir():
        if path.name not in (NOTE_FILE, "recorder.lock"):
            assert (there / path.name).read_bytes() == path.read_bytes()
    episode = shown(api, folder)
    assert (episode["state"], episode["outcome"], episode["num_steps"]) == (
        "finished",
        "success",
        5,
    )
    assert robot.spool.waiting() == []
    assert read_end(folder) is not None, "the spool keeps what the server confirmed"
    assert not any((server.backend.settings.data_dir / "incoming").iterdir())
    (folder / NOTE_FILE).write_text('{"server": null}')
    assert robot.uploads.bring_all(), "bringing it twice changes nothing"
    assert api.get("/api/episodes").json()["total"] == 1


class BreakingHttp(ServerHttp):
    """Fails each part after the first `parts` ones; counts the bytes that arrived."""

    parts = 1
    sent = 0

    def ask(self, method, path, reply, **request):
        if method == "PUT":
            if self.parts == 0:
                raise ServerUnreachableError("the cable was pulled")
            self.parts -= 1
            self.sent += len(request["content"])
        return super().ask(method, path, reply, **request)


def test_a_broken_upload_goes_on_where_it_ended(server, tmp_path, api, monkeypatch):
    monkeypatch.setattr("backend.actor.uploads.PART_BYTES", 1000)
    token = (server.backend.settings.data_dir / "actor.token").read_text()
    http = BreakingHttp(url=server.ws_url, token=token)
    robot = Robot(server, tmp_path / "robot", http=http)
    folder = robot.record()
    total = sum(facts.size for facts in plan_of(folder).files)
    http.parts = 3

    assert not robot.uploads.bring_all()

    assert 0 < uploads(api)[folder.name] < 1
    http.parts = 10**6
    assert robot.uploads.bring_all()
    assert http.sent == total, "no byte went twice"
    assert uploads(api) == {}
    assert shown(api, folder)["state"] == "finished"
    http.close()


def test_a_damaged_part_is_refused_and_changes_nothing(server, robot, api):
    folder = robot.record()
    plan = plan_of(folder)
    token = (server.backend.settings.data_dir / "actor.token").read_text()
    at = f"{robot.http.base_url}/episodes/{folder.name}"
    facts = plan.files[0]
    part = (folder / facts.name).read_bytes()
    digest = {DIGEST_HEADER: hashlib.sha256(part).hexdigest()}
    with httpx.Client(headers={"Authorization": f"Bearer {token}"}) as client:
        client.post(at, json=plan.model_dump()).raise_for_status()
        url = f"{at}/{facts.name}?offset=0"
        damaged = client.put(url, content=b"\0" + part[1:], headers=digest)
        assert (damaged.status_code, damaged.json()["error"]["code"]) == (422, "checksum")
        assert client.put(url, content=part, headers=digest).status_code == 200
        again = client.put(url, content=part, headers=digest)
        assert (again.status_code, again.json()["error"]["code"]) == (409, "offset")

    there = server.backend.settings.data_dir / "incoming" / folder.name / "files" / facts.name
    there.write_bytes(bytes(len(part)))
    assert not robot.uploads.bring_all(), "damaged on the server's disk: found at the end"
    assert robot.uploads.bring_all(), "and sent again"
    assert shown(api, folder)["state"] == "finished"


def test_a_take_whose_recorder_died_waits_on_the_server_for_a_decision(server, robot, api):
    header = make_header(str(uuid.uuid4()))
    writer = robot.spool.create(header)
    for step in range(20):
        writer.add(make_step(step, header))
    assert robot.spool.waiting() == [], "it is being recorded"
    writer.close()

    assert robot.uploads.bring_all()

    (take,) = api.get("/api/episodes/unfinished").json()["items"]
    assert take["id"] == header.id
    assert shown(api, writer.folder)["state"] == "unfinished"
    recovered = api.post(f"/api/episodes/{header.id}/recover").json()
    assert recovered["state"] == "recovered"
    (writer.folder / NOTE_FILE).write_text('{"server": null}')
    assert robot.uploads.bring_all(), "what was decided there stays decided"
    assert shown(api, writer.folder)["state"] == "recovered"


def test_the_row_says_where_an_episode_is_from_its_start_on(server, robot, open_actor, api):
    actor = open_actor(headers=Place(robot.episodes_dir).request_headers())
    folder = robot.record(outcome=Outcome.FAILURE)
    started = EpisodeStarted(
        episode_id=folder.name, task="Touch", policy="run/7", fps=10, started_s=1.0
    )

    def state():
        server.finish_records()
        return shown(api, folder)["state"]

    actor.send(started)
    actor.tick()
    wait_until(lambda: api.get(f"/api/episodes/{folder.name}").status_code == 200)
    assert state() == EpisodeState.RECORDING
    assert shown(api, folder)["cameras"] == ["overhead", "wrist"]

    actor.close()
    wait_until(lambda: state() == EpisodeState.UPLOADING)
    actor = open_actor(headers=Place(robot.episodes_dir).request_headers())
    actor.send(started)
    wait_until(lambda: state() == EpisodeState.RECORDING)
    actor.send(
        EpisodeFinished(
            episode_id=folder.name,
            end_reason=EndReason.FAILURE,
            outcome=Outcome.FAILURE,
            command_id="c",
            author="ana",
            num_steps=5,
            num_human_steps=0,
        )
    )
    wait_until(lambda: state() == EpisodeState.UPLOADING)
    assert uploads(api) == {folder.name: 0.0}
    server.reconcile()
    assert state() == EpisodeState.UPLOADING, "its folder is not missing, it is elsewhere"

    robot.uploads.bring_all()
    assert (state(), shown(api, folder)["outcome"]) == ("finished", "failure")


def test_an_episode_that_will_never_come_can_be_given_up(server, robot, open_actor, api):
    actor = open_actor(headers=Place(robot.episodes_dir).request_headers())
    folder = robot.record()
    actor.send(
        EpisodeStarted(episode_id=folder.name, task="Touch", policy="hold", fps=10, started_s=1.0)
    )
    wait_until(lambda: uploads(api) == {folder.name: 0.0})
    refused = api.post(f"/api/episodes/{folder.name}/discard")
    assert refused.status_code == 404, "it is being recorded"
    actor.close()
    wait_until(lambda: shown(api, folder).get("state") == "uploading")

    assert api.post(f"/api/episodes/{folder.name}/discard").status_code == 200

    assert shown(api, folder)["state"] == "discarded"
    assert uploads(api) == {}
    robot.uploads.bring_all()
    assert shown(api, folder)["state"] == "discarded"
    assert robot.spool.waiting() == [folder], "the robot's computer still has it"


def wait_until(check):
    for _ in range(500):
        if check():
            return
        threading.Event().wait(0.01)
    raise AssertionError("it never happened")


def test_the_oldest_confirmed_episodes_make_room_and_no_others(server, tmp_path, api):
    robot = Robot(server, tmp_path / "robot", keep_bytes=0)
    first, second = robot.record(), robot.record()
    robot.spool.confirm(first, server="elsewhere", now_s=1.0)

    assert robot.spool.make_room() == [first.name]
    assert second.is_dir(), "what waits is never removed"

    robot.uploads.bring_all()
    assert not second.exists()
    assert shown(api, second)["state"] == "finished"
    assert [notice.code for notice in robot.told.notices] == ["spool_cleared"]
    robot.http.close()


def test_another_episode_of_the_same_id_stays_in_the_spool_and_is_spoken_of(server, robot, api):
    folder = robot.record()
    there = server.backend.settings.data_dir / "episodes" / folder.name
    there.parent.mkdir(exist_ok=True)
    shutil.copytree(folder, there)

    assert robot.uploads.bring_all(), "there is no use in trying again"

    assert robot.spool.waiting() == [folder]
    (notice,) = robot.told.notices
    assert notice.code == "upload_refused"
    assert "another episode" in notice.message


def call(open_actor, robot, api):
    """The robot's computer connects, as one with a disk of its own."""
    actor = open_actor(headers=Place(robot.episodes_dir).request_headers())
    wait_until(lambda: api.get("/api/session").json()["actor"]["state"] == "connected")
    return actor


def decide(api, folder, what):
    return api.post(f"/api/uploads/{folder.name}/{what}")


def problem(api, folder):
    now = api.get("/api/session").json()["uploads"]
    return next((one["problem"] for one in now if one["episode_id"] == folder.name), None)


def test_what_the_server_cannot_take_is_put_away_where_it_is_when_somebody_says_so(
    server, robot, open_actor, api
):
    folder = robot.record()
    there = server.backend.settings.data_dir / "episodes" / folder.name
    there.parent.mkdir(exist_ok=True)
    shutil.copytree(folder, there)
    kept = same_bytes(folder)
    robot.uploads.bring_all()
    assert "another episode" in problem(api, folder)
    assert decide(api, folder, "discard").status_code == 409, "nobody is there to do it"
    actor = call(open_actor, robot, api)

    assert decide(api, folder, "retry").json()["done"] == "retried"
    robot.uploads.obey(actor.next_upload_order())
    robot.uploads.bring_all()
    assert len(robot.told.notices) == 2, "refused again, and said again"
    assert decide(api, folder, "discard").json()["done"] == "discarded"
    robot.uploads.obey(actor.next_upload_order())
    robot.uploads.bring_all()

    assert robot.spool.waiting() == []
    assert same_bytes(robot.episodes_dir.parent / "discarded" / folder.name) == kept
    assert robot.told.notices[-1].code == "upload_discarded"
    assert problem(api, folder) is None
    assert there.is_dir(), "the other one stays"
    assert decide(api, folder, "discard").status_code == 404


def same_bytes(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != NOTE_FILE}


def test_what_can_still_come_is_not_discarded_by_anybody(robot, open_actor, api):
    folder = robot.record()
    call(open_actor, robot, api)
    begun = plan_of(folder).model_dump()
    robot.http.ask("POST", f"/episodes/{folder.name}", UploadState, json=begun)

    refused = decide(api, folder, "discard")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "refused")
    assert "still on its way" in refused.json()["error"]["message"]

    robot.uploads.obey(UploadOrder(episode_id=folder.name, order="discard"))
    robot.uploads.bring_all()
    assert shown(api, folder)["state"] == "finished"


def test_an_episode_that_was_given_up_is_taken_after_all_when_it_comes(robot, open_actor, api):
    actor = call(open_actor, robot, api)
    folder = robot.record()
    actor.send(
        EpisodeStarted(episode_id=folder.name, task="Touch", policy="hold", fps=10, started_s=1.0)
    )
    wait_until(lambda: uploads(api) == {folder.name: 0.0})
    actor.close()
    wait_until(lambda: shown(api, folder).get("state") == "uploading")
    assert decide(api, folder, "discard").json()["done"] == "given_up"
    assert shown(api, folder)["state"] == "discarded"

    robot.uploads.bring_all()
    assert "was given up here" in problem(api, folder)
    actor = call(open_actor, robot, api)
    assert decide(api, folder, "retry").json()["done"] == "retried"
    robot.uploads.obey(actor.next_upload_order())
    robot.uploads.bring_all()

    assert shown(api, folder)["state"] == "finished"
    assert robot.spool.waiting() == []
    assert uploads(api) == {}


@pytest.mark.parametrize(
    ("episode_id", "name", "status"),
    [
        ("../../etc", "steps.arrow", (404, 422)),
        ("e1", "steps.arrow", (422,)),
        (str(uuid.uuid4()), "../steps.arrow", (422,)),
        (str(uuid.uuid4()), "upload.json", (422,)),
        (str(uuid.uuid4()), ".hidden", (422,)),
    ],
    ids=["climbing id", "short id", "climbing name", "own name", "hidden name"],
)
def test_ids_and_names_cannot_leave_the_inbox(server, robot, episode_id, name, status):
    token = (server.backend.settings.data_dir / "actor.token").read_text()
    plan = {"files": [{"name": name, "size": 1, "sha256": "0" * 64}]}
    url = f"{robot.http.base_url}/episodes/{episode_id}"
    with httpx.Client(headers={"Authorization": f"Bearer {token}"}) as client:
        assert client.post(url, json=plan).status_code in status
    with httpx.Client() as client:
        assert client.post(url, json=plan).status_code in (401, 404)


def test_a_note_nobody_can_read_counts_as_waiting(robot):
    folder = robot.record()
    robot.spool.confirm(folder, server="there", now_s=1.0)
    assert robot.spool.waiting() == []
    assert json.loads((folder / NOTE_FILE).read_text())["server"] == "there"

    (folder / NOTE_FILE).write_text("{")
    assert robot.spool.waiting() == [folder]
