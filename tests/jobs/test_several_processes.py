"""The same training in two processes, started by Accelerate's launcher."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from backend.domain import JobState
from backend.jobs.train_params import launcher
from tests.jobs.train_fixtures import prepared, record_graded, write_orders

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.flow


def launch(*module: str) -> None:
    done = subprocess.run(
        [sys.executable, *launcher({"processes": 2}), "-m", *module],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_processes_draw_their_own_chunks_and_keep_the_same_weights(tmp_path):
    launch("tests.jobs.two_ranks", str(tmp_path))

    first, second = (json.loads((tmp_path / f"{rank}.json").read_text()) for rank in (0, 1))
    assert first["size"] == 2
    assert first["weights"] == second["weights"]
    assert first["drawn"] != second["drawn"]
    assert first["one_wants_to_stop"]
    assert not first["none_wants_to_stop"]


def test_a_job_of_two_processes_tells_and_saves_once(tmp_path):
    record_graded(tmp_path)
    prepared(tmp_path).close()
    write_orders(tmp_path, "two", "train", preset="debug", run="two", processes=2)

    launch("backend.jobs.train", "--data-dir", str(tmp_path), "--job-id", "two")

    ending = json.loads((tmp_path / "jobs/two/result.json").read_text())
    assert ending["state"] == JobState.DONE
    assert ending["result"]["checkpoint"] == "two/000004"
    inbox = (tmp_path / "jobs/two/metrics.jsonl").read_text().splitlines()
    steps = [line["step"] for line in map(json.loads, inbox) if "train/loss_actor" in str(line)]
    assert steps == [3, 4]
