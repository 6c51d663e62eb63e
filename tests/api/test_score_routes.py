"""Stored scores, comparisons and critic videos over REST."""

import threading
import time

import numpy as np
import pytest

from backend.domain import Outcome
from tests.api.made_by_training import make_checkpoint, make_scores, make_video
from tests.db.database_fixtures import episode_row, session_row
from tests.episodes.episode_fixtures import make_header, record


@pytest.fixture
def episodes(server, settings):
    record(settings.data_dir / "episodes", make_header("won"))
    record(settings.data_dir / "episodes", make_header("lost"), outcome=Outcome.FAILURE)
    server.reconcile()


def test_an_episode_nobody_scored_has_no_scores(episodes, api):
    assert api.get("/api/episodes/won/scores").json()["items"] == []


def test_scores_of_all_checkpoints_come_as_columns(episodes, server, api):
    for number, id in enumerate(("touch/000500", "touch/001000")):
        make_checkpoint(server, id)
        make_scores(server, "won", id, np.linspace(-1, 0, 25), created_s=100.0 + number)

    both = api.get("/api/episodes/won/scores").json()
    one = api.get("/api/episodes/won/scores", params={"checkpoint": "touch/000500"}).json()

    assert [scores["checkpoint_id"] for scores in both["items"]] == ["touch/001000", "touch/000500"]
    assert one["total"] == 1
    scores = one["items"][0]
    assert len(scores["value"]) == len(scores["advantage"]) == len(scores["word"]) == 25
    assert scores["value"][-1] == 0
    assert scores["spread"] == [None] * 25, "a scalar critic has no spread"
    assert scores["word"][-1] == "positive"
    assert scores["value_range"] == [-1, 0]


def test_a_damaged_file_says_what_to_do(episodes, server, api, settings):
    make_checkpoint(server)
    make_scores(server, "won", "touch/000500", [0.0])
    (settings.data_dir / "scores/touch/000500/won.npz").write_bytes(b"PK rubbish")

    response = api.get("/api/episodes/won/scores")

    assert response.status_code == 409
    assert "score the episode again" in response.json()["error"]["message"]


def test_two_critics_are_compared_where_both_have_scored(episodes, server, api):
    make_checkpoint(server, "a/000001")
    make_checkpoint(server, "b/000001")
    make_scores(server, "won", "a/000001", [-0.5, -0.9])
    make_scores(server, "lost", "a/000001", [-0.5, -0.1])
    make_scores(server, "won", "b/000001", [-0.5, -0.1])
    make_scores(server, "lost", "b/000001", [-0.6, -0.9])

    compared = api.get("/api/scores/compare", params={"a": "a/000001", "b": "b/000001"}).json()

    assert compared["num_both"] == 2
    assert compared["auc_a"] == 0
    assert compared["auc_b"] == 1
    assert compared["mean_difference"] == pytest.approx(-0.025)
    assert [one["episode_id"] for one in compared["items"]] == ["lost", "won"]


def test_a_comparison_with_nothing_in_common_says_so_by_numbers(server, api):
    make_checkpoint(server, "a/000001")
    make_checkpoint(server, "b/000001")

    compared = api.get("/api/scores/compare", params={"a": "a/000001", "b": "b/000001"}).json()

    assert compared["num_both"] == 0
    assert compared["mean_difference"] is None
    assert compared["auc_a"] is None
    missing = api.get("/api/scores/compare", params={"a": "a/000001", "b": "c/000001"})
    assert missing.status_code == 404


def test_videos_are_listed_with_those_that_show_old_labels(episodes, server, api, settings):
    make_checkpoint(server)
    revision = api.get("/api/episodes/won").json()["label_revision"]
    make_video(settings.data_dir, "won", "touch/000500", label_revision=revision, scored_s=None)
    make_video(settings.data_dir, "lost", "touch/000500", label_revision=0, scored_s=None)

    def listed(**params):
        params = {"checkpoint": "touch/000500", **params}
        items = api.get("/api/videos", params=params).json()["items"]
        return {video["episode"]["id"]: video for video in items}

    videos = listed()
    assert videos.keys() == {"won", "lost"}
    assert not videos["won"]["is_old"]
    assert videos["lost"]["is_old"]
    assert not videos["won"]["is_scored"]
    assert listed(outcome="failure").keys() == {"lost"}
    make_scores(server, "won", "touch/000500", [-0.5] * 25)
    assert listed()["won"]["is_scored"]
    assert listed()["won"]["is_old"], "scored since it was made"


def test_episodes_without_a_video_are_listed_when_asked_for(episodes, api):
    assert api.get("/api/videos").json()["total"] == 0

    missing = api.get("/api/videos", params={"with_missing": True}).json()["items"]

    assert {video["episode"]["id"]: video["made_s"] for video in missing} == {
        "won": None,
        "lost": None,
    }


def test_a_video_is_played_in_parts_and_downloaded_under_a_name(episodes, api, settings):
    make_video(settings.data_dir, "won", "touch/000500", content=b"0123456789")
    url = "/api/episodes/won/critic.mp4"
    params = {"checkpoint": "touch/000500"}

    part = api.get(url, params=params, headers={"range": "bytes=2-4"})
    whole = api.get(url, params={**params, "download": True})

    assert part.status_code == 206
    assert part.content == b"234"
    assert part.headers["content-type"] == "video/mp4"
    assert whole.headers["content-disposition"] == 'attachment; filename="won-touch-000500.mp4"'


def test_a_video_that_is_not_made_says_how_to_make_it(episodes, api):
    response = api.get("/api/episodes/won/critic.mp4")

    assert response.status_code == 404
    assert '"kind": "video"' in response.json()["error"]["hint"]


@pytest.mark.parametrize("checkpoint", ["../../etc", "touch", "/etc/000001"])
def test_a_critic_is_named_by_a_checkpoint_only(episodes, api, checkpoint):
    for url in ("/api/videos", "/api/episodes/won/critic.mp4"):
        assert api.get(url, params={"checkpoint": checkpoint}).status_code == 422


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr("backend.main.REFRESH_INTERVAL_S", 0.02)


def test_a_running_server_orders_the_videos_of_the_rule(impatient, server, api):
    server.backend.jobs.close()
    folder = make_checkpoint(server)
    (folder / "pretrained_model" / "critic.safetensors").write_bytes(b"weights")
    api.post("/api/videos/rule", json={"every": 1})
    with server.backend.database.write() as db:
        db.add(session_row())
        db.flush()
        db.add(episode_row(session_id="s1", ended_s=time.time() + 60))

    tick, jobs = threading.Event(), []
    for _ in range(200):
        jobs = api.get("/api/jobs").json()["items"]
        if len(jobs) == 2 or tick.wait(0.05):
            break

    assert {job["kind"] for job in jobs} == {"score", "video"}
    assert {job["author"] for job in jobs} == {"every N episodes"}
    assert all(job["params"]["episodes"] == ["e1"] for job in jobs)


def test_how_often_videos_are_made_can_be_said_and_is_remembered(server, api, settings):
    assert api.get("/api/videos/rule").json() == {
        "every": 0, "author": "", "changed_s": 0.0, "num_recorded": 0, "checkpoint_id": "",
    }  # fmt: skip

    said = api.post("/api/videos/rule", json={"every": 4}).json()

    assert (said["every"], said["author"]) == (4, "guest")
    assert api.get("/api/videos/rule").json() == said
    assert api.post("/api/videos/rule", json={"every": -1}).status_code == 422
