"""Files that appear finished or not at all, and locks that say their holder is alive.

A reader never meets half a file: content is written aside, brought to the disk and then renamed.
What grows in place (steps and videos of a running episode) is not written through here.
"""

import ctypes
import errno
import fcntl
import json
import os
from pathlib import Path
from typing import Any

LOCK_FILE = "recorder.lock"
# Of Linux's renameat2: paths as the process sees them, and swap instead of replace.
AT_FDCWD = -100
RENAME_EXCHANGE = 2
CANNOT = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP)


def fsync_path(path: Path) -> None:
    """Bring a file's content, or a folder's list of names, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write `content` so that `path` holds all of it or what it held before."""
    aside = path.with_name(path.name + ".tmp")
    with aside.open("w", encoding="utf-8") as file:
        json.dump(content, file, indent=2, ensure_ascii=False)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)
    fsync_path(path.parent)


def exchange(path: Path, other: Path) -> bool:
    """Let two paths of one disk change places in one step: nobody meets either of them missing.

    Returns:
        False where the system or the file system cannot; nothing was changed.

    Raises:
        OSError: One of them is not there, or may not be moved.
    """
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if renameat2 is None:
        return False
    names = os.fsencode(path), os.fsencode(other)
    if renameat2(AT_FDCWD, names[0], AT_FDCWD, names[1], RENAME_EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in CANNOT:
        return False
    raise OSError(number, os.strerror(number), str(path), None, str(other))


def take_lock(path: Path) -> int:
    """Mark a file as this process's own; return the descriptor that holds the mark.

    The kernel lets go of it when the process ends, however it ends.

    Raises:
        BlockingIOError: Another process, or another part of this one, holds it.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    os.ftruncate(descriptor, 0)
    os.write(descriptor, f"{os.getpid()}\n".encode())
    return descriptor


def is_locked(folder: Path) -> bool:
    """Whether a living recorder writes in `folder`."""
    try:
        descriptor = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
