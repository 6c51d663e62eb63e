"""Datasets over REST: listed with their lineage, trashed and restored, previewed by role."""

import json
from dataclasses import replace

import pytest

from backend.db.models import DatasetRow, JobRow
from backend.domain import Role
from tests.jobs.train_fixtures import write_dataset

TOKENS = tuple((role, f"token of the {role}") for role in Role)
WON = [0.0] * 11 + [1.0] + [0.0] * 9


@pytest.fixture
def settings(settings):
    return replace(settings, tokens=TOKENS)


@pytest.fixture
def server(server):
    server.backend.jobs.close()
    return server


@pytest.fixture
def as_role(server):
    """A client with the token of a role."""
    clients = []

    def as_role(role):
        clients.append(server.client())
        clients[-1].headers["authorization"] = f"Bearer token of the {role}"
        return clients[-1]

    yield as_role
    for client in clients:
        client.close()


@pytest.fixture
def admin(as_role):
    return as_role("admin")


@pytest.fixture
def dataset(settings):
    root = write_dataset(settings.data_dir / "datasets/local/a", columns={"next.reward": WON})
    info = json.loads((root / "meta/info.json").read_text())
    counts = {"total_episodes": 2, "total_frames": 21, "robot_type": "so101_follower"}
    (root / "meta/info.json").write_text(json.dumps({**info, **counts}))
    (root / "manifest.json").write_text(json.dumps({"label_revision": 7}))
    return root


def job(kind, **changes):
    fields = {
        "id": kind,
        "kind": kind,
        "params": {"repo_id": "local/a"},
        "state": "done",
        "progress": 1.0,
        "message": "",
        "command": [],
        "author": "Ana",
        "label_revision": 0,
        "created_s": 5.0,
        "started_s": 5.0,
        "ended_s": 6.0,
        "pid": None,
        "pid_started_s": None,
        "inbox_offset": 0,
        "result": {},
    }
    return JobRow(**{**fields, **changes})


def test_a_dataset_is_listed_with_its_lineage_health_and_manifest(server, admin, dataset):
    made = {"repo_id": "local/a", "num_episodes": 2, "num_frames": 21, "size_bytes": 1}
    sources = {"sources": [{"kind": "dataset", "repo_id": "local/a"}]}
    with server.backend.database.write() as db:
        db.add_all(
            [
                job("export"),
                job("import"),
                job("train", params=sources, state="running"),
                job("health", result={"counts": {"broken": 0}}),
                job("health", id="older", created_s=1.0),
                job("push", state="failed"),
            ]
        )
        db.flush()
        db.add(
            DatasetRow(
                id="d", job_id="export", created_s=5.0, label_revision=7, manifest={}, **made
            )
        )

    listed = admin.get("/api/datasets").json()

    assert (listed["total"], listed["role"]) == (1, "admin")
    (item,) = listed["items"]
    assert (item["episodes"], item["frames"], item["fps"]) == (2, 21, 10.0)
    assert (item["cameras"], item["robot_type"]) == (["overhead", "wrist"], "so101_follower")
    assert item["size_bytes"] > 1000
    assert item["origin"]["id"] == "export"
    assert item["health"]["id"] == "health"
    assert [each["id"] for each in item["imports"]] == ["import"]
    assert [each["state"] for each in item["trainings"]] == ["running"]
    assert item["pushes"] == []
    detail = admin.get("/api/datasets/local/a").json()
    assert detail == {"dataset": item, "manifest": {"label_revision": 7}}


def test_a_dataset_that_cannot_be_read_is_listed_with_the_reason(admin, settings):
    meta = settings.data_dir / "datasets/local/odd/meta"
    meta.mkdir(parents=True)
    (meta / "info.json").write_text("{")

    (item,) = admin.get("/api/datasets").json()["items"]

    assert "meta/info.json cannot be read" in item["problem"]


def test_a_trashed_dataset_comes_back_whole(as_role, dataset):
    operator = as_role("operator")
    assert as_role("labeler").post("/api/datasets/local/a/trash").status_code == 403
    moved = operator.post("/api/datasets/local/a/trash").json()

    assert not dataset.exists()
    assert operator.get("/api/datasets").json()["items"] == []
    (trashed,) = operator.get("/api/datasets/trash").json()["items"]
    assert trashed["trash_id"] == moved["trash_id"]
    assert operator.post("/api/datasets/local/a/trash").status_code == 404
    write_dataset(dataset)
    refused = operator.post(f"/api/datasets/trash/{moved['trash_id']}/restore")
    assert refused.status_code == 409
    assert "there is a dataset local/a again" in refused.json()["error"]["message"]
    operator.post("/api/datasets/local/a/trash")
    assert operator.post(f"/api/datasets/trash/{moved['trash_id']}/restore").json() == {
        "repo_id": "local/a",
        "trash_id": "",
    }
    assert (dataset / "manifest.json").is_file()
    assert len(operator.get("/api/datasets/trash").json()["items"]) == 1


def test_a_dataset_in_use_stays(server, admin, dataset):
    with server.backend.database.write() as db:
        db.add(job("health", state="running"))

    refused = admin.post("/api/datasets/local/a/trash")

    assert refused.status_code == 409
    assert refused.json()["error"]["message"] == "local/a is in use by a health job"
    assert dataset.is_dir()


def test_an_import_is_previewed_and_ordered_by_role(as_role, admin, dataset):
    preview = as_role("operator").post(
        "/api/datasets/import-preview", json={"params": {"repo_id": "local/a"}}
    )
    assert preview.json()["outcomes"] == {"success": 1, "failure": 1}
    assert preview.json()["frames"] == 21
    elsewhere = {"params": {"path": str(dataset)}}
    assert (
        as_role("operator").post("/api/datasets/import-preview", json=elsewhere).status_code == 403
    )
    assert admin.post("/api/datasets/import-preview", json=elsewhere).status_code == 200

    orders = {"kind": "import", "params": {"path": str(dataset)}}
    refused = as_role("operator").post("/api/jobs", json=orders)
    assert refused.status_code == 403
    assert "to start this import job takes the role admin" in refused.json()["error"]["message"]
    assert admin.post("/api/jobs", json=orders).json()["state"] == "queued"
    check = {"kind": "health", "params": {"repo_id": "local/a"}}
    assert as_role("viewer").post("/api/jobs", json=check).status_code == 403
    assert as_role("labeler").post("/api/jobs", json=check).status_code == 200


def test_a_push_is_previewed_by_anybody_and_ordered_by_admins(as_role, dataset, monkeypatch):
    monkeypatch.delenv("HF_TOKEN", raising=False)
    params = {"repo_id": "local/a", "to": "ana/touch"}

    preview = as_role("viewer").post("/api/datasets/push-preview", json={"params": params}).json()

    assert preview["url"] == "https://huggingface.co/datasets/ana/touch"
    assert (preview["private"], preview["has_token"]) == (True, False)
    orders = {"kind": "push", "params": params}
    assert as_role("operator").post("/api/jobs", json=orders).status_code == 403
    refused = as_role("admin").post("/api/jobs", json=orders)
    assert refused.status_code == 422
    assert "HF_TOKEN is not set" in refused.json()["error"]["message"]


@pytest.mark.parametrize("kind", ["import", "push"])
def test_a_preview_of_nothing_is_refused_with_the_remedy(admin, kind):
    refused = admin.post(f"/api/datasets/{kind}-preview", json={"params": {"repo_id": "a/b"}})

    assert refused.status_code == 422
    assert "there is no" in refused.json()["error"]["message"]
