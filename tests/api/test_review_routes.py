"""Everything about one episode in one answer, and film strips, over REST."""

import json
from dataclasses import asdict

import cv2
import numpy as np
import pytest

from backend.db.models import EpisodeRow
from backend.learning.config import LearnerConfig, ModelConfig, WordConfig
from tests.api.made_by_training import make_checkpoint, make_scores
from tests.episodes.episode_fixtures import make_header, record

TASK = "Touch the red cube"
# Ten steps a chunk, so that 25 steps hold more than one.
LEARNER = LearnerConfig(
    model=ModelConfig(size="tiny", chunk_size=10),
    words=WordConfig(mode="two", forcing_human_share=0.9),
)


def make_meaning(folder, learner=LEARNER):
    """What a training says of the values of its checkpoint."""
    content = {"learner": asdict(learner), "longest": {TASK: 50}, "thresholds": {TASK: 0.05}}
    (folder / "pretrained_model" / "handrail.json").write_text(json.dumps(content))


@pytest.fixture
def e1(server, settings):
    record(settings.data_dir / "episodes", make_header("e1"))
    server.reconcile()


@pytest.fixture
def scored(server, e1):
    """Two critics: one sure of a success at the end, one sure of a failure."""
    make_meaning(make_checkpoint(server, "touch/000500"))
    make_checkpoint(server, "touch/000900")
    make_scores(server, "e1", "touch/000500", np.linspace(-1, -0.1, 25), created_s=2_000.0)
    make_scores(server, "e1", "touch/000900", np.linspace(-0.1, -1, 25), created_s=1_000.0)


@pytest.fixture
def review(api):
    return lambda **params: api.get("/api/episodes/e1/review", params=params).json()


@pytest.fixture
def say(api):
    def say(kind="outcome", new=None, **fields):
        response = api.post(
            "/api/episodes/e1/labels?name=Bo", json={"kind": kind, "new": new or {}, **fields}
        )
        assert response.status_code == 200, response.text
        return response.json()

    return say


def test_one_answer_holds_all_that_a_player_draws(e1, review):
    found = review()

    assert found["episode"]["id"] == "e1"
    assert found["labels"]["outcome"] == "success"
    assert [event["kind"] for event in found["history"]] == ["outcome"]
    assert len(found["columns"]["state"]) == len(found["columns"]["timestamp_s"]) == 25
    assert found["columns"]["action"][3] == [3.5] * 3
    assert found["human_spans"] == [[5, 10]]
    assert found["scheme"] == "recap"
    # Nothing is longer than this episode, so every step costs a 25th of it.
    assert found["rewards"] == [pytest.approx(-1 / 25, abs=1e-5)] * 24 + [0.0]
    assert found["returns"][0] == pytest.approx(-24 / 25, abs=1e-5)
    assert found["returns"][-1] == 0.0
    assert (found["curves"], found["scored_by"]) == ([], [])


def test_rewards_are_counted_as_asked(e1, review):
    seed = review(scheme="seed")

    assert seed["scheme"] == "seed"
    # The whole episode is one chunk of the seed's, which ends in success.
    assert set(seed["rewards"]) == {0.0}


def test_the_newest_critic_is_drawn_unless_others_are_named(scored, review):
    found = review()
    both = review(checkpoint=["touch/000900", "touch/000500", "other/000001"])

    assert found["scored_by"] == ["touch/000500", "touch/000900"]
    assert [curve["checkpoint_id"] for curve in found["curves"]] == ["touch/000500"]
    assert [curve["checkpoint_id"] for curve in both["curves"]] == ["touch/000900", "touch/000500"]
    (curve,) = found["curves"]
    assert curve["value"][0] == -1.0
    assert curve["spread"] == [None] * 25
    assert curve["support"] == [-1.0, 0.0]
    assert curve["threshold"] == 0.05
    # The scale is that of its training: the longest episode had 50 steps.
    assert found["returns"][0] == pytest.approx(-24 / 50, abs=1e-5)


