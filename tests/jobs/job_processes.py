"""Runs several jobs in one process of their own: importing torch and LeRobot is paid for once.

Jobs end their process's signal handlers and priorities, so no test runs them in its own.
"""

import os
import subprocess
import sys
from pathlib import Path


def run_jobs(code: str, *data_dirs: Path) -> subprocess.CompletedProcess[str]:
    """Run `code` with `data_dirs` as its arguments; it must end well.

    Returns:
        The ended process, whose `stdout` is what `code` printed.
    """
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, *map(str, data_dirs)],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONPATH": "."},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended
