import pytest

from backend.domain import Outcome
from backend.review.disagreement import disagreement


def apart(outcome, last, *, highest_said=None, ends_early=False, lowest=-1.0, highest=0.0):
    return disagreement(
        outcome,
        last_value=last,
        max_value=last if highest_said is None else highest_said,
        ends_early=ends_early,
        lowest=lowest,
        highest=highest,
    )


def test_a_failure_that_ends_high_and_a_success_that_ends_low_stand_out():
    assert apart(Outcome.FAILURE, -0.1) == pytest.approx(0.9)
    assert apart(Outcome.FAILURE, -0.9) == pytest.approx(0.1)
    assert apart(Outcome.SUCCESS, -0.9) == pytest.approx(0.9)
    assert apart(Outcome.SUCCESS, -0.1) == pytest.approx(0.1)


def test_nobody_disagrees_with_what_nobody_said():
    assert apart(Outcome.NONE, -0.1) is None
    assert apart(Outcome.SUCCESS, -0.1, lowest=0.0, highest=0.0) is None


def test_values_beyond_what_the_scheme_allows_count_as_its_ends():
    assert apart(Outcome.FAILURE, 0.3) == 1.0
    assert apart(Outcome.SUCCESS, -4.2, lowest=-4.0) == 1.0


def test_what_happened_behind_the_success_is_not_held_against_it():
    assert apart(Outcome.SUCCESS, -0.9, highest_said=-0.1) == pytest.approx(0.9)
    assert apart(Outcome.SUCCESS, -0.9, highest_said=-0.1, ends_early=True) == pytest.approx(0.1)
