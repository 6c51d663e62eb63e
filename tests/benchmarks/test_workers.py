"""Workers of the improvement benchmark end with the process that began them."""

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil

from tests.flows.processes import wait_for

PROGRAM = """
import multiprocessing, sys, time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from benchmarks.improvement.workers import _end_with_parent
from tests.benchmarks.test_workers import work

if __name__ == "__main__":
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context, initializer=_end_with_parent) as pool:
        pool.submit(work, sys.argv[1]).result()
"""


def work(where: str) -> None:
    aside = Path(where).with_suffix(".new")
    aside.write_text(str(os.getpid()), encoding="utf-8")
    aside.rename(where)
    time.sleep(600)


def test_a_worker_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    program, told = tmp_path / "program.py", tmp_path / "pid"
    program.write_text(PROGRAM, encoding="utf-8")
    root = Path(__file__).parents[2]
    parent = subprocess.Popen(
        [sys.executable, str(program), str(told)],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    try:
        wait_for("the worker to work", told.exists, timeout_s=60)
        worker = int(told.read_text(encoding="utf-8"))
        assert psutil.pid_exists(worker)
    finally:
        parent.kill()
        parent.wait()

    wait_for("the worker to end", lambda: not psutil.pid_exists(worker), timeout_s=30)
