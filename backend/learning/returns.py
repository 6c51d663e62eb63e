"""Rewards and returns of one episode, from its outcome. Pure functions of numpy arrays.

Time runs in control steps t = 0 … T-1; a chunk starts at t and spans H steps. Its successor state
is the one at t+H. A chunk whose window holds the last step of a *terminated* episode (somebody
judged it) ends there: the last reward counts and nothing is bootstrapped. In a *truncated* episode
(nobody judged it) it is cut at the last state that was seen and bootstrapped from there.

Schemes, chosen by `RewardConfig.scheme`:

- `recap` (π*0.6, arXiv 2511.14759): -1 a step, 0 on the last step of a success, -failure_cost on
  the last step of a failure, all divided by the longest episode of the task; returns are clipped
  to [-1, 0], so a value reads "minus the share of the longest episode still needed".
- `seed`: rewards and discount count per chunk: -1/c for an unfinished chunk, 0 for success,
  `terminal_failure_reward`/c for failure. Departures: the outcome belongs to the chunk that
  contains it (the seed read it from the chunk after, and never trained the last H steps), and a
  truncated chunk pays and discounts by the part of it that was seen.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from backend.domain import Outcome
from backend.learning.config import RewardConfig


@dataclass(frozen=True, kw_only=True)
class ChunkRewards:
    """What a chunk starting at each step earns and where its future is read.

    The target of the chunk at t is `rewards[t] + discounts[t] * bootstraps[t] * V[successors[t]]`.
    """

    rewards: Float[np.ndarray, " t"]
    discounts: Float[np.ndarray, " t"]
    # Step whose value stands for the rest; meaningless where `bootstraps` is False.
    successors: Int[np.ndarray, " t"]
    bootstraps: Bool[np.ndarray, " t"]


def longest_by_task(lengths: list[tuple[str, int]]) -> dict[str, int]:
    """Return the number of steps of the longest episode of each task.

    Args:
        lengths: Task and number of steps of every episode.
    """
    longest: dict[str, int] = {}
    for task, num_steps in lengths:
        longest[task] = max(num_steps, longest.get(task, 1))
    return longest


def chunk_rewards(
    num_steps: int, outcome: Outcome, *, horizon: int, longest: int, config: RewardConfig
) -> ChunkRewards:
    """Return rewards, discounts and successors of the chunks starting at every step.

    Args:
        num_steps: T, at least 1.
        outcome: The judgement in force; `none` makes the episode truncated.
        horizon: H, steps a chunk spans.
        longest: Steps of the longest episode of this task; scales the `recap` scheme.
        config: Scheme and its numbers.
    """
    if num_steps < 1 or horizon < 1 or longest < 1:
        raise ValueError(
            f"num_steps ({num_steps}), horizon ({horizon}) and longest ({longest}) must be at "
            "least 1: is the episode empty?"
        )
    start = np.arange(num_steps)
    last = num_steps - 1
    seen = np.minimum(start + horizon, last) - start  # steps until the successor state
    ends = start + horizon > last
    terminated = outcome is not Outcome.NONE
    failed = outcome is Outcome.FAILURE
    if config.scheme == "recap":
        rewards = -seen / longest
        discounts = np.ones(num_steps)
        end_rewards = -seen / longest - (config.failure_cost / longest if failed else 0.0)
    else:
        share = np.where(ends, seen / horizon, 1.0)
        rewards = -share / config.step_cost_divisor
        discounts = config.discount**share
        end = config.terminal_failure_reward / config.step_cost_divisor if failed else 0.0
        end_rewards = np.full(num_steps, end)
    return ChunkRewards(
        rewards=np.where(ends & terminated, end_rewards, rewards),
        discounts=discounts,
        successors=np.minimum(start + horizon, last),
        bootstraps=~(ends & terminated),
    )


def monte_carlo_returns(chunks: ChunkRewards, *, config: RewardConfig) -> Float[np.ndarray, " t"]:
    """Return what each step really earned until the end, clipped to the scheme's range.

    NaN everywhere for a truncated episode: nobody knows how it would have ended.
    """
    num_steps = len(chunks.rewards)
    returns = np.full(num_steps, np.nan)
    for t in reversed(range(num_steps)):
        if not chunks.bootstraps[t]:
            returns[t] = chunks.rewards[t]
        elif chunks.successors[t] > t:
            returns[t] = chunks.rewards[t] + chunks.discounts[t] * returns[chunks.successors[t]]
    return np.clip(returns, *config.value_range)
