"""Recorded attempts over REST."""

import json

import pyarrow as pa
import pytest

from backend.db.models import SessionRow
from backend.domain import EndReason, Outcome
from backend.episodes.store import EpisodeWriter
from backend.wire import EpisodeFinished, EpisodeStarted
from tests.conftest import RunningServer
from tests.episodes.episode_fixtures import STARTED_S, make_header, make_step, record


@pytest.fixture
def episodes_dir(settings):
    return settings.data_dir / "episodes"


@pytest.fixture
def add(settings, server, episodes_dir):
    """Records finished episodes and lets the server find them."""

    def add(*headers, **how):
        with server.backend.database.write() as db:
            if db.get(SessionRow, "s1") is None:
                db.add(
                    SessionRow(
                        id="s1", robot="r", policy="hold", operator="", opened_s=1.0, closed_s=None
                    )
                )
        for header in headers:
            record(episodes_dir, header, **how)
        server.reconcile()

    return add


def leave_take(episodes_dir, id="torn", num_steps=25):
    """What a killed recorder leaves."""
    header = make_header(id)
    writer = EpisodeWriter.create(episodes_dir, header)
    for step in range(num_steps):
        writer.add(make_step(step, header))
    writer.flush()
    writer.close()
    return writer.folder


def test_a_fresh_server_has_an_empty_list(api):
    assert api.get("/api/episodes").json() == {"items": [], "total": 0, "next_cursor": None}
    assert api.get("/api/episodes/unfinished").json()["items"] == []


def test_an_episode_has_its_facts_and_the_outcome_in_force(add, api):
    add(make_header("e1"))

    episode = api.get("/api/episodes/e1").json()

    assert episode["outcome"] == "success"
    assert episode["state"] == "finished"
    assert episode["end_reason"] == "success"
    assert (episode["num_steps"], episode["num_human_steps"]) == (25, 5)
    assert (episode["fps"], episode["started_s"]) == (10.0, STARTED_S)
    assert episode["checkpoint_id"] is None
    assert episode["cameras"] == ["overhead", "wrist"]
    assert api.get("/api/episodes").json()["items"] == [episode]


def test_lists_are_filtered_ordered_and_paged(add, api):
    add(*(make_header(f"w{n}", started_s=STARTED_S + n) for n in range(3)))
    add(make_header("lost", task="Lift it", started_s=STARTED_S + 9), outcome=Outcome.FAILURE)

    def ids(**params):
        return [
            episode["id"] for episode in api.get("/api/episodes", params=params).json()["items"]
        ]

    assert ids() == ["lost", "w2", "w1", "w0"]
    assert ids(order="oldest") == ["w0", "w1", "w2", "lost"]
    assert ids(outcome="failure") == ["lost"]
    assert ids(q="lift") == ["lost"]
    assert ids(q="w1") == ["w1"]
    assert ids(state="unfinished") == []
    first = api.get("/api/episodes", params={"limit": 3}).json()
    assert first["total"] == 4
    rest = api.get("/api/episodes", params={"limit": 3, "cursor": first["next_cursor"]}).json()
    assert [episode["id"] for episode in rest["items"]] == ["w0"]
    assert rest["next_cursor"] is None


@pytest.mark.parametrize(
    ("params", "status"),
    [
        ({"cursor": "x"}, 400),
        ({"limit": 0}, 422),
        ({"outcome": "won"}, 422),
        ({"order": "random"}, 422),
    ],
)
def test_a_list_that_makes_no_sense_is_refused_by_name(api, params, status):
    response = api.get("/api/episodes", params=params)

    assert response.status_code == status
    assert str(next(iter(params.values()))) in response.json()["error"]["message"]


@pytest.mark.parametrize(
    "path",
    [
        "/api/episodes/none",
        "/api/episodes/none/steps",
        "/api/episodes/none/labels",
        "/api/episodes/none/video/wrist.mp4",
        "/api/episodes/e1/video/side.mp4",
        "/api/episodes/..%2F..%2Fetc/video/wrist.mp4",
    ],
)
def test_what_is_not_there_is_named(add, api, path):
    add(make_header("e1"))

    response = api.get(path)

    assert response.status_code == 404
    assert response.json()["error"]["code"] == "not_found"


def test_steps_come_as_json_columns(add, api):
    add(make_header("e1"))

    steps = api.get("/api/episodes/e1/steps").json()

    assert steps["step"] == list(range(25))
    assert steps["timestamp_s"][3] == pytest.approx(0.3)
    assert steps["action"][3] == [3.5] * 3
    assert steps["driver"][4:6] == ["policy", "human"]
    assert steps["value"][0] is None
    assert steps["value"][1] == pytest.approx(-0.01)
    assert steps["action_names"] == ["shoulder_pan.pos", "elbow_flex.pos", "gripper.pos"]
    assert set(steps["frame_wall_s"]) == {"overhead", "wrist"}


@pytest.mark.parametrize(
    ("params", "accept"),
    [({"format": "arrow"}, "*/*"), ({}, "application/vnd.apache.arrow.stream")],
)
def test_steps_come_as_arrow_when_asked_for(add, api, params, accept):
    add(make_header("e1"))

    response = api.get("/api/episodes/e1/steps", params=params, headers={"accept": accept})

    table = pa.ipc.open_stream(response.content).read_all()
    assert response.headers["content-type"] == "application/vnd.apache.arrow.stream"
    assert table.num_rows == 25
    assert table["action"][3].as_py() == [3.5] * 3


