"""Starts, signals and recognises processes.

A process is named for good by its id and when it started, since ids are used again.
"""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import psutil

# The kernel counts start times in ticks of 10 ms from a boot time that clocks may move a little.
TOLERANCE_S = 1.0


def started_s(pid: int) -> float | None:
    """When the process started, Unix seconds; None if there is none."""
    try:
        return float(psutil.Process(pid).create_time())
    except psutil.NoSuchProcess:
        return None


def is_same(pid: int | None, expected_started_s: float | None) -> bool:
    """Whether the process that was noted with that start time still runs."""
    if pid is None or expected_started_s is None:
        return False
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        return abs(float(process.create_time()) - expected_started_s) <= TOLERANCE_S
    except psutil.NoSuchProcess:
        return False


def find_by_flag(flag: str, value: str) -> int | None:
    """Id of the oldest running process that has `flag value` on its command line."""
    found = [
        process
        for process in psutil.process_iter(["cmdline", "create_time"])
        if (flag, value) in pairwise(process.info["cmdline"] or [])
    ]
    oldest = min(found, key=lambda process: process.info["create_time"], default=None)
    return oldest.pid if oldest else None


def start_child(
    command: Sequence[str], *, cwd: Path, log: Path, env: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    """Start a process that outlives this one and prints into `log`.

    Args:
        command: Program and arguments.
        cwd: Where it runs.
        log: Appended to.
        env: Added to this process's environment.

    Raises:
        OSError: It could not be started.
    """
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            cwd=cwd,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **env},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def signal_group(pid: int | None, expected_started_s: float | None, number: signal.Signals) -> None:
    """Signal a process of `start_child` and its own children, unless its id is another's now."""
    if pid is None or not is_same(pid, expected_started_s):
        return
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        return
