"""Whether this computer and the server's share one disk: the server says so at each connection.

The server keeps a nonce, new at each of its starts, in its data directory; whoever reads the same
one in its own is at home there. Paths and addresses prove nothing: two computers may both have
`/data`, and a tunnel makes every server look local.
"""

import threading
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path

from backend.wire import DISK_APART, DISK_HEADER, NONCE_FILE, NONCE_HEADER


class Disk(StrEnum):
    """Where the server keeps its data, as seen from here."""

    UNKNOWN = "unknown"
    SHARED = "shared"
    APART = "apart"


class Place:
    """Asked by several threads; told by the link's."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / NONCE_FILE
        self._lock = threading.Lock()
        self._disk = Disk.UNKNOWN
        self._on_connect: list[Callable[[], None]] = []

    @property
    def disk(self) -> Disk:
        """As the last connection said; unknown before the first."""
        with self._lock:
            return self._disk

    def on_connect(self, call: Callable[[], None]) -> None:
        """Call this after each connection; it returns at once."""
        self._on_connect.append(call)

    def request_headers(self) -> dict[str, str]:
        """What to show the server with the next connection."""
        try:
            nonce = self._path.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError):
            nonce = ""
        return {NONCE_HEADER: nonce or "none"}

    def connected(self, headers: Mapping[str, str]) -> None:
        """A connection stands; `headers` are those of the server's answer."""
        with self._lock:
            said = headers.get(DISK_HEADER)
            self._disk = Disk.APART if said == DISK_APART else Disk.SHARED
        for call in self._on_connect:
            call()
