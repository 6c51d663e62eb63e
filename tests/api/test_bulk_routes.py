"""Labels for many episodes at once, and what pages follow each other by."""

import pytest

from backend.domain import Outcome
from tests.episodes.episode_fixtures import STARTED_S, make_header, record


@pytest.fixture
def three(server, settings):
    """Two failures of one task and a success of another."""
    for n, (id, task, outcome) in enumerate(
        [
            ("e1", "lift", Outcome.FAILURE),
            ("e2", "lift", Outcome.FAILURE),
            ("e3", "touch", Outcome.SUCCESS),
        ]
    ):
        header = make_header(id, task=task, started_s=STARTED_S + n)
        record(settings.data_dir / "episodes", header, num_steps=8, outcome=outcome)
    server.reconcile()


@pytest.fixture
def bulk(api, three):
    def bulk(**body):
        return api.post(
            "/api/labels/bulk?name=Bo",
            json={"kind": "outcome", "new": {"outcome": "success"}, "filter": {}, **body},
        )

    return bulk


def expected(answer):
    return {"count": answer["matched"], "newest": answer["newest"]}


def outcomes(api):
    return {e["id"]: e["outcome"] for e in api.get("/api/episodes").json()["items"]}


def test_a_bulk_first_says_what_it_would_do_and_then_does_just_that(api, bulk):
    shown = bulk(dry_run=True).json()

    assert shown == {
        "done": False,
        "matched": 3,
        "would_change": 2,
        "already": 1,
        "outcomes": {"failure": 2, "success": 1},
        "ids": ["e1", "e2"],
        "newest": 3,
    }
    assert outcomes(api)["e1"] == "failure"

    done = bulk(dry_run=False, expected=expected(shown), event_id="b1")

    assert done.json()["done"]
    assert done.json()["would_change"] == 2
    assert set(outcomes(api).values()) == {"success"}
    log = api.get("/api/episodes/e1/labels").json()
    assert log["items"][-1]["event_id"].startswith("b1")
    assert log["items"][-1]["old"] == {"outcome": "failure"}
    assert log["items"][-1]["author"] == "Bo"

    again = bulk(dry_run=False, expected=expected(shown), event_id="b1")
    assert again.json()["would_change"] == 2
    assert api.get("/api/episodes/e1/labels").json()["total"] == log["total"]


def test_one_undo_takes_a_whole_bulk_back_and_one_redo_brings_it_back(api, bulk):
    shown = bulk(dry_run=True, filter={"task": "lift"}).json()
    bulk(dry_run=False, filter={"task": "lift"}, expected=expected(shown))

    undone = api.post("/api/labels/undo?name=Bo").json()
    assert sorted(undone["changed"]) == ["e1", "e2"]
    assert outcomes(api) == {"e1": "failure", "e2": "failure", "e3": "success"}

    api.post("/api/labels/redo?name=Bo")
    assert set(outcomes(api).values()) == {"success"}


def test_a_bulk_is_taken_back_in_one_episode_alone_when_that_is_named(api, bulk):
    shown = bulk(dry_run=True).json()
    bulk(dry_run=False, expected=expected(shown))

    api.post("/api/labels/undo?name=Bo", json={"episode_id": "e2"})
    assert outcomes(api) == {"e1": "success", "e2": "failure", "e3": "success"}

    # What was taken back alone comes back alone, and the rest still goes together.
    api.post("/api/labels/undo?name=Bo")
    assert outcomes(api) == {"e1": "failure", "e2": "failure", "e3": "success"}
    api.post("/api/labels/redo?name=Bo")
    assert outcomes(api) == {"e1": "success", "e2": "failure", "e3": "success"}


def test_a_bulk_decided_on_something_else_is_refused_with_the_new_dry_run(api, bulk):
    shown = bulk(dry_run=True).json()
    api.post("/api/episodes/e1/labels?name=Cy", json={"new": {"outcome": "success"}})

    refused = bulk(dry_run=False, expected=expected(shown))

    assert refused.status_code == 409
    error = refused.json()["error"]
    assert error["code"] == "conflict"
    assert (error["details"]["would_change"], error["details"]["ids"]) == (1, ["e2"])
    assert outcomes(api)["e2"] == "failure"


def test_a_bulk_that_makes_no_sense_is_refused_by_name(bulk):
    for body, named in (
        ({"dry_run": False}, "expected"),
        ({"kind": "mistake"}, "kind"),
        ({"new": {"outcome": "won"}}, "won"),
        ({"filter": {"colour": "red"}}, "colour"),
    ):
        response = bulk(**body)
        assert response.status_code == 422
        assert named in response.json()["error"]["message"]


def test_pages_follow_what_others_say(api, three):
    def news(**params):
        return api.get("/api/labels/events", params=params).json()

    before = news()
    assert [(e["episode_id"], e["outcome"]) for e in before["items"]] == [
        ("e1", "failure"),
        ("e2", "failure"),
        ("e3", "success"),
    ]
    assert [e["id"] for e in news(limit=1)["items"]] == [before["newest"]]
    assert news(after=before["newest"]) == {
        "items": [],
        "newest": before["newest"],
        "num_episodes": 3,
    }

    api.post("/api/episodes/e1/labels?name=Cy", json={"new": {"outcome": "success"}})
    (event,) = news(after=before["newest"])["items"]

    assert (event["episode_id"], event["author"], event["outcome"]) == ("e1", "Cy", "success")
    assert event["id"] == before["newest"] + 1


def test_an_episode_goes_back_to_a_point_of_its_history(api, three):
    first = api.get("/api/episodes/e1").json()["label_revision"]
    api.post("/api/episodes/e1/labels?name=Bo", json={"new": {"outcome": "success"}})
    api.post("/api/episodes/e1/labels?name=Bo", json={"kind": "note", "new": {"note": "odd"}})

    back = api.post("/api/episodes/e1/labels/revert?name=Cy", json={"revision": first})

    assert (back.json()["outcome"], back.json()["note"]) == ("failure", "")
    assert api.get("/api/episodes", params={"flag": "note"}).json()["total"] == 0
    assert api.post("/api/labels/undo?name=Cy").json()["note"] == "odd"
    missing = api.post("/api/episodes/e1/labels/revert", json={"revision": 99})
    assert missing.status_code == 422
    assert "no label event 99" in missing.json()["error"]["message"]