def test_a_relabel_changes_rewards_returns_and_words_at_once(scored, review, say, api):
    before = review()

    say(new={"outcome": "failure"})
    after = review()

    assert before["rewards"][-1] == 0.0
    assert after["rewards"][-1] == pytest.approx(-20.0)
    assert set(after["returns"]) == {-1.0}
    then, now = before["curves"][0], after["curves"][0]
    assert then["value"] == now["value"]
    assert then["words"][-1] == "positive"
    assert now["words"][-1] == "negative"
    assert now["advantage"][-1] == pytest.approx(-0.9, abs=1e-4)
    assert not now["is_old"]
    scores = api.get("/api/episodes/e1/scores?checkpoint=touch/000500").json()["items"][0]
    assert scores["word"] == now["words"]
    assert scores["advantage"] == now["advantage"]
    # The other checkpoint's files say nothing of what its values mean.
    (other,) = review(checkpoint=["touch/000900"])["curves"]
    assert other["is_old"]


def test_ranges_settle_words_and_the_end_moves_to_the_success(scored, review, say):
    say("mistake", start_step=2, end_step=4)
    say("correction", start_step=12, end_step=14)
    say("terminal", {"step": 19})
    found = review()

    (curve,) = found["curves"]
    assert curve["words"][2:4] == ["negative"] * 2
    assert curve["words"][12:14] == ["positive"] * 2
    assert curve["words"][20:] == [""] * 5
    assert curve["advantage"][20:] == [None] * 5
    assert curve["value"][24] is not None
    # The success is credited where it was.
    assert found["rewards"][18:] == [-0.02, 0.0, *[None] * 5]
    assert found["returns"][18:] == [-0.02, 0.0, *[None] * 5]
    assert found["labels"]["terminal_step"] == found["episode"]["terminal_step"] == 19
    assert [(r["kind"], r["start_step"]) for r in found["labels"]["ranges"]] == [
        ("mistake", 2),
        ("correction", 12),
    ]
    assert found["episode"]["flags"] == ["mistake"]


def test_the_list_shows_where_critic_and_label_disagree(scored, api, say):
    def listed(**params):
        return api.get("/api/episodes", params=params).json()["items"][0]

    agreed = listed()
    assert agreed["score_checkpoint_id"] == "touch/000500"
    assert agreed["disagreement"] == pytest.approx(0.1)
    assert agreed["flags"] == []

    say(new={"outcome": "failure"})

    apart = listed(order="disagree", flag="disagree")
    assert apart["disagreement"] == pytest.approx(0.9)
    assert apart["flags"] == ["disagree"]
    assert apart["last_value"] == pytest.approx(-0.1)
    other = listed(scored_by="touch/000900")
    assert other["disagreement"] == pytest.approx(0.0)
    assert (other["score_checkpoint_id"], other["flags"]) == ("touch/000900", [])
    facets = api.get("/api/episodes/facets").json()
    assert facets["flag"]["disagree"] == 1
    assert facets["scored_by"] == {"touch/000500": 1, "touch/000900": 1}


def test_a_film_strip_is_made_once_and_kept(e1, api, settings):
    first = api.get("/api/episodes/e1/strip.jpg?height=32")

    assert first.headers["content-type"] == "image/jpeg"
    picture = cv2.imdecode(np.frombuffer(first.content, np.uint8), cv2.IMREAD_COLOR)
    assert picture.shape == (32, 6 * 48, 3)
    # The frames get brighter step by step.
    brightness = picture.reshape(32, 6, 48, 3).mean(axis=(0, 2, 3))
    assert (np.diff(brightness) > 5).all()
    (kept,) = (settings.data_dir / "strips").iterdir()
    made_ns = kept.stat().st_mtime_ns

    again = api.get(
        "/api/episodes/e1/strip.jpg?height=32", headers={"if-none-match": first.headers["etag"]}
    )

    assert again.status_code == 304
    assert "max-age" in again.headers["cache-control"]
    assert kept.stat().st_mtime_ns == made_ns


@pytest.mark.parametrize("what", ["review", "strip.jpg"])
def test_what_cannot_be_reviewed_is_refused_by_name(e1, server, api, what):
    missing = api.get(f"/api/episodes/nobody/{what}")
    with server.backend.database.write() as db:
        db.get(EpisodeRow, "e1").state = "recording"
    unfinished = api.get(f"/api/episodes/e1/{what}")

    assert missing.status_code == 404
    assert unfinished.status_code == 409
    assert "e1 is recording" in unfinished.json()["error"]["message"]


def test_a_strip_of_a_damaged_video_says_so(e1, api, settings):
    (settings.data_dir / "episodes" / "e1" / "overhead.mp4").write_bytes(b"no video")

    response = api.get("/api/episodes/e1/strip.jpg")

    assert response.status_code == 409
    assert response.json()["error"]["code"] == "no_pictures"
