"""Numbers of a session."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.api.counts import counts_of
from backend.domain import Outcome
from backend.statistics import AttemptFacts, by_version, summarize, wilson
from tests.db.database_fixtures import episode_row, session_row

SUCCESS, FAILURE, NONE = Outcome.SUCCESS, Outcome.FAILURE, Outcome.NONE


def attempt(outcome=SUCCESS, *, at_s=0.0, took_s=10.0, human=0, version="run/000100"):
    return AttemptFacts(
        version=version,
        outcome=outcome,
        num_steps=round(took_s * 10),
        num_human_steps=human,
        fps=10.0,
        started_s=at_s,
        ended_s=at_s + took_s,
    )


@pytest.mark.parametrize(
    ("successes", "attempts", "low", "high"),
    [(9, 13, 0.424, 0.873), (0, 5, 0.0, 0.434), (5, 5, 0.566, 1.0), (50, 100, 0.404, 0.596)],
)
def test_the_interval_is_wilsons(successes, attempts, low, high):
    assert wilson(successes, attempts) == pytest.approx((low, high), abs=1e-3)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_holds_the_rate_and_stays_within_all_rates(counted):
    successes, attempts = counted
    low, high = wilson(successes, attempts)

    assert 0 <= low <= successes / attempts + 1e-9
    assert successes / attempts - 1e-9 <= high <= 1


def test_without_an_attempt_there_are_counts_and_no_rates():
    summary = summarize([])

    assert (summary.success, summary.failure, summary.unlabeled, summary.alone) == (0, 0, 0, 0)
    assert summary.rate is summary.rate_low is summary.human_share is None
    assert summary.intervened_share is summary.success_s is summary.attempts_per_hour is None
    assert counts_of(summary).rate is None


def test_attempts_that_nobody_graded_count_for_everything_but_the_rate():
    summary = summarize(
        [
            attempt(SUCCESS, at_s=0, human=50),
            attempt(SUCCESS, at_s=60, took_s=20),
            attempt(SUCCESS, at_s=120, took_s=30),
            attempt(FAILURE, at_s=180, human=10),
            attempt(NONE, at_s=240, human=100),
        ]
    )

    assert (summary.success, summary.failure, summary.unlabeled) == (3, 1, 1)
    assert summary.rate == 0.75
    assert summary.alone == 2
    assert summary.human_share == 160 / 800
    assert summary.intervened_share == 0.6
    assert (summary.success_low_s, summary.success_s, summary.success_high_s) == (15, 20, 25)
    assert counts_of(summary).human_share == summary.human_share


def test_two_quick_attempts_tell_no_pace():
    assert (
        summarize([attempt(at_s=0, took_s=2), attempt(at_s=5, took_s=2)]).attempts_per_hour is None
    )
    quick = [attempt(at_s=at_s, took_s=2) for at_s in (0, 5, 10)]
    assert summarize(quick).attempts_per_hour is None, "nor do three in fifteen seconds"


def test_the_pace_counts_waits_between_attempts_and_no_breaks():
    steady = [attempt(at_s=60.0 * n, took_s=20) for n in range(6)]
    assert summarize(steady).attempts_per_hour == pytest.approx(60)

    lunch = [attempt(at_s=7200 + 60.0 * n, took_s=20) for n in range(6)]
    assert summarize(steady + lunch).attempts_per_hour == pytest.approx(60)


def test_versions_come_in_the_order_in_which_they_first_drove():
    found = by_version(
        [
            attempt(FAILURE, at_s=200, version="run@000001"),
            attempt(FAILURE, at_s=0, version="hold"),
            attempt(SUCCESS, at_s=100, version="run@000001"),
            attempt(SUCCESS, at_s=300, version="hold"),
            attempt(NONE, at_s=400, version="run@000002"),
        ]
    )

    assert [one.version for one in found] == ["hold", "run@000001", "run@000002"]
    assert [one.summary.rate for one in found] == [0.5, 0.5, None]
    assert [one.since_s for one in found] == [0, 100, 400]
    assert sum(one.summary.success for one in found) == 2


def test_the_api_tells_a_sessions_statistics_by_version(server):
    with server.client() as api:
        assert api.get("/api/statistics?session_id=latest").json()["versions"] == []
        with server.backend.database.write() as db:
            db.add_all([session_row("old", opened_s=1.0), session_row("new", opened_s=2.0)])
            db.flush()
            for id, session_id, outcome in (("a", "old", "success"), ("b", "new", "failure")):
                db.add(episode_row(id, outcome=outcome, session_id=session_id, policy=id))
        latest = api.get("/api/statistics?session_id=latest").json()
        everything = api.get("/api/statistics").json()
        unknown = api.get("/api/statistics?session_id=other")
        none = api.get("/api/statistics?checkpoint_id=run/000100").json()

    assert (latest["session_id"], latest["summary"]["failure"]) == ("new", 1)
    assert [one["version"] for one in latest["versions"]] == ["b"]
    assert everything["summary"]["rate"] == 0.5
    assert {one["version"] for one in everything["versions"]} == {"a", "b"}
    assert unknown.status_code == 404
    assert none["versions"] == []
