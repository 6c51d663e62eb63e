"""What a preflight says: one line about one thing, how bad it is, and what to do about it.

Nothing of LeRobot is imported here, so whoever only shows findings may.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad a finding is; `blocking` means that nothing may move."""

    OK = "ok"
    WARNING = "warning"
    BLOCKING = "blocking"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One result of a preflight."""

    # What was looked at: `config`, `disk`, `port`, `calibration`, `servos`, `cameras`, `rate`.
    check: str
    level: Level
    # What was found, with numbers and units.
    message: str
    # What to do; empty when there is nothing to do.
    remedy: str = ""

    def __post_init__(self) -> None:
        if self.level is not Level.OK and not self.remedy:
            raise ValueError(f"a finding of level {self.level} needs a remedy: {self.message!r}")


def ok(check: str, message: str) -> Finding:
    """Return a finding about something that is as it should be."""
    return Finding(check=check, level=Level.OK, message=message)


def warning(check: str, message: str, remedy: str) -> Finding:
    """Return a finding about something a person should know; the robot may move."""
    return Finding(check=check, level=Level.WARNING, message=message, remedy=remedy)


def blocking(check: str, message: str, remedy: str) -> Finding:
    """Return a finding that must be remedied before anything moves."""
    return Finding(check=check, level=Level.BLOCKING, message=message, remedy=remedy)


def may_move(findings: Iterable[Finding]) -> bool:
    """Whether nothing among the findings forbids it."""
    return all(finding.level is not Level.BLOCKING for finding in findings)


def in_words(findings: Iterable[Finding]) -> str:
    """What is wrong and what to do about it, as sentences; empty when nothing blocks."""
    return ". ".join(
        f"{finding.message}: {finding.remedy}"
        for finding in findings
        if finding.level is Level.BLOCKING
    )
