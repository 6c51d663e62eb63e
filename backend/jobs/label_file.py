"""The label run of a training as one file: values, returns, advantages and words of every step.

`jobs/<id>/labels.npz`, written anew at each labelling. The page draws its advantage histogram,
calibration and positive shares from it and tries other thresholds on it, without a GPU and without
touching an episode. No torch here.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from backend.learning.advantages import best_word, decide_words, task_thresholds
from backend.learning.config import WordConfig

LABELS_FILE = "labels.npz"


@dataclass(frozen=True, kw_only=True)
class LabelTable:
    """One row a step of all episodes; n rows."""

    # float32 [n] each; the return is NaN where nobody judged the episode.
    values: np.ndarray
    returns: np.ndarray
    advantages: np.ndarray
    # bool [n]: gets the best word, or the worst, whatever its advantage; never both.
    forced: np.ndarray
    worst: np.ndarray
    # int [n]: position in `tasks` and in `sources`.
    task: np.ndarray
    source: np.ndarray
    tasks: tuple[str, ...]
    sources: tuple[str, ...]
    # By task, of the two-word mode.
    thresholds: Mapping[str, float]
    words: WordConfig
    # Optimiser step at which it was made.
    step: int


@dataclass(frozen=True, kw_only=True)
class Rethresholded:
    """What another threshold would say."""

    thresholds: Mapping[str, float]
    # Share of the steps with the best word: of all, by task, by source.
    positive: float
    positive_by_task: Mapping[str, float]
    positive_by_source: Mapping[str, float]


def write_label_table(path: Path, table: LabelTable) -> None:
    """Write the file so that a reader finds all of it or what was there before."""
    meta = {
        "tasks": table.tasks,
        "sources": table.sources,
        "thresholds": dict(table.thresholds),
        "words": {n: getattr(table.words, n) for n in ("mode", "scaling", "positive_fraction")},
        "step": table.step,
    }
    aside = path.with_name(f".{path.name}.tmp")
    with aside.open("wb") as file:
        np.savez_compressed(
            file,
            values=table.values.astype(np.float32),
            returns=table.returns.astype(np.float32),
            advantages=table.advantages.astype(np.float32),
            forced=table.forced,
            worst=table.worst,
            task=table.task.astype(np.int32),
            source=table.source.astype(np.int32),
            meta=np.array(json.dumps(meta)),
        )
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)


def read_label_table(path: Path) -> LabelTable:
    """Read the file.

    Raises:
        FileNotFoundError: The run has not labelled anything yet.
    """
    with np.load(path, allow_pickle=False) as stored:
        meta = json.loads(str(stored["meta"]))
        columns = {name: stored[name] for name in stored.files if name != "meta"}
    # Files of an older version have none: their rules forced no worst word.
    columns.setdefault("worst", np.zeros(len(columns["forced"]), dtype=bool))
    return LabelTable(
        **columns,
        tasks=tuple(meta["tasks"]),
        sources=tuple(meta["sources"]),
        thresholds=meta["thresholds"],
        words=WordConfig(**meta["words"]),
        step=meta["step"],
    )


def rethreshold(
    table: LabelTable,
    *,
    positive_fraction: float | None = None,
    thresholds: Mapping[str, float] | None = None,
    scaling: float | None = None,
) -> Rethresholded:
    """What the words would be with another rule; without any, what they are.

    Args:
        table: The label run.
        positive_fraction: Two words: share of the steps whose word is not forced.
        thresholds: Two words: by task, instead of a share.
        scaling: Five words: where tanh saturates.
    """
    mode = table.words.mode
    tasks = [table.tasks[index] for index in table.task]
    limits = dict(table.thresholds if thresholds is None else thresholds)
    advantages = table.advantages.astype(np.float64)
    if mode == "two" and positive_fraction is not None:
        limits = task_thresholds(
            advantages,
            tasks,
            forced=table.forced | table.worst,
            positive_fraction=positive_fraction,
        )
    config = WordConfig(mode=mode, scaling=table.words.scaling if scaling is None else scaling)
    words = decide_words(
        advantages,
        config=config,
        forced=table.forced,
        worst=table.worst,
        tasks=tasks,
        thresholds=limits,
    )
    best = np.array([word == best_word(mode) for word in words], dtype=bool)
    return Rethresholded(
        thresholds=limits,
        positive=_share(best),
        positive_by_task=_shares(best, table.task, table.tasks),
        positive_by_source=_shares(best, table.source, table.sources),
    )


def _shares(best: np.ndarray, group: np.ndarray, names: Sequence[str]) -> dict[str, float]:
    return {
        name: _share(best[group == number])
        for number, name in enumerate(names)
        if (group == number).any()
    }


def _share(best: np.ndarray) -> float:
    return float(best.mean()) if len(best) else 0.0
