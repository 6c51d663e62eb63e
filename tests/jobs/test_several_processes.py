"""The same training in two processes, started by Accelerate's launcher."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from backend.domain import JobState
from backend.jobs.train_params import launcher
from tests.jobs.half_batch import ROWS, gradients, start
from tests.jobs.train_fixtures import prepared, record_graded, write_orders

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.flow


@pytest.fixture(scope="module")
def out(tmp_path_factory) -> Path:
    """A data directory in which two processes have done all that `two_processes` says."""
    out = tmp_path_factory.mktemp("two")
    record_graded(out)
    prepared(out).close()
    write_orders(out, "two", "train", preset="debug", run="two", processes=2)
    flags = [str(out), "--data-dir", str(out), "--job-id", "two"]
    done = subprocess.run(
        [sys.executable, *launcher({"processes": 2}), "-m", "tests.jobs.two_processes", *flags],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return out


def test_processes_draw_their_own_chunks_and_keep_the_same_weights(out):
    first, second = (json.loads((out / f"{rank}.json").read_text()) for rank in (0, 1))

    assert first["size"] == 2
    assert first["weights"] == second["weights"]
    assert first["drawn"] != second["drawn"]
    assert first["one_wants_to_stop"]
    assert not first["none_wants_to_stop"]


def test_two_processes_step_on_the_gradient_of_one_with_the_double_batch(out):
    first, second = (load_file(out / f"{rank}.safetensors") for rank in (0, 1))

    whole = gradients(start("cpu"), slice(0, ROWS))

    half = gradients(start("cpu"), slice(0, ROWS // 2))
    for part in ("critic|", "actor|"):
        names = [name for name in whole if name.startswith(part)]
        together, once, alone = (
            torch.cat([found[name].flatten() for name in names]) for found in (first, whole, half)
        )
        assert (together - once).norm() <= 2e-5 * once.norm()
        # The halves do differ, so averaging is what made them equal.
        assert (alone - once).norm() > 0.01 * once.norm()
    assert first.keys() == second.keys() == whole.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_job_of_two_processes_tells_and_saves_once(out):
    ending = json.loads((out / "jobs/two/result.json").read_text())

    assert ending["state"] == JobState.DONE
    assert ending["result"]["checkpoint"] == "two/000004"
    inbox = (out / "jobs/two/metrics.jsonl").read_text().splitlines()
    steps = [line["step"] for line in map(json.loads, inbox) if "train/loss_actor" in str(line)]
    assert steps == [3, 4]
