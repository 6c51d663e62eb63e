"""Checks what a dataset says of how episodes ended and who drove."""

from collections.abc import Iterator

import numpy as np

from backend.episodes.lerobot_folder import HUMAN_COLUMNS
from backend.jobs.health_finding import Finding, Severity, named
from backend.jobs.health_tables import DatasetTables


def check_outcomes(tables: DatasetTables) -> Iterator[Finding]:
    """Findings of rewards, ends and human flags."""
    if not tables.spans:
        return
    yield from _judgement(tables)
    yield from _ends(tables)
    yield from _drivers(tables)


def _judgement(tables: DatasetTables) -> Iterator[Finding]:
    success, reward = tables.numbers("next.success"), tables.numbers("next.reward")
    if success is None and reward is None:
        yield Finding(
            severity=Severity.NOTE,
            code="no_rewards",
            title="Nothing says how its episodes ended",
            detail="There is no next.reward and no next.success, as in most sets of "
            "demonstrations. A critic needs to know.",
            remedy="When importing, say that these are successful demonstrations, or grade the "
            "episodes afterwards.",
        )
        return
    if success is None and reward is not None and not np.isin(reward, (0.0, 1.0)).all():
        low, high = float(np.nanmin(reward)), float(np.nanmax(reward))
        yield Finding(
            severity=Severity.WARNING,
            code="dense_rewards",
            title=f"Its rewards are not 0 and 1 but from {low:g} to {high:g}",
            detail="Nobody but its author knows which of them mean success.",
            remedy="Import it without judgement, and grade the episodes here.",
        )
        return
    judged = success if success is not None else reward
    assert judged is not None
    won = [number for number, span in tables.spans.items() if (judged[span] > 0).any()]
    total = len(tables.spans)
    if total > 1 and len(won) in (0, total):
        word, other = ("succeeded", "failures") if won else ("failed", "successes")
        yield Finding(
            severity=Severity.WARNING,
            code="one_outcome",
            title=f"All {total} episodes {word}",
            detail=f"Without {other} a critic cannot learn to tell good from bad.",
            remedy=f"Train on it together with episodes that hold {other}: record attempts of the "
            "policy and grade them.",
        )


def _ends(tables: DatasetTables) -> Iterator[Finding]:
    done = tables.numbers("next.done")
    if done is None:
        return
    early = [n for n, span in tables.spans.items() if (done[span][:-1] > 0).any()]
    never = [n for n, span in tables.spans.items() if not (done[span] > 0).any()]
    if early:
        yield Finding(
            severity=Severity.WARNING,
            code="done_early",
            title=f"next.done is set before the last frame of {named(early)}",
            detail="Frames behind it belong to no attempt, or several attempts were recorded as "
            "one.",
            remedy="Cut the episodes there, or move their end after the import.",
            episodes=tuple(early),
        )
    if never:
        yield Finding(
            severity=Severity.NOTE,
            code="never_done",
            title=f"next.done is never set in {named(never)}",
            detail="They count as broken off: nobody has judged them.",
            remedy="Grade them after the import.",
            episodes=tuple(never),
        )


def _drivers(tables: DatasetTables) -> Iterator[Finding]:
    flags = {name: tables.numbers(name) for name in HUMAN_COLUMNS}
    given = {name: rows > 0.5 for name, rows in flags.items() if rows is not None}
    first, *others = given.values() or [np.zeros(0)]
    if not given:
        yield Finding(
            severity=Severity.NOTE,
            code="no_drivers",
            title="Nothing says which steps a person drove",
            detail=f"There is no {' and no '.join(HUMAN_COLUMNS)}.",
            remedy="For teleoperated demonstrations say so when importing: all steps count as "
            "human then.",
        )
    elif any(not np.array_equal(first, other) for other in others):
        yield Finding(
            severity=Severity.WARNING,
            code="drivers_disagree",
            title=f"{' and '.join(given)} disagree on who drove",
            detail="A step counts as human when either says so.",
            remedy="Take out the column that is wrong.",
        )
