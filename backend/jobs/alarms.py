"""What is wrong with a training run, in words, from its numbers. Pure functions.

An alarm has a name, stays while its rule holds and says what to do. The page shows them on top.
"""

import math
from collections.abc import Mapping

from backend.learning.advantages import best_word
from backend.learning.config import LearnerConfig

# Share of the chunks with the best word outside of which the word carries no news.
POSITIVE_SHARES = (0.02, 0.98)
# The word is ignored when flipping it changes the flow loss by less than this share of it.
LEAST_GAP = 0.01
# Updates of the actor before which nobody can have learned a word.
LEARNED_AFTER = 200
# Share of the time spent waiting for data at which a faster disk pays.
MOST_WAITING = 0.2
# By how much of its range a value may leave it: a scalar critic overshoots a little.
VALUE_SLACK = 0.1


def alarms_of(
    metrics: Mapping[str, float], *, config: LearnerConfig, actor_updates: int
) -> dict[str, str]:
    """Alarms that hold now, by name.

    Args:
        metrics: The newest number of each name, as the learner and the probes call them.
        config: Of the run.
        actor_updates: Updates of the actor so far.
    """
    # Probes are NaN when there is nothing to probe; what was trained on never is.
    broken = [n for n, v in metrics.items() if not math.isfinite(v) and not n.startswith("probe/")]
    if broken:
        # Whatever else would be said of such a run follows from this.
        return {
            "not_finite": f"{broken[0]} is {metrics[broken[0]]}: the run has diverged. Lower the "
            "learning rate, or look for broken states and actions in the data."
        }
    found = _positive_share(metrics, config)
    found |= _word_ignored(metrics, config, actor_updates)
    found |= _values(metrics, config)
    waiting = metrics.get("data_wait_share", 0.0)
    if waiting > MOST_WAITING:
        found["waits_for_data"] = (
            f"{waiting:.0%} of the time goes into waiting for pictures: the disk under the data "
            "directory is too slow, or the memory too small for these episodes."
        )
    return found


def _positive_share(metrics: Mapping[str, float], config: LearnerConfig) -> dict[str, str]:
    word = best_word(config.words.mode)
    share = metrics.get("label_positive_fraction", metrics.get(f"word_fraction/{word}"))
    if word is None or share is None or not math.isfinite(share):
        return {}
    low, high = POSITIVE_SHARES
    if low <= share <= high:
        return {}
    remedy = (
        "change words.positive_fraction, or add attempts that are not all driven by people"
        if config.words.mode == "two"
        else "change words.scaling"
    )
    return {
        "positive_share": f"{share:.1%} of the chunks are '{word}': the word carries no news, so "
        f"the policy cannot learn from it. To mend it, {remedy}."
    }


def _word_ignored(
    metrics: Mapping[str, float], config: LearnerConfig, actor_updates: int
) -> dict[str, str]:
    gap, loss = metrics.get("probe/conditioning_gap"), metrics.get("loss_actor")
    if gap is None or loss is None or not math.isfinite(gap) or config.words.mode == "none":
        return {}
    if actor_updates < LEARNED_AFTER or gap >= LEAST_GAP * loss:
        return {}
    return {
        "word_ignored": f"The opposite word changes the actor's loss by {gap:.2g} of {loss:.2g}: "
        "the policy ignores its word, so asking for the best actions asks for nothing. Train the "
        "actor longer, lower words.dropout, or let more of its language layers learn."
    }


def _values(metrics: Mapping[str, float], config: LearnerConfig) -> dict[str, str]:
    low, high = config.reward.value_range
    slack = VALUE_SLACK * (high - low)
    mean, std = metrics.get("critic_value_mean"), metrics.get("critic_value_std")
    if mean is None or std is None or not math.isfinite(mean):
        return {}
    if low - slack <= mean - std and mean + std <= high + slack:
        return {}
    return {
        "value_outside": f"The critic says {mean:.2f} ± {std:.2f}, but returns lie between "
        f"{low:.2f} and {high:.2f}: it has not learned their scale yet, or has diverged. Lower "
        "critic_lr if this stays."
    }
