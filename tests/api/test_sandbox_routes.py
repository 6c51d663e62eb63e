"""The example data over REST: offered once, loaded on request, by who may."""

from dataclasses import replace

import httpx
import pytest

import backend.main
from backend.domain import Role
from backend.sandbox.bundle import Sandbox
from tests.conftest import RunningServer
from tests.sandbox.example_bundle import CHECKPOINT, make_bundle


@pytest.fixture
def settings(settings, tmp_path, monkeypatch):
    """The server's sandbox is a small bundle, and a labeler may enter too."""
    bundle = make_bundle(tmp_path / "bundle")
    monkeypatch.setattr(
        backend.main,
        "Sandbox",
        lambda database, data_dir, *, wanted: Sandbox(
            database, data_dir, wanted=wanted, bundle=bundle
        ),
    )
    return replace(
        settings, sandbox=True, tokens=((Role.OPERATOR, "op-token"), (Role.LABELER, "lab-token"))
    )


def client(server: RunningServer, token: str) -> httpx.Client:
    headers = {"authorization": f"Bearer {token}"}
    return httpx.Client(base_url=server.url, headers=headers, timeout=10)


def test_an_operator_loads_it_and_its_checkpoint_is_promoted(server):
    with client(server, "op-token") as api:
        offered = api.get("/api/sandbox").json()
        answered = api.post("/api/sandbox", json={"load": True}).json()
        checkpoints = api.get("/api/checkpoints").json()["items"]
        episodes = api.get("/api/episodes").json()
        again = api.post("/api/sandbox", json={"load": True})

    assert offered["state"] == "offered"
    assert offered["size_bytes"] > 1000
    assert offered["may_answer"]
    assert answered == {"state": "loaded", "checkpoint_id": CHECKPOINT, "num_episodes": 2}
    assert [(c["id"], c["promoted_s"] is not None) for c in checkpoints] == [(CHECKPOINT, True)]
    assert episodes["total"] == 2
    assert again.status_code == 409
    assert again.json()["error"]["code"] == "refused"


def test_a_labeler_is_not_asked_and_may_not_answer(server):
    with client(server, "lab-token") as api:
        offered = api.get("/api/sandbox").json()
        answered = api.post("/api/sandbox", json={"load": False})

    assert not offered["may_answer"]
    assert answered.status_code == 403


def test_a_no_is_kept(server):
    with client(server, "op-token") as api:
        assert api.post("/api/sandbox", json={"load": False}).json()["state"] == "declined"
        assert api.get("/api/sandbox").json()["state"] == "declined"
