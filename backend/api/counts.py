"""How a session goes, as numbers that a person can trust: rates with their interval."""

from math import sqrt

from backend.api.messages import Counts
from backend.db.queries import SessionCounts

# Two-sided 95 % of the normal distribution.
Z = 1.959964


def wilson(successes: int, attempts: int) -> tuple[float, float]:
    """95 % interval of a success rate (Wilson's score interval); honest for few attempts."""
    rate = successes / attempts
    spread = Z * sqrt(rate * (1 - rate) / attempts + Z**2 / (4 * attempts**2))
    middle = rate + Z**2 / (2 * attempts)
    scale = 1 + Z**2 / attempts
    return max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale)


def counts_of(session: SessionCounts) -> Counts:
    graded = session.success + session.failure
    low, high = wilson(session.success, graded) if graded else (None, None)
    return Counts(
        success=session.success,
        failure=session.failure,
        unlabeled=session.unlabeled,
        rate=session.success / graded if graded else None,
        rate_low=low,
        rate_high=high,
        human_share=session.num_human_steps / session.num_steps if session.num_steps else None,
        attempts_per_hour=_per_hour(session),
    )


def _per_hour(session: SessionCounts) -> float | None:
    attempts = session.success + session.failure + session.unlabeled
    began_s, ended_s = session.first_started_s, session.last_ended_s
    # One attempt has no pause between attempts, which is what makes the rate.
    if attempts < 2 or began_s is None or ended_s is None or ended_s <= began_s:
        return None
    return attempts / (ended_s - began_s) * 3600
