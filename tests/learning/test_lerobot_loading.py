"""LeRobot's own programs, in a process of their own, run and load our checkpoints.

One process does both, because importing LeRobot takes longer than all the rest: first the rollout,
which knows our policy only by its flag, then LeRobot's loader on the folder alone.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from backend.learning.checkpoints import create_tiny_checkpoint

ROOT = Path(__file__).parents[2]
PLUGIN = "backend.learning.pi05_rl"

ROLL_OUT_THEN_LOAD = """
import json, runpy, sys
import torch
folder = sys.argv.pop(1)
before = sorted(m for m in sys.modules if m.startswith("backend"))
runpy.run_module("lerobot.scripts.lerobot_rollout", run_name="__main__")

from lerobot.configs import PreTrainedConfig
from lerobot.policies.factory import get_policy_class, make_pre_post_processors
config = PreTrainedConfig.from_pretrained(folder)
policy = get_policy_class(config.type).from_pretrained(folder)
pre, post = make_pre_post_processors(config, pretrained_path=folder)
batch = pre({
    "observation.state": torch.zeros(2),
    "observation.images.front": torch.zeros(3, 32, 32),
    "task": "touch the cube",
})
print(json.dumps({
    "before": before,
    "type": config.type,
    "learner_code": sorted(m for m in sys.modules if m == "backend.learning.learner"),
    "action": post(policy.select_action(batch)).tolist(),
    "task": batch["task"],
}))
"""

pytestmark = pytest.mark.flow


@pytest.fixture(scope="module")
def done(tmp_path_factory) -> dict:
    """What the robot was sent, and what loading the folder gave."""
    folder = tmp_path_factory.mktemp("made")
    checkpoint = create_tiny_checkpoint(
        folder / "tiny",
        cameras=["front"],
        state_dim=2,
        action_dim=2,
        action_names=["a.pos", "b.pos"],
        chunk_size=4,
    )
    pretrained, log = checkpoint / "pretrained_model", folder / "sent.json"
    flags = [
        f"--policy.path={pretrained}",
        f"--plugins.discover_packages_path={PLUGIN}",
        "--robot.discover_packages_path=tests.learning.lerobot_plugin",
        "--robot.type=paper_arm",
        "--robot.id=test",
        "--task=touch the cube",
        "--fps=10",
        "--duration=1",
        "--device=cpu",
        "--return_to_initial_position=false",
    ]
    process = subprocess.run(
        [sys.executable, "-c", ROLL_OUT_THEN_LOAD, str(pretrained), *flags],
        cwd=ROOT,
        env={
            **os.environ,
            "HF_HUB_OFFLINE": "1",
            "OMP_NUM_THREADS": "1",
            "PAPER_ARM_LOG": str(log),
        },
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert process.returncode == 0, process.stderr[-3000:]
    loaded = json.loads(process.stdout.strip().splitlines()[-1])
    return {"sent": json.loads(log.read_text()), **loaded}


def test_lerobot_rollout_drives_a_robot_with_the_checkpoint(done):
    assert done["before"] == []
    assert len(done["sent"]) >= 2
    assert set(done["sent"][0]) == {"a.pos", "b.pos"}


def test_lerobots_loader_makes_policy_and_processors_from_the_folder_alone(done):
    assert done["type"] == "pi05_rl"
    assert done["task"] == ["Task: touch the cube, State: 128 128, Advantage: positive;\nAction: "]
    assert len(done["action"][0]) == 2
    assert done["learner_code"] == []
