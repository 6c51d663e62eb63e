"""Brings checkpoints to this computer when the server keeps them on another one.

Where both share a disk there is nothing to bring. Otherwise the server lists the files of the
checkpoint with their checksums; they are fetched aside, broken downloads go on where they ended,
and the folder appears as a whole in this computer's data directory, at the place that it has in
the server's, so that its id means the same here. The copies used last are kept.

Slow: call it where weights are loaded, never in the loop.
"""

import hashlib
import logging
import os
import shutil
import threading
from pathlib import Path
from typing import Protocol

from backend.actor.place import Disk, Place
from backend.actor.server_http import ServerHttp, ServerRefusedError, ServerUnreachableError
from backend.checkpoints import CHECKPOINTS_DIR
from backend.episodes.files import fsync_path, write_json
from backend.wire import FetchPlan, FileFacts

log = logging.getLogger(__name__)

# Beside a copy, `.NAME.fetched.json`: what it consists of. Only what has one is ever removed.
NOTE_SUFFIX = ".fetched.json"
# A checkpoint of the large size takes 7 GB.
KEPT = 4
ATTEMPTS = 5


class NotFetchedError(Exception):
    """A checkpoint cannot be brought here. Says which, why, and what to do."""


class Files(Protocol):
    """Whoever loads weights asks this for their place first."""

    def bring(self, path: str) -> Path:
        """Return where `path` can be read on this computer, fetched if need be.

        Args:
            path: A folder below `checkpoints` of the server's data directory, as the server's
                computer names it or from that directory on: `checkpoints/run/step`.

        Raises:
            NotFetchedError: The server has no such folder, or cannot be reached.
        """


class FetchedFiles:
    """`Files` of one data directory; any thread, one download at a time."""

    def __init__(self, *, data_dir: Path, place: Place, http: ServerHttp) -> None:
        self._data_dir = data_dir
        self._place = place
        self._http = http
        self._lock = threading.Lock()

    def bring(self, path: str) -> Path:
        """See `Files`."""
        if self._place.disk is not Disk.APART:
            return self._data_dir / path
        with self._lock:
            try:
                return self._bring(path)
            except ServerUnreachableError as error:
                raise NotFetchedError(
                    f"{path} lies on the server's computer, which cannot be reached ({error}): "
                    "see to the network, then try again"
                ) from error
            except ServerRefusedError as error:
                raise NotFetchedError(f"the server does not give {path}: {error}") from error
            except OSError as error:
                raise NotFetchedError(
                    f"{path} cannot be kept in {self._data_dir} ({error}): see to its disk"
                ) from error

    def _bring(self, path: str) -> Path:
        plan = self._http.ask("GET", "/files", FetchPlan, params={"path": path})
        for other in plan.needs:
            self._bring(other)
        target = self._data_dir / plan.relative
        note = _note_of(target)
        if target.is_dir() and _is_noted(note, plan):
            # The copies that were used last are kept.
            os.utime(note)
            return target
        if target.is_dir() and not note.exists():
            return _checked_own(target, plan)
        aside = target.with_name(f".{target.name}.fetching")
        log.info("fetching %s, %.1f MB", plan.relative, sum(f.size for f in plan.files) / 1e6)
        for facts in plan.files:
            self._fetch_file(path, facts, aside / facts.name)
        if target.is_dir():
            shutil.rmtree(target)
        write_json(note, plan.model_dump())
        aside.replace(target)
        fsync_path(target.parent)
        log.info("fetched %s", plan.relative)
        self._forget_old()
        return target

    def _fetch_file(self, path: str, facts: FileFacts, to: Path) -> None:
        to.parent.mkdir(parents=True, exist_ok=True)
        for attempt in range(1, ATTEMPTS + 1):
            try:
                self._go_on_with(path, facts, to)
            except ServerUnreachableError:
                if attempt == ATTEMPTS:
                    raise
                continue
            if _digest(to) == facts.sha256:
                fsync_path(to)
                return
            log.warning("%s of %s came damaged and is fetched again", facts.name, path)
            to.unlink()
        raise NotFetchedError(
            f"{facts.name} of {path} came damaged {ATTEMPTS} times: see to the network, then try "
            "again"
        )

    def _go_on_with(self, path: str, facts: FileFacts, to: Path) -> None:
        """Fetch what is missing of a file; too much of it is damage, which its checksum shows."""
        offset = to.stat().st_size if to.exists() else 0
        with to.open("ab") as file:
            if offset < facts.size:
                params = {"path": path, "name": facts.name}
                with self._http.read("/file", offset=offset, params=params) as chunks:
                    for chunk in chunks:
                        file.write(chunk)

    def _forget_old(self) -> None:
        """Remove copies beyond those used last; a loaded checkpoint needs its files no longer."""
        root = self._data_dir / CHECKPOINTS_DIR
        notes = sorted(
            root.rglob(f".*{NOTE_SUFFIX}"), key=lambda note: note.stat().st_mtime, reverse=True
        )
        for note in notes[KEPT:]:
            folder = note.with_name(note.name.removeprefix(".").removesuffix(NOTE_SUFFIX))
            log.info("removing the copy %s: the server has it", folder)
            shutil.rmtree(folder, ignore_errors=True)
            note.unlink()


def _note_of(target: Path) -> Path:
    return target.with_name(f".{target.name}{NOTE_SUFFIX}")


def _is_noted(note: Path, plan: FetchPlan) -> bool:
    try:
        return FetchPlan.model_validate_json(note.read_bytes()).files == plan.files
    except (OSError, ValueError):
        return False


def _checked_own(target: Path, plan: FetchPlan) -> Path:
    """A folder that was not fetched is nobody's to replace; it will do if it is the same."""
    for facts in plan.files:
        own = target / facts.name
        if not own.is_file() or _digest(own) != facts.sha256:
            raise NotFetchedError(
                f"{target} is another checkpoint than the server's of the same name: give this "
                "actor another --data-dir, or rename that run"
            )
    return target


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
