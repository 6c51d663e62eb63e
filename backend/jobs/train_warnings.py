"""The traps of a data mix, in words, before a run walks into them.

The worst one: when demonstrations are all successes and the failures come from one policy only, a
critic learns to recognise the source instead of progress. Both outcomes from the same source help.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from backend.domain import Outcome

FEW_EPISODES = 10
# A source drawn so many times more often than its steps deserve is learned by heart.
MOST_OVERSAMPLING = 10.0
MOST_HUMAN = 0.95


@dataclass(frozen=True, kw_only=True)
class SourceCount:
    """What one source holds."""

    name: str
    # Share of the samples.
    share: float
    # Episodes by outcome, and the same by what made them (a policy, a checkpoint, a dataset).
    outcomes: Mapping[str, int]
    num_steps: int
    num_human_steps: int
    origins: Mapping[str, Mapping[str, int]]
    # Episodes by task.
    tasks: Mapping[str, int]

    @property
    def num_episodes(self) -> int:
        return sum(self.outcomes.values())


def warnings_of(counts: Sequence[SourceCount], *, learns_from_returns: bool) -> list[str]:
    """What is wrong with this mix, the gravest first; empty when nothing is.

    Args:
        counts: Of every source.
        learns_from_returns: Whether the critic learns from returns that came true, to which
            unjudged episodes add nothing.
    """
    total = {o: sum(c.outcomes.get(o.value, 0) for c in counts) for o in Outcome}
    judged = total[Outcome.SUCCESS] + total[Outcome.FAILURE]
    warnings = []
    if judged == 0 and learns_from_returns:
        warnings.append(
            "Nobody has judged any of these episodes: the critic has nothing to learn from. Grade "
            "some, or set critic.learn_from to td."
        )
    elif total[Outcome.FAILURE] == 0 and judged:
        warnings.append(
            "There is no failure: the critic only learns how long a success takes, and cannot "
            "tell a bad state from a good one. Add attempts that failed."
        )
    elif total[Outcome.SUCCESS] == 0 and judged:
        warnings.append(
            "There is no success: every value will be the lowest one and no action looks better "
            "than another. Add attempts that succeeded, or demonstrations."
        )
    warnings += _told_apart_by_source(counts)
    warnings += [
        f"{source.name} is empty: nothing of it fits, and its share goes to the others."
        for source in counts
        if source.num_episodes == 0
    ]
    if judged and total[Outcome.NONE] and learns_from_returns:
        warnings.append(
            f"{total[Outcome.NONE]} of {judged + total[Outcome.NONE]} episodes are unjudged: the "
            "actor learns from them, the critic does not. Grade them on the Review page."
        )
    warnings += _oversampled(counts)
    steps = sum(c.num_steps for c in counts)
    human = sum(c.num_human_steps for c in counts)
    if steps and human / steps > MOST_HUMAN:
        warnings.append(
            f"People drove {human / steps:.0%} of the steps, so nearly every chunk is forced to "
            "the best word and the word carries no news. This is imitation; add attempts of the "
            "policy."
        )
    if 0 < judged < FEW_EPISODES:
        warnings.append(
            f"Only {judged} judged episodes: the critic will learn them by heart. Values of new "
            "attempts will mean little below some dozens."
        )
    return warnings


def _told_apart_by_source(counts: Sequence[SourceCount]) -> list[str]:
    """Origins with one outcome only, when every failure comes from elsewhere."""
    origins: dict[str, dict[Outcome, int]] = {}
    for source in counts:
        for name, outcomes in source.origins.items():
            mine = origins.setdefault(name, dict.fromkeys(Outcome, 0))
            for outcome in Outcome:
                mine[outcome] += outcomes.get(outcome.value, 0)
    failing = [name for name, o in origins.items() if o[Outcome.FAILURE]]
    succeeding = [name for name, o in origins.items() if o[Outcome.SUCCESS]]
    if not failing or not succeeding or set(failing) & set(succeeding):
        return []
    return [
        f"All successes come from {_listed(succeeding)} and all failures from {_listed(failing)}: "
        "the critic may learn to tell the sources apart instead of good from bad. Collect both "
        "outcomes with the same policy."
    ]


def _oversampled(counts: Sequence[SourceCount]) -> list[str]:
    steps = sum(c.num_steps for c in counts)
    found = []
    for source in counts:
        if not source.num_steps:
            continue
        times = source.share / (source.num_steps / steps)
        if times > MOST_OVERSAMPLING:
            found.append(
                f"{source.name} has {source.num_steps / steps:.1%} of the steps and "
                f"{source.share:.0%} of the samples: each of its steps is drawn {times:.0f} times "
                "as often as the average, and will be learned by heart."
            )
    return found


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"
