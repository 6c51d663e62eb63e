"""`python -m backend checkpoints create`."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch

from backend.__main__ import main
from backend.actor.checkpoint_files import check_fit, folder_at
from backend.learning.acting import CheckpointPolicy
from backend.robots.config import load_robot_config
from backend.robots.make import make_arm


@pytest.fixture
def create(capsys):
    """Run the command in this process; return its exit code and what it said."""

    def run(*words: str):
        code = main(["checkpoints", "create", *map(str, words)])
        out, err = capsys.readouterr()
        return code, out + err

    return run


def test_a_checkpoint_made_for_a_robot_fits_it_and_acts_within_its_limits(create, tmp_path):
    code, text = create("--robot", "synthetic", "--out", tmp_path / "new", "--chunk-size", 5)

    assert code == 0, text
    arm = make_arm(load_robot_config("synthetic"))
    check_fit(folder_at(tmp_path / "new"), arm)
    policy = CheckpointPolicy.load(tmp_path / "new")
    ends = policy.postprocessor(torch.tensor([[-1.0], [1.0]]).repeat(1, len(arm.action_names)))
    assert ends.numpy() == pytest.approx(np.stack([arm.limits.low, arm.limits.high]), abs=1e-3)
    assert policy.chunk_size == 5
    assert set(policy.cameras) == set(arm.cameras)


def test_a_robot_may_be_described_and_the_seed_makes_the_weights(create, tmp_path):
    robot = ["--state-dim", 3, "--action-dim", 2, "--camera", "front", "--camera", "side"]
    weights = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        code, text = create(*robot, "--out", tmp_path / name, "--seed", seed, "--json")
        assert code == 0, text
        weights.append((tmp_path / name / "pretrained_model/model.safetensors").read_bytes())

    said = json.loads(text)
    assert said["path"] == str(tmp_path / "c")
    assert (said["state_dim"], said["action_dim"], said["cameras"]) == (3, 2, ["front", "side"])
    assert weights[0] == weights[1]
    assert weights[0] != weights[2]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "for which robot? give --robot NAME, or --state-dim"),
        (["--state-dim", "3", "--action-dim", "2"], "for which robot?"),
        (["--robot", "synthetic", "--camera", "front"], "leave out --state-dim, --action-dim"),
        (["--robot", "so101_sim_tuch"], "did you mean"),
        (["--state-dim", "0", "--action-dim", "2", "--camera", "a"], "--state-dim is 0, must be"),
        (
            ["--state-dim", "1", "--action-dim", "2", "--camera", "a", "--camera", "a"],
            "--camera names one twice: a, a",
        ),
        (["--robot", "synthetic", "--chunk-size", "0"], "--chunk-size is 0, must be at least 1"),
    ],
)
def test_what_cannot_be_made_is_refused_before_anything_is_written(
    create, tmp_path, words, message
):
    code, text = create(*words, "--out", tmp_path / "new")

    assert code == 1
    assert message in text
    assert not (tmp_path / "new").exists()


def test_nothing_is_written_over(create, tmp_path):
    code, text = create("--robot", "synthetic", "--out", tmp_path)

    assert code == 1
    assert "exists: name a folder that --out can make" in text


def test_commands_that_make_no_checkpoint_load_no_torch():
    code = "import sys, backend.__main__; print({'torch', 'lerobot'} & set(sys.modules))"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "set()"
