"""Checks whether a dataset is whole: version, features, counts, indexes, statistics, tasks."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from backend.jobs.health_finding import Finding, Severity, named
from backend.jobs.health_tables import DatasetTables

FEW_EPISODES = 10
# LeRobot refuses to load frames whose time is further off.
MAX_TIME_ERROR_S = 1e-4


def check_layout(tables: DatasetTables) -> Iterator[Finding]:
    """Findings of what is there and how it fits together."""
    if not tables.info:
        return
    yield from _version(tables)
    yield from _features(tables)
    yield from _counts(tables)
    yield from _indexes(tables)
    yield from _times(tables)
    yield from _tasks(tables)
    yield from _stats(tables)


def _version(tables: DatasetTables) -> Iterator[Finding]:
    version = str(tables.info.get("codebase_version"))
    if not version.startswith("v3."):
        yield Finding(
            severity=Severity.BROKEN,
            code="old_version",
            title=f"It is of version {version}, not v3",
            detail="LeRobot 0.4 and later, and Handrail, load v3 datasets only.",
            remedy="Convert it: python -m lerobot.scripts.convert_dataset_v21_to_v30 "
            "--repo-id=OWNER/NAME",
        )
    if tables.fps <= 0:
        yield Finding(
            severity=Severity.BROKEN,
            code="no_rate",
            title=f"Its frames a second are {tables.info.get('fps')!r}",
            detail="Without a rate no time can be turned into a frame.",
            remedy="Write the recording's fps into meta/info.json.",
        )


def _features(tables: DatasetTables) -> Iterator[Finding]:
    missing = [n for n in ("observation.state", "action") if n not in tables.features]
    missing += [] if tables.cameras else ["observation.images.<camera>"]
    if missing:
        yield Finding(
            severity=Severity.BROKEN,
            code="missing_features",
            title=f"It has no {' and no '.join(missing)}",
            detail="A policy learns from states, actions and pictures under these names.",
            remedy="Rename the features to LeRobot's names, or record them.",
        )
    declared = set(tables.features) - set(tables.cameras)
    absent = sorted(declared - set(tables.rows.column_names)) if tables.num_frames else []
    if absent:
        yield Finding(
            severity=Severity.BROKEN,
            code="missing_columns",
            title=f"meta/info.json names columns that the data lacks: {', '.join(absent)}",
            detail="Loading fails where such a column is asked for.",
            remedy="Export or copy the dataset again, or take the features out of meta/info.json.",
        )
    for name in ("observation.state", "action"):
        rows = tables.numbers(name)
        shape = (tables.features.get(name) or {}).get("shape")
        if rows is not None and shape and rows.shape[1] != int(shape[0]):
            yield Finding(
                severity=Severity.BROKEN,
                code="wrong_shape",
                title=f"{name} has {rows.shape[1]} numbers a step, meta/info.json says {shape[0]}",
                detail="A policy made for one shape cannot read the other.",
                remedy="Correct the shape in meta/info.json, or record again.",
            )


def _counts(tables: DatasetTables) -> Iterator[Finding]:
    if not tables.are_whole:
        return
    found = {"total_episodes": len(tables.places), "total_frames": tables.num_frames}
    for name, count in found.items():
        claimed = tables.info.get(name)
        if claimed is not None and int(claimed) != count:
            yield Finding(
                severity=Severity.BROKEN,
                code="wrong_count",
                title=f"{name} is {claimed} in meta/info.json, {count} were found",
                detail="Files are missing, or a recording was not ended properly.",
                remedy="Copy the dataset again; a recording must be ended with finalize().",
            )
    lengths = {int(p["episode_index"]): int(p.get("length") or 0) for p in tables.places}
    wrong = [index for index, length in lengths.items() if length != tables.num_rows(index)]
    if wrong:
        yield Finding(
            severity=Severity.BROKEN,
            code="wrong_length",
            title=f"Other numbers of rows than the metadata says: {named(wrong)}",
            detail="Frames of one episode would be read as another's.",
            remedy="Copy the dataset again; a recording must be ended with finalize().",
            episodes=tuple(wrong),
        )
    strangers = sorted(set(tables.spans) - set(lengths))
    if strangers:
        yield Finding(
            severity=Severity.BROKEN,
            code="unknown_episodes",
            title=f"The data holds {named(strangers)}, which meta/episodes does not know",
            detail="Their pictures cannot be found.",
            remedy="Copy the dataset again, whole.",
            episodes=tuple(strangers),
        )
    if 0 < len(lengths) < FEW_EPISODES:
        yield Finding(
            severity=Severity.NOTE,
            code="few_episodes",
            title=f"It holds {len(lengths)} episode{'' if len(lengths) == 1 else 's'}",
            detail="Enough to try things out; a policy usually learns from some dozens.",
            remedy="Record more, or train on it together with other datasets.",
        )


def _indexes(tables: DatasetTables) -> Iterator[Finding]:
    index = tables.numbers("index")
    if index is not None and not np.array_equal(index[:, 0], np.arange(tables.num_frames)):
        yield Finding(
            severity=Severity.BROKEN,
            code="index_gaps",
            title="The column index does not count 0, 1, 2, …",
            detail="LeRobot finds frames by it; others than those meant would be read.",
            remedy="Write the dataset again, for example by importing and exporting it here.",
        )
    frame_index = tables.numbers("frame_index")
    if frame_index is None:
        return
    wrong = [
        number
        for number, span in tables.spans.items()
        if not np.array_equal(frame_index[span, 0], np.arange(span.stop - span.start))
    ]
    if wrong:
        yield Finding(
            severity=Severity.BROKEN,
            code="frame_index_gaps",
            title=f"frame_index of {named(wrong)} does not count from 0 without gaps",
            detail="Frames were lost or are there twice.",
            remedy="Leave these episodes out, or copy the dataset again.",
            episodes=tuple(wrong),
        )


def _times(tables: DatasetTables) -> Iterator[Finding]:
    timestamp = tables.numbers("timestamp")
    if timestamp is None or tables.fps <= 0:
        return
    wrong, worst_s = [], 0.0
    for number, span in tables.spans.items():
        nominal = np.arange(span.stop - span.start) / tables.fps
        error_s = float(np.abs(timestamp[span, 0] - nominal).max())
        if not error_s <= MAX_TIME_ERROR_S:
            wrong.append(number)
            worst_s = max(worst_s, error_s)
    if wrong:
        yield Finding(
            severity=Severity.BROKEN,
            code="time_drift",
            title=f"Timestamps of {named(wrong)} are not those of {tables.fps:g} frames a second",
            detail=f"They are off by up to {worst_s * 1000:.1f} ms; LeRobot permits "
            f"{MAX_TIME_ERROR_S * 1000:g} ms and refuses to load pictures beyond.",
            remedy="Import the dataset: the store counts time by frames. Or record at a rate that "
            "the machine keeps.",
            episodes=tuple(wrong),
        )


def _tasks(tables: DatasetTables) -> Iterator[Finding]:
    if not (tables.root / "meta/tasks.parquet").is_file():
        yield Finding(
            severity=Severity.BROKEN,
            code="no_tasks",
            title="meta/tasks.parquet is missing",
            detail="LeRobot reads the instruction of every episode from it.",
            remedy="Copy the dataset again, whole.",
        )
    silent = [
        int(place["episode_index"])
        for place in tables.places
        if not any(str(task).strip() for task in place.get("tasks") or [])
    ]
    if silent:
        yield Finding(
            severity=Severity.WARNING,
            code="no_instruction",
            title=f"No task in words: {named(silent)}",
            detail="The policy is told in words what to do; here it is told nothing.",
            remedy="Give a task when recording.",
            episodes=tuple(silent),
        )


def _stats(tables: DatasetTables) -> Iterator[Finding]:
    wanted = [name for name in ("observation.state", "action") if name in tables.features]
    lacking = [name for name in wanted if not _usable(tables.stats.get(name))]
    if lacking:
        yield Finding(
            severity=Severity.WARNING,
            code="no_stats",
            title=f"meta/stats.json has no usable statistics of {', '.join(lacking)}",
            detail="LeRobot's training programs scale numbers by them; Handrail computes its own.",
            remedy="Import and export the dataset here, which writes them anew.",
        )


def _usable(stats: Any) -> bool:
    if not isinstance(stats, dict):
        return False
    values = [stats.get(name) for name in ("mean", "std", "min", "max")]
    return all(
        value is not None and np.isfinite(np.asarray(value, dtype=float)).all() for value in values
    )
