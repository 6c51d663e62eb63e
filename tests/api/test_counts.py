"""Numbers of a session."""

import pytest

from backend.api.counts import counts_of, wilson
from backend.db.queries import SessionCounts


def session(**changes):
    fields = dict.fromkeys(("success", "failure", "unlabeled", "num_steps", "num_human_steps"), 0)
    return SessionCounts(**{**fields, "first_started_s": None, "last_ended_s": None, **changes})


@pytest.mark.parametrize(
    ("successes", "attempts", "low", "high"),
    [(9, 13, 0.424, 0.873), (0, 5, 0.0, 0.434), (5, 5, 0.566, 1.0), (50, 100, 0.404, 0.596)],
)
def test_the_interval_is_wilsons(successes, attempts, low, high):
    assert wilson(successes, attempts) == pytest.approx((low, high), abs=1e-3)


def test_without_an_attempt_there_are_no_rates():
    counts = counts_of(session())

    assert (counts.rate, counts.rate_low, counts.rate_high) == (None, None, None)
    assert counts.human_share is None
    assert counts.attempts_per_hour is None


def test_attempts_that_nobody_graded_count_for_the_pace_and_not_for_the_rate():
    counts = counts_of(
        session(
            success=3,
            failure=1,
            unlabeled=2,
            num_steps=1000,
            num_human_steps=250,
            first_started_s=100.0,
            last_ended_s=1900.0,
        )
    )

    assert counts.rate == 0.75
    assert counts.human_share == 0.25
    assert counts.attempts_per_hour == pytest.approx(12.0)
