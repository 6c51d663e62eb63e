"""What people say of episodes, over REST."""

import pytest

from tests.episodes.episode_fixtures import make_header, record


@pytest.fixture
def e1(server, settings):
    record(settings.data_dir / "episodes", make_header("e1"))
    server.reconcile()


@pytest.fixture
def say(api, e1):
    def say(new, *, name="Bo", **fields):
        return api.post(f"/api/episodes/e1/labels?name={name}", json={"new": new, **fields})

    return say


def outcome(api):
    return api.get("/api/episodes/e1").json()["outcome"]


def test_a_label_is_appended_and_holds(api, say):
    answer = say({"outcome": "failure"}, event_id="l1").json()

    assert answer["outcome"] == "failure"
    assert outcome(api) == "failure"
    log = api.get("/api/episodes/e1/labels").json()
    assert [(event["author"], event["new"]["outcome"]) for event in log["items"]] == [
        ("ana", "success"),
        ("Bo", "failure"),
    ]
    assert log["items"][1]["old"] == {"outcome": "success"}
    assert log["items"][1]["source"] == "api"
    assert log["in_force"] == answer
    assert answer["revision"] == log["items"][1]["id"]


def test_a_repeat_of_a_label_does_nothing(api, say):
    say({"outcome": "failure"}, event_id="l1")
    say({"outcome": "failure"}, event_id="l1")

    assert api.get("/api/episodes/e1/labels").json()["total"] == 2


def test_a_label_made_on_an_older_version_conflicts(api, say):
    seen = api.get("/api/episodes/e1").json()["label_revision"]
    say({"outcome": "failure"}, name="Cy")

    response = say({"outcome": "none"}, expected_revision=seen)

    assert response.status_code == 409
    assert response.json()["error"]["code"] == "conflict"
    error = response.json()["error"]
    assert "Cy said outcome" in error["message"]
    assert error["details"]["expected"]["outcome"] == "success"
    assert error["details"]["expected"]["revision"] == seen
    assert error["details"]["present"]["outcome"] == "failure"
    assert error["details"]["newest"]["author"] == "Cy"
    assert outcome(api) == "failure"


def test_undo_takes_back_and_redo_says_again_what_the_caller_said(api, say):
    say({"outcome": "failure"})

    undone = api.post("/api/labels/undo?name=Bo")
    assert undone.json()["outcome"] == "success"
    assert outcome(api) == "success"

    redone = api.post("/api/labels/redo?name=Bo", json={"episode_id": "e1"})
    assert redone.json()["outcome"] == "failure"
    assert outcome(api) == "failure"


def test_nobody_undoes_what_somebody_else_said(api, say):
    say({"outcome": "failure"}, name="Bo")

    response = api.post("/api/labels/undo?name=Cy")

    assert response.status_code == 409
    assert response.json()["error"]["code"] == "nothing"
    assert outcome(api) == "failure"


def test_an_episode_is_excluded_with_a_reason_and_noted(say):
    say({"excluded": True, "reason": "camera fell"}, kind="exclude")

    answer = say({"note": "fix the mount"}, kind="note").json()

    assert (answer["excluded"], answer["exclude_reason"]) == (True, "camera fell")
    assert answer["note"] == "fix the mount"


def test_ranges_are_labelled_and_erased_by_anybody(api, say):
    say({"text": "reach"}, kind="subtask", start_step=0, end_step=10)
    both = say({"text": "touch"}, kind="subtask", start_step=8, end_step=25).json()

    # The newer subtask takes its steps from the older one.
    assert [(r["text"], r["start_step"], r["end_step"]) for r in both["ranges"]] == [
        ("reach", 0, 8),
        ("touch", 8, 25),
    ]
    left = say({}, kind="erase", target_id=both["ranges"][1]["id"], name="Cy").json()
    assert [(r["text"], r["start_step"], r["end_step"]) for r in left["ranges"]] == [
        ("reach", 0, 10)
    ]
    log = api.get("/api/episodes/e1/labels").json()["items"]
    assert log[-1]["target_id"] == both["ranges"][1]["id"]
    assert len(log[-1]["old"]["ranges"]) == 2
    assert api.post("/api/labels/undo?name=Cy").json()["ranges"] == both["ranges"]


def test_the_end_is_moved_and_moved_back(api, say):
    assert say({"step": 12}, kind="terminal").json()["terminal_step"] == 12
    assert api.get("/api/episodes/e1").json()["terminal_step"] == 12
    assert say({"step": None}, kind="terminal").json()["terminal_step"] is None


@pytest.mark.parametrize(
    ("new", "fields", "named"),
    [
        ({"outcome": "won"}, {}, "won"),
        ({"result": "success"}, {}, "result"),
        ({"note": "x"}, {"kind": "undo"}, "kind"),
        ({}, {"kind": "mistake", "start_step": 3, "end_step": 26}, "within 0 to 25; got 3 and 26"),
        ({"outcome": "success"}, {"surprise": 1}, "surprise"),
    ],
)
def test_a_label_that_makes_no_sense_is_refused_by_name(say, new, fields, named):
    response = say(new, **fields)

    assert response.status_code == 422
    assert named in response.json()["error"]["message"]


def test_an_episode_that_is_not_there_cannot_be_labelled(api):
    response = api.post("/api/episodes/none/labels", json={"new": {"outcome": "success"}})

    assert response.status_code == 404
    assert response.json()["error"]["code"] == "not_found"


def test_pages_see_new_counts_after_a_label(actor, server, settings, api, open_live):
    actor.session_id = "s1"
    actor.hello()
    live = open_live()
    # Its acknowledgement says that everything before it was handled.
    actor.send_frame()
    server.finish_records()
    record(settings.data_dir / "episodes", make_header("e1"))
    server.reconcile()

    api.post("/api/episodes/e1/labels", json={"new": {"outcome": "failure"}})

    while live.next_of("hello")["session"]["counts"]["failure"] != 1:
        pass
