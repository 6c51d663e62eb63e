"""LeRobot's own programs, in processes of their own, load and run our checkpoints."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from backend.learning.checkpoints import create_tiny_checkpoint

ROOT = Path(__file__).parents[2]
PLUGIN = "backend.learning.pi05_rl"

LOAD = """
import json, sys
import numpy as np, torch
from lerobot.configs import PreTrainedConfig
from lerobot.configs.parser import load_plugin
from lerobot.policies.factory import get_policy_class, make_pre_post_processors
load_plugin("backend.learning.pi05_rl")
folder = sys.argv[1]
config = PreTrainedConfig.from_pretrained(folder)
policy = get_policy_class(config.type).from_pretrained(folder)
pre, post = make_pre_post_processors(config, pretrained_path=folder)
batch = pre({
    "observation.state": torch.zeros(2),
    "observation.images.front": torch.zeros(3, 32, 32),
    "task": "touch the cube",
})
torch.manual_seed(0)
print(json.dumps({
    "type": config.type,
    "learner_code": sorted(m for m in sys.modules if m == "backend.learning.learner"),
    "action": post(policy.select_action(batch)).tolist(),
    "task": batch["task"],
}))
"""


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return create_tiny_checkpoint(
        tmp_path_factory.mktemp("made") / "tiny",
        cameras=["front"],
        state_dim=2,
        action_dim=2,
        action_names=["a.pos", "b.pos"],
        chunk_size=4,
    )


def run(command, **env):
    return subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", **env},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def test_lerobots_loader_makes_policy_and_processors_from_the_folder_alone(checkpoint):
    done = run([sys.executable, "-c", LOAD, str(checkpoint / "pretrained_model")])

    assert done.returncode == 0, done.stderr[-3000:]
    said = json.loads(done.stdout.strip().splitlines()[-1])
    assert said["type"] == "pi05_rl"
    assert said["task"] == ["Task: touch the cube, State: 128 128, Advantage: positive;\nAction: "]
    assert len(said["action"][0]) == 2
    assert said["learner_code"] == []


@pytest.mark.flow
def test_lerobot_rollout_drives_a_robot_with_the_checkpoint(checkpoint, tmp_path):
    log = tmp_path / "sent.json"
    done = run(
        [
            sys.executable,
            "-m",
            "lerobot.scripts.lerobot_rollout",
            f"--policy.path={checkpoint / 'pretrained_model'}",
            f"--plugins.discover_packages_path={PLUGIN}",
            "--robot.discover_packages_path=tests.learning.lerobot_plugin",
            "--robot.type=paper_arm",
            "--robot.id=test",
            "--task=touch the cube",
            "--fps=10",
            "--duration=1",
            "--device=cpu",
            "--return_to_initial_position=false",
        ],
        PAPER_ARM_LOG=str(log),
    )

    assert done.returncode == 0, done.stderr[-3000:]
    sent = json.loads(log.read_text())
    assert len(sent) >= 2
    assert set(sent[0]) == {"a.pos", "b.pos"}
