"""Episodes that wait on this computer's disk until the server, on another one, has them.

A note in the episode's folder says that it waits, from before its first step; later, that the
server has confirmed it. What waits is never removed. What was confirmed stays as long as all of it
together takes less than a limit, the oldest go first, and each that goes is named in the log.

Files only; `uploads.py` brings them away.
"""

import hashlib
import json
import logging
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from backend.episodes.files import LOCK_FILE, fsync_path, is_locked, write_json
from backend.episodes.format import EpisodeHeader
from backend.episodes.recovery import DISCARDED_DIR
from backend.episodes.store import EpisodeWriter
from backend.wire import FileFacts, UploadPlan

log = logging.getLogger(__name__)

# {"server": null} while the episode waits, else who has it and since when.
NOTE_FILE = "spool.json"


class Spool:
    """The episodes of one data directory that were recorded for a server elsewhere."""

    def __init__(self, episodes_dir: Path, *, keep_bytes: int) -> None:
        """Args:
        episodes_dir: Where they are recorded.
        keep_bytes: What confirmed ones may take.
        """
        self._episodes_dir = episodes_dir
        self._keep_bytes = keep_bytes

    def create(self, header: EpisodeHeader) -> EpisodeWriter:
        """Begin an episode that is to be brought away."""
        writer = EpisodeWriter.create(self._episodes_dir, header)
        try:
            write_json(writer.folder / NOTE_FILE, {"server": None})
        except OSError:
            writer.close()
            raise
        return writer

    def waiting(self) -> list[Path]:
        """Folders that wait, oldest first: episodes, and takes whose recorder is dead."""
        waiting = [
            folder
            for folder, note in self._notes()
            if note.get("server") is None and not is_locked(folder)
        ]
        return sorted(waiting, key=lambda folder: folder.stat().st_mtime)

    def confirm(self, folder: Path, *, server: str, now_s: float) -> None:
        """The server has verified all of it."""
        write_json(folder / NOTE_FILE, {"server": server, "confirmed_s": now_s})

    def discard(self, folder: Path) -> Path:
        """Move an episode that will not be brought away to the trash folder; return where it is."""
        trash = self._episodes_dir.parent / DISCARDED_DIR
        trash.mkdir(exist_ok=True)
        destination = trash / folder.name
        folder.rename(destination)
        fsync_path(trash)
        fsync_path(self._episodes_dir)
        return destination

    def make_room(self) -> list[str]:
        """Remove the oldest confirmed episodes beyond the limit; return their ids."""
        confirmed = sorted(
            (float(note.get("confirmed_s", 0.0)), _size(folder), folder)
            for folder, note in self._notes()
            if note.get("server") is not None
        )
        total = sum(size for _, size, _ in confirmed)
        gone = []
        for _, size, folder in confirmed:
            if total <= self._keep_bytes:
                break
            log.info("removing %s: the server has it", folder)
            shutil.rmtree(folder)
            total -= size
            gone.append(folder.name)
        return gone

    def _notes(self) -> list[tuple[Path, dict[str, Any]]]:
        found = []
        for path in self._episodes_dir.glob(f"*/{NOTE_FILE}"):
            try:
                note = json.loads(path.read_text(encoding="utf-8"))
            except (OSError, ValueError):
                # Better brought twice than lost.
                note = {}
            found.append((path.parent, note if isinstance(note, dict) else {}))
        return found


def plan_of(folder: Path) -> UploadPlan:
    """What an episode's folder consists of; reads all of it."""
    files: Sequence[Path] = [
        path
        for path in sorted(folder.iterdir())
        if path.is_file() and path.name not in (NOTE_FILE, LOCK_FILE) and path.suffix != ".tmp"
    ]
    return UploadPlan(files=[_facts(path) for path in files])


def _facts(path: Path) -> FileFacts:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return FileFacts(name=path.name, size=path.stat().st_size, sha256=digest)


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
