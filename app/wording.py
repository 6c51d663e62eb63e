"""Facts as people read them: outcomes with their sign, lengths, sizes, times of this machine."""

from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType

from backend.domain import Outcome

OUTCOMES: Mapping[str, str] = MappingProxyType(
    {Outcome.SUCCESS: "✓ success", Outcome.FAILURE: "✗ failure", Outcome.NONE: "– no grade"}
)


def when(unix_s: float) -> str:
    """Local date and time of a Unix time in seconds."""
    return datetime.fromtimestamp(unix_s, tz=UTC).astimezone().strftime("%Y-%m-%d %H:%M")


def length(num_steps: int, fps: float) -> str:
    """Seconds and steps of an episode."""
    return f"{num_steps / fps:.1f} s · {num_steps} steps"


def size(num_bytes: int) -> str:
    """Bytes in the unit that suits them."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("KB", 1e3)):
        if num_bytes >= factor:
            return f"{num_bytes / factor:.1f} {unit}"
    return f"{num_bytes} B"


def share(part: int, whole: int) -> str:
    """Per cent, a dash of nothing."""
    return f"{100 * part / whole:.0f} %" if whole else "–"


def counted(number: int, noun: str) -> str:
    """`1 episode`, `2 episodes`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
