"""Checkpoints over REST: lineage, promotion, removal, copies."""

import contextlib
import json
from dataclasses import replace

import httpx
import pytest

from backend.db.models import EpisodeRow
from backend.domain import Role
from backend.wire import PolicyMessage
from tests.api.made_by_training import make_checkpoint, make_train_job, make_video
from tests.conftest import RunningServer
from tests.db.database_fixtures import episode_row


def drove(server, checkpoint_id, *outcomes):
    with server.backend.database.write() as db:
        for number, outcome in enumerate(outcomes):
            id = f"{checkpoint_id[:5]}-{number}"
            db.add(episode_row(id, checkpoint_id=checkpoint_id, outcome=outcome))


def test_there_are_no_checkpoints_at_first(api):
    assert api.get("/api/checkpoints").json() == {"items": [], "total": 0, "next_cursor": None}


def test_checkpoints_are_listed_newest_first_with_what_became_of_them(server, api):
    make_checkpoint(server, "touch/000500")
    make_checkpoint(server, "touch-2/000600", parent_id="touch/000500")
    drove(server, "touch/000500", "success", "success", "success", "failure", "none")
    make_video(server.backend.settings.data_dir, "touch-0", "touch/000500")

    newest, oldest = api.get("/api/checkpoints").json()["items"]

    assert newest["id"] == "touch-2/000600"
    assert newest["run"] == "touch-2"
    assert newest["parent_id"] == "touch/000500"
    assert newest["rate"] is None
    assert oldest["children"] == ["touch-2/000600"]
    assert (oldest["num_successes"], oldest["num_failures"], oldest["num_unjudged"]) == (3, 1, 1)
    assert oldest["rate"] == 0.75
    assert oldest["rate_low"] == pytest.approx(0.301, abs=1e-3)
    assert oldest["rate_high"] == pytest.approx(0.954, abs=1e-3)
    assert oldest["num_videos"] == 1
    assert oldest["probes"] == {"probe/auc": 0.9}


def test_a_folder_that_was_copied_here_is_found(server, api):
    make_checkpoint(server, "touch/000500")
    folder = server.backend.settings.data_dir / "checkpoints/elsewhere/000100/pretrained_model"
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(b"many weights")

    listed = {one["id"]: one for one in api.get("/api/checkpoints").json()["items"]}

    assert listed["elsewhere/000100"]["size_bytes"] == 12
    assert listed["elsewhere/000100"]["job_id"] is None
    assert len(listed) == 2


def test_a_checkpoint_is_shown_with_what_its_run_learned_from(server, api):
    counts = {
        "name": "recorded episodes",
        "share": 1.0,
        "outcomes": {"success": 2},
        "origins": {"scripted": {"success": 2}},
        "num_steps": 50,
        "num_human_steps": 10,
        "tasks": {"Touch the red cube": 2},
    }
    make_train_job(server, "job1", result={"plan": {"sources": [counts]}})
    folder = make_checkpoint(server, "touch/000500", job_id="job1")
    (folder.parent / "run.json").write_text(json.dumps({"preset": "debug", "config": {"seed": 42}}))

    shown = api.get("/api/checkpoints/touch/000500").json()

    assert shown["preset"] == "debug"
    assert shown["config"] == {"seed": 42}
    assert shown["sources"] == [counts]
    assert shown["author"] == "Ana"
    assert shown["folder"].endswith("checkpoints/touch/000500/pretrained_model")


def test_one_checkpoint_is_promoted_at_a_time(server, api):
    make_checkpoint(server, "touch/000500")
    make_checkpoint(server, "touch/001000")

    assert api.post("/api/checkpoints/touch/000500/promote").json()["promoted_s"]
    assert api.post("/api/checkpoints/touch/001000/promote").json()["promoted_s"]

    listed = {one["id"]: one for one in api.get("/api/checkpoints").json()["items"]}
    assert listed["touch/000500"]["promoted_s"] is None
    assert listed["touch/001000"]["promoted_s"]


