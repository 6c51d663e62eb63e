"""Values of recorded steps, in batches: for labels, for charts, for finding odd episodes."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from lerobot.utils.constants import OBS_LANGUAGE_ATTENTION_MASK, OBS_LANGUAGE_TOKENS

from backend.learning.critic import critic_features
from backend.learning.inputs import ModelInputs
from backend.learning.models import Models
from backend.learning.replay import EpisodeArrays, Observations


class Scores(NamedTuple):
    """The critic's view of every step of one episode."""

    # In units of the reward scheme's return.
    values: Float[np.ndarray, " t"]
    # Standard deviation of the predicted distribution; None for a scalar critic.
    spreads: Float[np.ndarray, " t"] | None


@torch.no_grad()
def score_observations(models: Models, observations: Observations) -> Scores:
    """Return value and spread of some moments, in one batch."""
    models.critic.eval()
    models.policy.eval()
    batch = ModelInputs(models.preprocessor).for_critic(observations)
    images, masks = models.policy.camera_images(batch)
    features = critic_features(
        models.policy,
        models.policy.image_features(images),
        masks,
        batch[OBS_LANGUAGE_TOKENS],
        batch[OBS_LANGUAGE_ATTENTION_MASK],
    )
    output = models.critic(features)
    spread = models.critic.spread(output)
    return Scores(
        values=models.critic.values(output).float().cpu().numpy().astype(np.float64),
        spreads=None if spread is None else spread.float().cpu().numpy().astype(np.float64),
    )


def score_episode(models: Models, episode: EpisodeArrays, *, batch_size: int = 64) -> Scores:
    """Return value and spread of every step of an episode."""
    values, spreads = [], []
    for first in range(0, len(episode), batch_size):
        rows = slice(first, min(first + batch_size, len(episode)))
        scores = score_observations(models, observations_of(episode, rows))
        values.append(scores.values)
        spreads.append(scores.spreads)
    return Scores(
        values=np.concatenate(values),
        spreads=None if spreads[0] is None else np.concatenate(spreads),
    )


def score_episodes(
    models: Models,
    episodes: Sequence[EpisodeArrays],
    *,
    batch_size: int = 64,
    on_episode: Callable[[int, int], None] | None = None,
) -> Iterator[tuple[str, Scores]]:
    """Yield the id and scores of each episode as it is done.

    Args:
        models: Whose critic.
        episodes: What to score.
        batch_size: Steps of one forward pass.
        on_episode: Called with the number done and the number of all, for progress.
    """
    for done, episode in enumerate(episodes, start=1):
        yield episode.episode_id, score_episode(models, episode, batch_size=batch_size)
        if on_episode is not None:
            on_episode(done, len(episodes))


def observations_of(episode: EpisodeArrays, rows: slice) -> Observations:
    """Return what was seen at some steps of an episode."""
    states = episode.states[rows]
    return Observations(
        tasks=[episode.task] * len(states),
        states=states,
        images={name: np.asarray(frames[rows]) for name, frames in episode.images.items()},
    )
