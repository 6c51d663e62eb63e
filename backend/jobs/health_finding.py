"""What a health check says of a dataset: findings in plain words, each with a remedy."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

NAMED_EPISODES = 5


class Severity(StrEnum):
    """How bad a finding is."""

    # Loading or training fails, or learns from what is wrong.
    BROKEN = "broken"
    # It works, and the result may be worse for it.
    WARNING = "warning"
    # Good to know.
    NOTE = "note"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that a person should know of a dataset."""

    severity: Severity
    # A word for programs, the same in every version.
    code: str
    # One sentence; what it means or where; what to do.
    title: str
    detail: str
    remedy: str
    # Numbers of the episodes it concerns; empty: all of it.
    episodes: tuple[int, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain values for a job's result."""
        return {**asdict(self), "severity": self.severity.value, "episodes": list(self.episodes)}


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """The worst first, else as they were found."""
    return sorted(findings, key=lambda finding: list(Severity).index(finding.severity))


def named(episodes: Sequence[int]) -> str:
    """`episode 3`, `episodes 3, 7 and 9`, `episodes 0, 1, 2, 3, 4 and 12 more`."""
    if len(episodes) == 1:
        return f"episode {episodes[0]}"
    if len(episodes) <= NAMED_EPISODES:
        return f"episodes {', '.join(map(str, episodes[:-1]))} and {episodes[-1]}"
    first = ", ".join(map(str, episodes[:NAMED_EPISODES]))
    return f"episodes {first} and {len(episodes) - NAMED_EPISODES} more"
