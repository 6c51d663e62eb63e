"""A label run as a histogram, fine enough that a page can try thresholds on it by itself.

Bins are shared by all groups, so a threshold on a bin's edge counts exactly, whatever the number of
steps, in a few kilobytes. The edges in force need not be bin edges: `num_best` counts those.
"""

import numpy as np

from backend.api.training_replies import AdvantageGroup, Advantages, CalibrationPoint
from backend.jobs.label_file import LabelTable
from backend.learning.advantages import WORDS, best_word, decide_words, five_word_edges

NUM_BINS = 240
NUM_VALUE_BINS = 10
# Outliers would squeeze everything else into a few bins; they are counted in the outermost ones.
QUANTILES = (0.002, 0.998)


def advantages_of(table: LabelTable) -> Advantages:
    """Everything a page shows of one label run."""
    mode = table.words.mode
    marks = [t for t in table.thresholds.values() if np.isfinite(t)] if mode == "two" else []
    word_edges = list(five_word_edges(table.words.scaling)) if mode == "five" else []
    edges = _edges(table.advantages.astype(np.float64), [*marks, *word_edges])
    return Advantages(
        step=table.step,
        mode=mode,
        words=list(WORDS[mode]),
        bin_edges=[float(edge) for edge in edges],
        groups=_groups(table, edges),
        thresholds={t: float(x) for t, x in table.thresholds.items() if np.isfinite(x)},
        word_edges=word_edges,
        scaling=table.words.scaling,
        positive_fraction=table.words.positive_fraction,
        calibration=_calibration(table),
    )


def _edges(advantages: np.ndarray, marks: list[float]) -> np.ndarray:
    """Bin edges that hold nearly all advantages, all `marks`, and zero."""
    finite = advantages[np.isfinite(advantages)]
    found = list(np.quantile(finite, QUANTILES)) if len(finite) else []
    low, high = min([0.0, *found, *marks]), max([0.0, *found, *marks])
    room = 0.05 * (high - low) or 0.1
    return np.linspace(low - room, high + room, NUM_BINS + 1)


def _groups(table: LabelTable, edges: np.ndarray) -> list[AdvantageGroup]:
    advantages = table.advantages.astype(np.float64)
    words = decide_words(
        advantages,
        config=table.words,
        forced=table.forced,
        worst=table.worst,
        tasks=[table.tasks[index] for index in table.task],
        thresholds=table.thresholds,
    )
    best = best_word(table.words.mode)
    is_best = np.array([best is not None and word == best for word in words], dtype=bool)
    groups = []
    for t, task in enumerate(table.tasks):
        for s, source in enumerate(table.sources):
            mine = (table.task == t) & (table.source == s)
            if not mine.any():
                continue
            settled = table.forced | table.worst
            judged = advantages[mine & ~settled & np.isfinite(advantages)]
            inside = np.clip(judged, edges[0], edges[-1])
            groups.append(
                AdvantageGroup(
                    task=task,
                    source=source,
                    counts=[int(n) for n in np.histogram(inside, edges)[0]],
                    num_forced=int((mine & table.forced).sum()),
                    num_worst=int((mine & table.worst).sum()),
                    num_best=int(is_best[mine].sum()),
                )
            )
    return groups


def _calibration(table: LabelTable) -> list[CalibrationPoint]:
    known = np.isfinite(table.returns) & np.isfinite(table.values)
    values, returns = table.values[known], table.returns[known]
    if not len(values):
        return []
    low, high = float(values.min()), float(values.max())
    width = (high - low) / NUM_VALUE_BINS or 1.0
    place = np.minimum(((values - low) / width).astype(int), NUM_VALUE_BINS - 1)
    return [
        CalibrationPoint(
            value=float(values[mine].mean()),
            returned=float(returns[mine].mean()),
            count=int(mine.sum()),
        )
        for number in range(NUM_VALUE_BINS)
        for mine in [place == number]
        if mine.any()
    ]
