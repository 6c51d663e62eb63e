"""Checks what states and actions hold: numbers that are none, joints that never move, doubles."""

import hashlib
from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from backend.jobs.health_finding import Finding, Severity, named
from backend.jobs.health_tables import DatasetTables

SHORT_S = 1.0
# Times the median length.
LONG = 4.0
MIN_STEPS_TO_MOVE = 10


def check_motion(tables: DatasetTables) -> Iterator[Finding]:
    """Findings of the numbers a policy learns from."""
    yield from _not_finite(tables)
    yield from _constant(tables)
    yield from _frozen(tables)
    yield from _lengths(tables)
    yield from _doubles(tables)


def _not_finite(tables: DatasetTables) -> Iterator[Finding]:
    for name in tables.number_columns():
        rows = tables.numbers(name)
        if rows is None:
            continue
        bad = ~np.isfinite(rows).all(axis=1)
        if bad.any():
            episodes = [int(n) for n in np.unique(tables.episode_of_row[bad])]
            yield Finding(
                severity=Severity.BROKEN,
                code="not_finite",
                title=f"{name} holds numbers that are none in {named(episodes)}",
                detail=f"{int(bad.sum())} rows hold nan or infinity; one of them spoils a whole "
                "training.",
                remedy="Leave these episodes out, and look after the sensor that gave them.",
                episodes=tuple(episodes),
            )


def _constant(tables: DatasetTables) -> Iterator[Finding]:
    for name, severity in (("action", Severity.WARNING), ("observation.state", Severity.NOTE)):
        rows = tables.numbers(name)
        if rows is None or len(rows) < MIN_STEPS_TO_MOVE:
            continue
        still = np.flatnonzero(np.ptp(rows, axis=0) == 0)
        if len(still) == 0:
            continue
        names = tables.dimension_names(name, rows.shape[1])
        every = len(still) == rows.shape[1]
        which = "nothing" if every else ", ".join(names[index] for index in still)
        yield Finding(
            severity=Severity.BROKEN if every and name == "action" else severity,
            code="constant_column",
            title=f"In {name}, {which} ever changes" if every else f"{name}: {which} never changes",
            detail="A joint that is not used, a gripper that is not connected, or a sensor that "
            "does not answer.",
            remedy="If the robot has it and uses it, check its wiring and calibration, and record "
            "again; else this is as it should be.",
        )


def _frozen(tables: DatasetTables) -> Iterator[Finding]:
    rows = tables.numbers("observation.state")
    if rows is None:
        return
    frozen = [
        number
        for number, span in tables.spans.items()
        if span.stop - span.start >= MIN_STEPS_TO_MOVE and (np.ptp(rows[span], axis=0) == 0).all()
    ]
    if frozen:
        yield Finding(
            severity=Severity.WARNING,
            code="never_moved",
            title=f"The robot never moves in {named(frozen)}",
            detail="The state is the same from the first step to the last.",
            remedy="Leave these episodes out: they teach standing still.",
            episodes=tuple(frozen),
        )


def _lengths(tables: DatasetTables) -> Iterator[Finding]:
    if tables.fps <= 0 or not tables.spans:
        return
    seconds = {n: (s.stop - s.start) / tables.fps for n, s in tables.spans.items()}
    short = [number for number, length_s in seconds.items() if length_s < SHORT_S]
    if short:
        yield Finding(
            severity=Severity.WARNING,
            code="too_short",
            title=f"Shorter than {SHORT_S:g} s: {named(short)}",
            detail="Often a recording that was started by mistake.",
            remedy="Look at them on the Replay page after the import, and exclude what is none.",
            episodes=tuple(short),
        )
    median_s = float(np.median(list(seconds.values())))
    long = [number for number, length_s in seconds.items() if length_s > LONG * median_s]
    if long:
        yield Finding(
            severity=Severity.NOTE,
            code="too_long",
            title=f"Over {LONG:g} times as long as most: {named(long)}",
            detail=f"The median is {median_s:.1f} s, the longest {max(seconds.values()):.1f} s.",
            remedy="See whether somebody forgot to end the recording.",
            episodes=tuple(long),
        )


def _doubles(tables: DatasetTables) -> Iterator[Finding]:
    rows = tables.numbers("action")
    if rows is None:
        return
    same: dict[str, list[int]] = defaultdict(list)
    for number, span in tables.spans.items():
        if np.ptp(rows[span], axis=0).any():
            same[hashlib.sha256(rows[span].tobytes()).hexdigest()].append(number)
    doubles = [numbers for numbers in same.values() if len(numbers) > 1]
    if doubles:
        spare = sorted(number for numbers in doubles for number in numbers[1:])
        yield Finding(
            severity=Severity.WARNING,
            code="doubles",
            title=f"The actions of {named(spare)} are exactly those of an earlier episode",
            detail="The same attempt is there more than once and counts more than once.",
            remedy="Leave the copies out.",
            episodes=tuple(spare),
        )
