"""How many bytes went over an emulated line, for every process that has to do with it.

The counts lie in a file beside the port, which whoever maps it sees as they are.
"""

import mmap
from pathlib import Path

COUNTS = ("num_received", "num_handled", "num_sent")
COUNT_BYTES = 8


class Traffic:
    """Bytes that came to the servos, those of them that were dealt with, and bytes of answers."""

    num_received: int
    num_handled: int
    num_sent: int

    def __init__(self, path: Path) -> None:
        with path.open("r+b") as file:
            self._counts = memoryview(mmap.mmap(file.fileno(), 0)).cast("q")

    @classmethod
    def create(cls, port: Path) -> "Traffic":
        """Begin to count, at zero."""
        path = _beside(port)
        path.write_bytes(bytes(COUNT_BYTES * len(COUNTS)))
        return cls(path)

    @classmethod
    def find(cls, port: Path) -> "Traffic | None":
        """The counts of a port; None when nothing emulated is there."""
        path = _beside(port)
        return cls(path) if path.exists() else None

    def __getattr__(self, name: str) -> int:
        return self._counts[COUNTS.index(name)]

    def __setattr__(self, name: str, value: object) -> None:
        if name in COUNTS:
            self._counts[COUNTS.index(name)] = value  # type: ignore[call-overload]
        else:
            super().__setattr__(name, value)


def _beside(port: Path) -> Path:
    return port.with_name(f"{port.name}.traffic")