def test_a_video_plays_in_parts(add, api):
    add(make_header("e1"))
    whole = api.get("/api/episodes/e1/video/wrist.mp4")
    assert whole.headers["content-type"] == "video/mp4"
    assert whole.content[4:8] == b"ftyp"

    part = api.get("/api/episodes/e1/video/wrist.mp4", headers={"range": "bytes=4-7"})

    assert part.status_code == 206
    assert part.content == b"ftyp"
    beyond = api.get("/api/episodes/e1/video/wrist.mp4", headers={"range": "bytes=999999999-"})
    assert beyond.status_code == 416
    assert beyond.json()["error"]["code"] == "range"


def test_a_recording_under_way_is_listed_and_plays_as_far_as_it_has_come(
    actor, api, episodes_dir, server
):
    actor.session_id = "s1"
    actor.hello()
    header = make_header("e1")
    writer = EpisodeWriter.create(episodes_dir, header)
    for step in range(15):
        writer.add(make_step(step, header))
    writer.flush()
    actor.send(
        EpisodeStarted(
            episode_id="e1", task="t", policy="hold", fps=10, started_s=1.0, session_id="s1"
        )
    )
    # Its acknowledgement says that everything before it was handled.
    actor.send_frame()
    server.finish_records()

    assert api.get("/api/episodes/e1").json()["state"] == "recording"
    assert len(api.get("/api/episodes/e1/steps").json()["step"]) > 0
    video = api.get("/api/episodes/e1/video/overhead.mp4")
    assert video.content[4:8] == b"ftyp"
    assert video.headers["cache-control"] == "no-store"
    refused = api.post("/api/episodes/e1/discard")
    assert refused.status_code == 409
    assert "still being recorded" in refused.json()["error"]["message"]
    writer.close()


def test_a_finished_episode_is_graded_by_its_command_and_counted(
    actor, api, episodes_dir, server, open_live
):
    live = open_live()
    actor.session_id = "s1"
    actor.hello()
    record(episodes_dir, make_header("e1"))
    message = EpisodeFinished(
        episode_id="e1",
        end_reason=EndReason.SUCCESS,
        outcome=Outcome.SUCCESS,
        command_id="command-e1",
        author="ana",
        num_steps=25,
        num_human_steps=5,
    )

    actor.send(message)
    actor.send(message)

    while (session := live.next_of("hello")["session"])["counts"]["success"] == 0:
        pass
    assert session["last_episode_id"] == "e1"
    assert session["counts"]["rate"] == 1.0
    assert session["counts"]["human_share"] == 0.2
    log = api.get("/api/episodes/e1/labels").json()
    assert [event["event_id"] for event in log["items"]] == ["command-e1"]
    assert log["items"][0]["author"] == "ana"


def test_an_episode_that_cannot_be_read_is_an_error_that_everyone_sees(actor, open_live):
    live = open_live()

    actor.send(EpisodeStarted(episode_id="gone", task="t", policy="hold", fps=10, started_s=1.0))

    event = live.next_of("event")
    assert (event["level"], event["code"]) == ("error", "database")
    assert "gone" in event["message"]


def test_an_unfinished_take_is_recovered(settings, episodes_dir):
    leave_take(episodes_dir)
    server = RunningServer(settings)
    try:
        with server.client() as api:
            take = api.get("/api/episodes/unfinished").json()["items"][0]
            assert take["id"] == "torn"
            assert take["num_steps"] == 25
            assert api.get("/api/session").json()["unfinished"] == 1
            assert api.get("/api/episodes/torn").json()["state"] == "unfinished"

            recovered = api.post("/api/episodes/torn/recover")

            assert recovered.status_code == 200
            assert recovered.json()["state"] == "recovered"
            assert recovered.json()["outcome"] == "none"
            assert api.get("/api/episodes/unfinished").json()["total"] == 0
            assert len(api.get("/api/episodes/torn/steps").json()["step"]) == 25
    finally:
        server.close()


def test_an_unfinished_take_is_discarded_and_nothing_is_deleted(settings, episodes_dir, server):
    leave_take(episodes_dir)
    server.reconcile()

    with server.client() as api:
        answer = api.post("/api/episodes/torn/discard").json()

        assert answer == {"id": "torn", "folder": "discarded/torn"}
        header = settings.data_dir / answer["folder"] / "header.json"
        assert json.loads(header.read_text())["id"] == "torn"
        assert api.get("/api/episodes").json()["total"] == 0
        assert api.get("/api/episodes/torn").json()["state"] == "discarded"
        assert len(api.get("/api/episodes/torn/steps").json()["step"]) == 25
        assert api.post("/api/episodes/torn/recover").status_code == 404


def test_a_finished_episode_is_neither_recovered_anew_nor_discarded(add, api):
    add(make_header("e1"))

    assert api.post("/api/episodes/e1/recover").json()["state"] == "finished"
    refused = api.post("/api/episodes/e1/discard")
    assert refused.status_code == 409
    assert "exclude it" in refused.json()["error"]["message"]
