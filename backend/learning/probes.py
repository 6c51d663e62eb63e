"""Does the actor listen to its word, and does the critic order states? Measures for held-out data.

Conditioning (after lerobot PR 3245): the flow loss of a chunk with its true word and with the
opposite one, at the same noise and time. Accuracy 0.5 means the word is ignored; exactly equal
losses count half, where the original counts them as wrong.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float

from backend.domain import Outcome
from backend.learning.advantages import flipped_word
from backend.learning.inputs import ModelInputs
from backend.learning.models import Models
from backend.learning.replay import ChunkBatch


@dataclass(frozen=True, kw_only=True)
class Conditioning:
    """How much the word matters."""

    # Share of chunks whose true word has the lower loss; 0.5 is no effect.
    accuracy: float
    # Mean of loss(opposite word) - loss(true word).
    gap: float
    # The same by true word.
    accuracy_by_word: dict[str, float]
    gap_by_word: dict[str, float]


@torch.no_grad()
def conditioning(
    models: Models,
    batch: ChunkBatch,
    words: Sequence[str | None],
    *,
    rng: np.random.Generator,
    batch_size: int = 32,
    draws: int = 4,
) -> Conditioning:
    """Return how much the actor's loss depends on the word.

    Args:
        models: Whose actor.
        batch: Held-out chunks.
        words: Their true words; chunks without one are left out.
        rng: Of noise and time.
        batch_size: Chunks of one forward pass.
        draws: Times each chunk is measured, at other noise and time.
    """
    mode = models.config.words.mode
    true_losses, flipped_losses = [], []
    models.policy.eval()
    first = 0
    for part in batch.parts(batch_size):
        said = list(words[first : first + len(part)])
        first += len(part)
        opposite = [flipped_word(word, mode) for word in said]
        shape = (len(part), models.policy.config.chunk_size, models.policy.config.max_action_dim)
        sums = np.zeros((2, len(part)))
        for _ in range(draws):
            noise = rng.standard_normal(shape, dtype=np.float32)
            time = rng.uniform(0.05, 0.95, size=len(part)).astype(np.float32)
            for row, spoken in enumerate((said, opposite)):
                sums[row] += flow_losses(models, part, spoken, noise=noise, time=time) / draws
        true_losses.append(sums[0])
        flipped_losses.append(sums[1])
    true, flipped = np.concatenate(true_losses), np.concatenate(flipped_losses)
    kept = np.array([word is not None and word != flipped_word(word, mode) for word in words])
    right = np.where(true == flipped, 0.5, (true < flipped).astype(float))
    difference = flipped - true
    spoken = np.array([word or "" for word in words])
    present = sorted(set(spoken[kept]))
    return Conditioning(
        accuracy=_mean(right[kept]),
        gap=_mean(difference[kept]),
        accuracy_by_word={str(w): _mean(right[kept & (spoken == w)]) for w in present},
        gap_by_word={str(w): _mean(difference[kept & (spoken == w)]) for w in present},
    )


def flow_losses(
    models: Models,
    batch: ChunkBatch,
    words: Sequence[str | None],
    *,
    noise: Float[np.ndarray, "b h m"],
    time: Float[np.ndarray, " b"],
) -> Float[np.ndarray, " b"]:
    """Return each chunk's flow loss under a word, at given noise and time."""
    device = models.policy.config.device
    inputs = ModelInputs(models.preprocessor).for_actor(batch.observations, batch.actions, words)
    errors = models.policy.flow_errors(
        inputs,
        noise=torch.from_numpy(noise).to(device),
        time=torch.from_numpy(time).to(device),
    )
    real = ~batch.action_is_pad
    per_step = errors.mean(dim=2).float().cpu().numpy()
    return (per_step * real).sum(axis=1) / real.sum(axis=1)


def _mean(values: Float[np.ndarray, " n"]) -> float:
    return float(values.mean()) if len(values) else float("nan")


def spearman(first: Float[np.ndarray, " n"], second: Float[np.ndarray, " n"]) -> float:
    """Return the rank correlation, ties sharing their mean rank; NaN when one is constant."""
    if len(first) != len(second) or len(first) < 2:
        raise ValueError(f"need two arrays of one length, at least 2: {len(first)}, {len(second)}")
    a, b = _ranks(first), _ranks(second)
    a, b = a - a.mean(), b - b.mean()
    scale = np.sqrt((a**2).sum() * (b**2).sum())
    return float((a * b).sum() / scale) if scale > 0 else float("nan")


def auc(scores: Float[np.ndarray, " n"], positive: Bool[np.ndarray, " n"]) -> float:
    """Return the probability that a positive scores above a negative, ties counting half."""
    positives, negatives = int(positive.sum()), int((~positive).sum())
    if positives == 0 or negatives == 0:
        return float("nan")
    rank_sum = _ranks(scores)[positive].sum()
    return float((rank_sum - positives * (positives + 1) / 2) / (positives * negatives))


def _ranks(values: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    upto = np.cumsum(counts)
    return (upto - (counts - 1) / 2)[inverse]


def value_order(
    values: Sequence[Float[np.ndarray, " t"]],
    returns: Sequence[Float[np.ndarray, " t"]],
    outcomes: Sequence[Outcome],
    sources: Sequence[str],
) -> dict[str, float]:
    """Return how well values order states: over judged, held-out episodes.

    `spearman`: of value and true return over all steps. `auc`: chance that the mean value of a
    success lies above that of a failure. `auc_within_source`: the same among episodes of one
    source, averaged; far below `auc`, the critic tells demonstrations from the policy's attempts
    instead of good from bad.
    """
    judged = [i for i, outcome in enumerate(outcomes) if outcome is not Outcome.NONE]
    if not judged:
        return dict.fromkeys(("spearman", "auc", "auc_within_source"), float("nan"))
    means = np.array([values[i].mean() for i in judged])
    succeeded = np.array([outcomes[i] is Outcome.SUCCESS for i in judged])
    source = np.array([sources[i] for i in judged])
    within = [auc(means[source == s], succeeded[source == s]) for s in sorted(set(source))]
    known = [value for value in within if not np.isnan(value)]
    return {
        "spearman": spearman(
            np.concatenate([values[i] for i in judged]),
            np.concatenate([returns[i] for i in judged]),
        ),
        "auc": auc(means, succeeded),
        "auc_within_source": _mean(np.array(known)),
    }
