"""How a session goes, as numbers that a person can trust: rates with their interval, and a pace.

What an attempt was is a fact of its episode, how it ended is its label in force; so a relabel
changes these numbers and nothing else. Versions are compared on what they drove themselves or with
help: the share of human steps stands beside each rate, because a rate alone hides who earned it.

Pure: no database and no clock. `backend.db.attempt_queries` reads what this counts.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import sqrt

import numpy as np

from backend.domain import Outcome

# Two-sided 95 % of the normal distribution.
Z = 1.959964
# A longer wait between two attempts is a break and no part of the pace, seconds.
BREAK_S = 300.0
# A pace is not told from less than this: two quick attempts are no hour's work.
MIN_PACE_ATTEMPTS = 3
MIN_PACE_S = 60.0


@dataclass(frozen=True, kw_only=True)
class AttemptFacts:
    """One finished attempt."""

    # What acted: a checkpoint's id `run/step`, published weights `run@version`, or `hold`, ….
    version: str
    outcome: Outcome
    num_steps: int
    num_human_steps: int
    fps: float
    # Unix seconds.
    started_s: float
    ended_s: float


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Some attempts, counted. Shares and rates are None where there is nothing to divide by."""

    success: int
    failure: int
    unlabeled: int
    # Successes in which no person drove a step.
    alone: int
    # Successes among the graded, with the 95 % Wilson interval.
    rate: float | None
    rate_low: float | None
    rate_high: float | None
    # Human steps among all steps, and attempts with at least one of them among all attempts.
    human_share: float | None
    intervened_share: float | None
    # Driving time of successful attempts: median and quartiles, seconds.
    success_s: float | None
    success_low_s: float | None
    success_high_s: float | None
    # While somebody works: waits between attempts count, breaks do not.
    attempts_per_hour: float | None


@dataclass(frozen=True, kw_only=True)
class VersionSummary:
    """What one version did."""

    version: str
    # When it first drove, Unix seconds.
    since_s: float
    summary: Summary


def wilson(successes: int, attempts: int) -> tuple[float, float]:
    """95 % interval of a success rate (Wilson's score interval); honest for few attempts."""
    rate = successes / attempts
    spread = Z * sqrt(rate * (1 - rate) / attempts + Z**2 / (4 * attempts**2))
    middle = rate + Z**2 / (2 * attempts)
    scale = 1 + Z**2 / attempts
    return max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale)


def summarize(attempts: Iterable[AttemptFacts]) -> Summary:
    """Count attempts, in any order."""
    attempts = sorted(attempts, key=lambda attempt: attempt.started_s)
    won = [attempt for attempt in attempts if attempt.outcome is Outcome.SUCCESS]
    num_failed = sum(attempt.outcome is Outcome.FAILURE for attempt in attempts)
    graded = len(won) + num_failed
    low, high = wilson(len(won), graded) if graded else (None, None)
    num_steps = sum(attempt.num_steps for attempt in attempts)
    quartiles = _quartiles([attempt.num_steps / attempt.fps for attempt in won])
    return Summary(
        success=len(won),
        failure=num_failed,
        unlabeled=len(attempts) - graded,
        alone=sum(attempt.num_human_steps == 0 for attempt in won),
        rate=len(won) / graded if graded else None,
        rate_low=low,
        rate_high=high,
        human_share=_share(sum(attempt.num_human_steps for attempt in attempts), num_steps),
        intervened_share=_share(
            sum(attempt.num_human_steps > 0 for attempt in attempts), len(attempts)
        ),
        success_low_s=quartiles[0],
        success_s=quartiles[1],
        success_high_s=quartiles[2],
        attempts_per_hour=_pace(attempts),
    )


def by_version(attempts: Iterable[AttemptFacts]) -> list[VersionSummary]:
    """One summary a version, in the order in which they first drove."""
    versions: dict[str, list[AttemptFacts]] = {}
    for attempt in sorted(attempts, key=lambda attempt: attempt.started_s):
        versions.setdefault(attempt.version, []).append(attempt)
    return [
        VersionSummary(version=version, since_s=own[0].started_s, summary=summarize(own))
        for version, own in versions.items()
    ]


def _pace(attempts: Sequence[AttemptFacts]) -> float | None:
    """Attempts an hour of work; `attempts` in order.

    Each attempt takes itself and a wait; the waits that were breaks count like the others.
    """
    durations = [max(0.0, attempt.ended_s - attempt.started_s) for attempt in attempts]
    waits = [max(0.0, after.started_s - before.ended_s) for before, after in pairwise(attempts)]
    waits = [wait for wait in waits if wait <= BREAK_S]
    if len(attempts) < MIN_PACE_ATTEMPTS or not waits:
        return None
    worked_s = sum(durations) + len(attempts) * sum(waits) / len(waits)
    return len(attempts) / worked_s * 3600 if worked_s >= MIN_PACE_S else None


def _quartiles(times_s: Sequence[float]) -> tuple[float | None, float | None, float | None]:
    if not times_s:
        return None, None, None
    low, middle, high = (float(q) for q in np.quantile(times_s, (0.25, 0.5, 0.75)))
    return low, middle, high


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
