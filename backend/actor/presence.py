"""Says in the data directory that an actor lives, so that the server finds one that outlived it.

`actor.json` is for reading; what keeps a second actor away is a lock on `actor.lock`, which the
kernel lets go of when the process dies, however it dies.
"""

import fcntl
import json
import os
from pathlib import Path
from typing import Any, Self

import psutil

PRESENCE_FILE = "actor.json"
LOCK_FILE = "actor.lock"


class AnotherActorError(Exception):
    """A live actor owns this data directory. Names it and says what to do."""


class Presence:
    """This process is the actor of a data directory, from `claim` to `close`."""

    def __init__(self, path: Path, lock: int) -> None:
        """Use `claim`."""
        self._path = path
        self._lock: int | None = lock

    @classmethod
    def claim(cls, data_dir: Path, *, robot: str, server: str) -> Self:
        """Take the directory.

        Raises:
            AnotherActorError: Another living process has it.
        """
        data_dir.mkdir(parents=True, exist_ok=True)
        lock = os.open(data_dir / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o644)
        path = data_dir / PRESENCE_FILE
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(lock)
            pid = _read(path).get("pid", "unknown")
            raise AnotherActorError(
                f"another actor (pid {pid}) owns the robot and {data_dir}: stop it first "
                f"(kill {pid}), or give this one another --data-dir"
            ) from error
        pid = os.getpid()
        content = {
            "pid": pid,
            "pid_started_s": psutil.Process(pid).create_time(),
            "robot": robot,
            "server": server,
        }
        aside = path.with_suffix(".json.new")
        aside.write_text(json.dumps(content), encoding="utf-8")
        aside.replace(path)
        return cls(path, lock)

    def close(self) -> None:
        """Leave; harmless when repeated."""
        if self._lock is not None:
            self._path.unlink(missing_ok=True)
            os.close(self._lock)
            self._lock = None


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
