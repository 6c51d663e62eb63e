"""How far a critic and a label are apart: the episodes a reviewer should look at first.

A value becomes a share of the range that the reward scheme allows, not of the values this critic
happened to give. So the number of an episode follows from its own score and label alone and stays
the same whatever else is recorded or scored, and a critic that says nearly the same of everything
disagrees with nothing by much instead of being stretched until it seems to.

The value at the end decides: there a critic should know best how it went. Where a person moved the
end forward to the success, the highest value stands in for the value there: what the robot did
afterwards says nothing of the attempt.
"""

from backend.domain import Outcome


def disagreement(
    outcome: Outcome,
    *,
    last_value: float,
    max_value: float,
    ends_early: bool,
    lowest: float,
    highest: float,
) -> float | None:
    """Return 0 when the critic is as sure of the label as it can be, 1 when it is of the other.

    Args:
        outcome: In force; without one nobody disagrees: None.
        last_value: Of the last recorded step.
        max_value: The highest of the episode.
        ends_early: Whether a label moved the end forward.
        lowest: Least value the reward scheme can produce.
        highest: Greatest.
    """
    if outcome is Outcome.NONE or highest <= lowest:
        return None
    value = max_value if ends_early else last_value
    hope = min(1.0, max(0.0, (value - lowest) / (highest - lowest)))
    return hope if outcome is Outcome.FAILURE else 1.0 - hope
