"""Recorded observations and actions to model inputs, through the checkpoint's own processors.

Training and acting run the very same steps (normaliser, prompt, tokenizer), so statistics and text
cannot differ between them. Pictures become floats in [0, 1] here and nowhere else. Prompts come
padded to what a checkpoint allows; what no prompt of a batch fills is cut off, as nobody reads it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from lerobot.lerobot_types import EnvTransition, TransitionKey
from lerobot.processor import PolicyProcessorPipeline, batch_to_transition
from lerobot.utils.constants import (
    ACTION,
    OBS_IMAGES,
    OBS_LANGUAGE_ATTENTION_MASK,
    OBS_LANGUAGE_TOKENS,
    OBS_STATE,
)
from torch import Tensor

from backend.learning.pi05_rl.processor_pi05_rl import (
    OBS_PLAIN_ATTENTION_MASK,
    OBS_PLAIN_TOKENS,
    WORDS_KEY,
    AdvantagePromptStep,
)
from backend.learning.relative_actions import WAYS, chunk_ways
from backend.learning.replay import EpisodeArrays, Observations

Stats = dict[str, dict[str, np.ndarray]]
# Tokens and their masks: the prompts, and those without a word that guidance needs besides.
_PROMPTS = (
    (OBS_LANGUAGE_TOKENS, OBS_LANGUAGE_ATTENTION_MASK),
    (OBS_PLAIN_TOKENS, OBS_PLAIN_ATTENTION_MASK),
)


def pixels(frames: UInt8[np.ndarray, "*b h w 3"]) -> Float[Tensor, "*b 3 h w"]:
    """Return RGB bytes as floats in [0, 1], channels first."""
    if frames.dtype != np.uint8:
        raise ValueError(f"frames are {frames.dtype}, must be uint8 RGB as recorded")
    return torch.from_numpy(np.ascontiguousarray(frames)).movedim(-1, -3).float() / 255


def _to_transition(batch: dict[str, Any]) -> EnvTransition:
    transition = batch_to_transition(batch)
    if WORDS_KEY in batch:  # LeRobot's converter passes only the keys it knows
        transition[TransitionKey.COMPLEMENTARY_DATA][WORDS_KEY] = batch[WORDS_KEY]
    return transition


class ModelInputs:
    """Prepares batches for actor and critic with one checkpoint's preprocessor."""

    def __init__(self, preprocessor: PolicyProcessorPipeline) -> None:
        self.preprocessor = preprocessor
        self._actor = PolicyProcessorPipeline(
            steps=preprocessor.steps, to_transition=_to_transition
        )
        steps = [
            AdvantagePromptStep(reader="critic") if isinstance(s, AdvantagePromptStep) else s
            for s in preprocessor.steps
        ]
        self._critic = PolicyProcessorPipeline(steps=steps, to_transition=_to_transition)

    def for_actor(
        self,
        observations: Observations,
        actions: Float[np.ndarray, "b h a"],
        words: Sequence[str | None],
    ) -> dict[str, Any]:
        """Return pictures, tokens with each chunk's word, and normalised actions."""
        batch = _raw(observations)
        batch[ACTION] = torch.from_numpy(actions)
        batch[WORDS_KEY] = list(words)
        return _without_padding(self._actor(batch))

    def for_critic(self, observations: Observations) -> dict[str, Any]:
        """Return pictures and the tokens of the critic's prompt."""
        return _without_padding(self._critic(_raw(observations)))

    def for_acting(self, observations: Observations) -> dict[str, Any]:
        """Return what the policy samples from: the prompt says the best word."""
        return _without_padding(self._actor(_raw(observations)))


def _without_padding(batch: dict[str, Any]) -> dict[str, Any]:
    """Cut the columns off that are padding in every prompt of the batch."""
    present = [pair for pair in _PROMPTS if pair[0] in batch]
    longest = max(int(batch[mask].sum(dim=1).max()) for _, mask in present)
    cut = {name: batch[name][:, :longest] for pair in present for name in pair}
    return {**batch, **cut}


def _raw(observations: Observations) -> dict[str, Any]:
    batch: dict[str, Any] = {
        f"{OBS_IMAGES}.{name}": pixels(frames) for name, frames in observations.images.items()
    }
    batch[OBS_STATE] = torch.from_numpy(observations.states)
    batch["task"] = observations.tasks
    return batch


def dataset_stats(episodes: Sequence[EpisodeArrays], *, horizon: int | None = None) -> Stats:
    """Return the statistics of states and actions that LeRobot's normaliser reads.

    Every one of LeRobot's modes can be used with them. A dimension that never moves gets a range
    of 1 around its value, else noise of the last digit would become the full scale.

    Args:
        episodes: Of one robot.
        horizon: Steps of a chunk, for those of relative actions too, where the robot has any: its
            state has the dimensions of its actions. None: without them.
    """
    stats = {
        OBS_STATE: _stats(np.concatenate([episode.states for episode in episodes])),
        ACTION: _stats(np.concatenate([episode.actions for episode in episodes])),
    }
    if horizon is not None and episodes[0].states.shape[1] == episodes[0].actions.shape[1]:
        stats[WAYS] = _stats(chunk_ways(episodes, horizon=horizon))
    return stats


def _stats(values: Float[np.ndarray, "n d"]) -> dict[str, np.ndarray]:
    values = values.astype(np.float64)
    low, high = values.min(axis=0), values.max(axis=0)
    q01, q10, q90, q99 = np.quantile(values, [0.01, 0.10, 0.90, 0.99], axis=0)
    still = high - low < 1e-6
    half = np.where(still, 0.5, 0.0)
    flat = q99 - q01 < 1e-6
    q01, q99 = np.where(flat, low, q01), np.where(flat, high, q99)
    stats = {
        "mean": values.mean(axis=0),
        "std": np.where(still, 1.0, values.std(axis=0)),
        "min": low - half,
        "max": high + half,
        "q01": q01 - half,
        "q10": np.where(flat, low, q10) - half,
        "q90": np.where(flat, high, q90) + half,
        "q99": q99 + half,
    }
    return {name: value.astype(np.float32) for name, value in stats.items()}


def range_stats(ranges: Mapping[str, tuple[Sequence[float], Sequence[float]]]) -> Stats:
    """Return statistics that map given ranges to [-1, 1], for a model without data.

    Args:
        ranges: Lowest and highest value of each dimension, by feature (`observation.state`, …).
    """
    stats = {}
    for feature, (low, high) in ranges.items():
        stats[feature] = _stats(np.array([low, high], dtype=np.float64))
        stats[feature] |= {
            "q01": np.asarray(low, dtype=np.float32),
            "q99": np.asarray(high, dtype=np.float32),
        }
    return stats