def test_the_actor_and_the_pages_learn_of_a_promotion(server, api, actor, open_live):
    make_checkpoint(server)
    page = open_live()

    promoted_s = api.post("/api/checkpoints/touch/000500/promote").json()["promoted_s"]

    told = actor.next_told()
    assert isinstance(told, PolicyMessage)
    assert told.checkpoint_id == "touch/000500"
    assert told.path.endswith("checkpoints/touch/000500")
    assert told.promoted_s == promoted_s
    assert page.next_of("event")["message"] == "guest promoted touch/000500"


def test_a_restarted_server_remembers_what_was_promoted(settings):
    with contextlib.closing(RunningServer(settings)) as before:
        make_checkpoint(before, promoted_s=123.0)
    with contextlib.closing(RunningServer(settings)) as after:
        promoted = after.backend.live.promoted

    assert promoted.checkpoint_id == "touch/000500"
    assert promoted.promoted_s == 123.0


def test_the_promoted_checkpoint_cannot_be_deleted(server, api):
    make_checkpoint(server)
    api.post("/api/checkpoints/touch/000500/promote")

    refused = api.post("/api/checkpoints/touch/000500/delete", json={"force": True})

    assert refused.status_code == 409
    assert "promote another one first" in refused.json()["error"]["message"]


def test_a_checkpoint_that_drove_is_deleted_by_force_only_and_its_row_stays(server, api):
    folder = make_checkpoint(server)
    drove(server, "touch/000500", "success")

    refused = api.post("/api/checkpoints/touch/000500/delete", json={})
    assert refused.status_code == 409
    assert "delete it with force" in refused.json()["error"]["message"]
    assert folder.is_dir()

    gone = api.post("/api/checkpoints/touch/000500/delete", json={"force": True}).json()
    assert gone["size_bytes"] == 0
    assert not folder.exists()
    assert api.get("/api/checkpoints").json()["total"] == 0
    with_deleted = api.get("/api/checkpoints", params={"with_deleted": True}).json()
    assert [one["num_successes"] for one in with_deleted["items"]] == [1]
    with server.backend.database.read() as db:
        assert db.get(EpisodeRow, "touch-0").checkpoint_id == "touch/000500"


def test_a_checkpoint_is_copied_to_a_plain_folder_once(server, api, settings):
    make_checkpoint(server)

    first = api.post("/api/checkpoints/touch/000500/export", json={"name": "best"})
    again = api.post("/api/checkpoints/touch/000500/export", json={"name": "best"})
    escaping = api.post("/api/checkpoints/touch/000500/export", json={"name": "../out"})

    assert first.json()["folder"] == str(settings.data_dir / "exports" / "best")
    assert (settings.data_dir / "exports/best/model.safetensors").read_bytes() == b"weights"
    assert again.status_code == 409
    assert "exists already" in again.json()["error"]["message"]
    assert escaping.status_code == 422


@pytest.mark.parametrize("what", ["", "/promote", "/delete", "/export"])
def test_a_checkpoint_that_is_not_there_is_named(api, what):
    url = f"/api/checkpoints/touch/000500{what}"
    response = api.post(url, json={}) if what else api.get(url)

    assert response.status_code == 404
    assert "touch/000500" in response.json()["error"]["message"]


class TestRoles:
    @pytest.fixture
    def settings(self, settings):
        return replace(settings, tokens=((Role.VIEWER, "v"), (Role.OPERATOR, "o")))

    def test_viewers_promote_nothing_and_operators_delete_nothing(self, server):
        make_checkpoint(server)

        def status(token, what):
            url = f"{server.url}/api/checkpoints/touch/000500/{what}"
            headers = {"authorization": f"Bearer {token}"}
            return httpx.post(url, json={}, headers=headers).status_code

        assert status("v", "promote") == 403
        assert status("v", "export") == 403
        assert status("o", "promote") == 200
        assert status("o", "delete") == 403
