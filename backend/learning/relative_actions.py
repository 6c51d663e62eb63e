"""Actions told as ways from where the robot is, instead of as places: statistics of both kinds.

The conversion itself is LeRobot's (`RelativeActionsProcessorStep`), made before an action is
normalised and undone after it is denormalised; the joints in `relative_exclude_joints` (the
gripper) stay places. A way within one chunk is short, so the error that a small model makes in
normalised units becomes a small error of the robot: that is what it is for.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from lerobot.processor import RelativeActionsProcessorStep
from lerobot.utils.constants import ACTION

from backend.learning.pi05_rl.configuration_pi05_rl import PI05RLConfig
from backend.learning.replay import EpisodeArrays

# Beside LeRobot's own keys: statistics of what a chunk's actions are away from its first state.
WAYS = "action.relative"
# So many chunks say enough about the quantiles of all.
MOST_CHUNKS = 50_000


def chunk_ways(episodes: Sequence[EpisodeArrays], *, horizon: int) -> Float[np.ndarray, "n a"]:
    """Return action minus state of the chunk's start, for every step of evenly chosen chunks.

    Args:
        episodes: Of one robot, whose actions are targets of what its state reports.
        horizon: Steps of a chunk.
    """
    every = 1 + sum(len(episode) for episode in episodes) // MOST_CHUNKS
    ways = [
        episode.actions[start : start + horizon] - episode.states[start]
        for episode in episodes
        for start in range(0, len(episode), every)
    ]
    return np.concatenate(ways)


def stats_in_use(
    config: PI05RLConfig, stats: Mapping[str, Mapping[str, np.ndarray]]
) -> dict[str, dict[str, np.ndarray]]:
    """Return the statistics that normalise what this policy is told and says.

    Args:
        config: Says whether actions are relative, and which of them are not.
        stats: Of states, actions and, where these are relative, of `WAYS`.

    Raises:
        ValueError: Actions are relative and nothing is known of their ways.
    """
    used = {name: dict(values) for name, values in stats.items() if name != WAYS}
    if not config.use_relative_actions:
        return used
    if WAYS not in stats:
        raise ValueError(
            "model.actions is 'relative', but the robot's states and actions differ in their "
            "dimensions, or no episodes are given: use 'absolute'"
        )
    step = RelativeActionsProcessorStep(
        enabled=True,
        exclude_joints=config.relative_exclude_joints,
        action_names=config.action_feature_names,
    )
    is_way = np.array(step._build_mask(len(stats[ACTION]["mean"])))
    used[ACTION] = {
        key: np.where(is_way, stats[WAYS][key], value) for key, value in stats[ACTION].items()
    }
    return used
