"""Advantages of action chunks, and the word that the actor is told about each.

`decide_words` is the one place where an advantage becomes a word: prompt, metrics and pages call
it, so a label shown is the label trained on. Pure functions of numpy arrays.

- Five words (the seed): edges at tanh(A / scaling) = ±0.4 and ±0.8. Dividing, not multiplying: an
  early version of the seed multiplied, and everything became neutral.
- Two words (RECAP, arXiv 2511.14759): positive above a threshold of the task, the quantile that
  leaves `positive_fraction` of the chunks above it. Chunks whose word is forced do not move it.
- A chunk driven by a human (by its share of human steps, not by its first step) is forced to the
  best word whatever the critic says; people and rules may force the worst word too.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Float

from backend.learning.config import WordConfig
from backend.learning.returns import ChunkRewards

TWO_WORDS = ("negative", "positive")
FIVE_WORDS = ("very negative", "negative", "neutral", "positive", "very positive")
# In units of tanh(advantage / scaling); a value on an edge belongs to the better word.
FIVE_WORD_EDGES = (-0.8, -0.4, 0.4, 0.8)
WORDS = {"two": TWO_WORDS, "five": FIVE_WORDS, "none": ()}


def best_word(mode: str) -> str | None:
    """Return the word that asks for the best actions, None when the mode has no words."""
    return WORDS[mode][-1] if WORDS[mode] else None


def worst_word(mode: str) -> str | None:
    """Return the word of the worst actions, None when the mode has no words."""
    return WORDS[mode][0] if WORDS[mode] else None


def flipped_word(word: str | None, mode: str) -> str | None:
    """Return the word as far on the other side of the scale; None stays None."""
    return None if word is None else WORDS[mode][-1 - WORDS[mode].index(word)]


def five_word_edges(scaling: float) -> tuple[float, ...]:
    """Return the edges between the five words in units of advantage."""
    return tuple(scaling * math.atanh(edge) for edge in FIVE_WORD_EDGES)


def chunk_advantages(
    values: Float[np.ndarray, " t"], chunks: ChunkRewards, *, value_range: tuple[float, float]
) -> Float[np.ndarray, " t"]:
    """Return A_t = r_t + γ_t V(successor) - V(s_t) of the chunks starting at every step.

    With the chunks of horizon N this is the N-step advantage; where a terminated episode ends
    inside the window it is the rest of the return minus V. The target is clipped to the range of
    the values, as the critic's own targets are.
    """
    future = np.where(chunks.bootstraps, values[chunks.successors], 0.0)
    target = chunks.rewards + chunks.discounts * future
    return np.clip(target, *value_range) - values


def human_share(is_human: Bool[np.ndarray, " t"], horizon: int) -> Float[np.ndarray, " t"]:
    """Return the share of human steps among the real steps of the chunk starting at each step."""
    total = np.concatenate([[0], np.cumsum(is_human)])
    start = np.arange(len(is_human))
    end = np.minimum(start + horizon, len(is_human))
    return (total[end] - total[start]) / (end - start)


def steps_before_takeover(is_human: Bool[np.ndarray, " t"], steps: int) -> Bool[np.ndarray, " t"]:
    """Mark the policy's steps within `steps` before a human takes over: usually the bad ones."""
    marked = np.zeros(len(is_human), dtype=bool)
    takeovers = np.flatnonzero(is_human[1:] & ~is_human[:-1]) + 1
    for takeover in takeovers:
        marked[max(0, takeover - steps) : takeover] = True
    return marked & ~is_human


def task_thresholds(
    advantages: Float[np.ndarray, " n"],
    tasks: Sequence[str],
    *,
    forced: Bool[np.ndarray, " n"],
    positive_fraction: float,
) -> dict[str, float]:
    """Return for each task the advantage above which a chunk is positive.

    The quantile is taken over chunks that are not forced. A task where all are forced gets
    infinity: nothing else of it has been judged yet.
    """
    names = np.asarray(tasks)
    thresholds = {}
    for task in dict.fromkeys(tasks):
        free = advantages[(names == task) & ~forced]
        thresholds[task] = (
            float(np.quantile(free, 1.0 - positive_fraction)) if len(free) else math.inf
        )
    return thresholds


def decide_words(
    advantages: Float[np.ndarray, " n"],
    *,
    config: WordConfig,
    forced: Bool[np.ndarray, " n"],
    worst: Bool[np.ndarray, " n"] | None = None,
    tasks: Sequence[str],
    thresholds: Mapping[str, float],
) -> list[str | None]:
    """Return the word of each chunk. The one function that decides it.

    Args:
        advantages: In units of return.
        config: Mode, and the scaling of the five words.
        forced: Chunks that get the best word whatever their advantage.
        worst: Chunks that get the worst one, whatever else is said of them; None: none do.
        tasks: Task of each chunk; read by two words only.
        thresholds: Advantage above which a chunk of a task is positive; two words only.

    Raises:
        ValueError: An advantage is not a number, or a task has no threshold.
    """
    if config.mode == "none":
        return [None] * len(advantages)
    worst = np.zeros(len(advantages), dtype=bool) if worst is None else worst
    judged = ~(forced | worst)
    if not np.isfinite(advantages[judged]).all():
        bad = int(np.flatnonzero(judged & ~np.isfinite(advantages))[0])
        raise ValueError(
            f"advantage {bad} is {advantages[bad]}, must be finite: did the critic diverge?"
        )
    if config.mode == "five":
        squashed = np.tanh(advantages / config.scaling)
        index = np.digitize(squashed, FIVE_WORD_EDGES)
    else:
        missing = sorted({task for task in tasks if task not in thresholds})
        if missing:
            raise ValueError(
                f"no threshold for task {missing[0]!r}, known: {sorted(thresholds)}: label all "
                "episodes again before training on this one"
            )
        limits = np.array([thresholds[task] for task in tasks])
        index = (advantages > limits).astype(int)
    words = WORDS[config.mode]
    index = np.where(worst, 0, np.where(forced, len(words) - 1, index))
    return [words[i] for i in index]


def drop_words(
    words: Sequence[str | None], *, rate: float, rng: np.random.Generator
) -> list[str | None]:
    """Return the words with a share `rate` of them dropped, which trains the stock prompt too."""
    dropped = rng.random(len(words)) < rate
    return [None if drop else word for word, drop in zip(words, dropped, strict=True)]


def awr_weights(
    advantages: Float[np.ndarray, " n"],
    *,
    tasks: Sequence[str],
    temperature: float,
    clip: float = 3.0,
) -> Float[np.ndarray, " n"]:
    """Return weights of advantage-weighted regression, mean 1 (arXiv 1910.00177).

    Advantages are centred per task, divided by their common standard deviation and clipped to
    ±`clip` before w = exp(A / temperature).
    """
    names = np.asarray(tasks)
    centred = advantages.astype(np.float64)
    for task in dict.fromkeys(tasks):
        centred[names == task] -= centred[names == task].mean()
    scaled = np.clip(centred / max(float(centred.std()), 1e-8), -clip, clip)
    weights = np.exp(scaled / temperature)
    return weights / weights.mean()
