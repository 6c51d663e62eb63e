"""A real checkpoint of the small size, from its folder to the actions of a robot."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from backend.actor.checkpoint_model import CheckpointModel
from backend.actor.chunks import Blend, ChunkPlayer
from backend.actor.clock import SystemClock
from backend.actor.rig import Rig, RigRefusedError
from backend.actor.rigging import LeRobotRigs
from backend.control import Observation
from backend.learning.checkpoints import create_tiny_checkpoint
from backend.learning.published_files import (
    TRAINED_FILE,
    WeightsNote,
    sha256_of,
    weights_folder,
    write_note,
)

ROBOT = "synthetic"
CHUNK = 8


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory) -> Path:
    """Holds `tiny/000000`, made for the synthetic robot, and two that are not for it."""
    folder = tmp_path_factory.mktemp("data")
    rigs = LeRobotRigs(default_robot=ROBOT, data_dir=folder, clock=SystemClock())
    rig = rigs.connect(ROBOT, "hold")
    cameras, joints = tuple(rig.arm.cameras), rig.arm.action_names
    rig.close()
    for run, seen in (("tiny", cameras), ("other", ("elsewhere",)), ("broken", cameras)):
        create_tiny_checkpoint(
            folder / "checkpoints" / run / "000000",
            cameras=seen,
            state_dim=len(joints),
            action_dim=len(joints),
            action_names=joints,
            chunk_size=CHUNK,
        )
    weights = folder / "checkpoints/broken/000000/pretrained_model/model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    publish(folder, 1)
    publish(folder, 2)
    damaged = weights_folder(folder / "checkpoints/tiny", 2) / TRAINED_FILE
    content = damaged.read_bytes()
    damaged.write_bytes(content[:-1] + bytes([content[-1] ^ 255]))
    return folder


def publish(data_dir: Path, version: int) -> None:
    """Weights over `tiny/000000` that differ from its own in what the last layer adds."""
    run = data_dir / "checkpoints/tiny"
    own = load_file(run / "000000/pretrained_model/model.safetensors")
    folder = weights_folder(run, version)
    folder.mkdir(parents=True)
    bias = "model.action_out_proj.bias"
    save_file({f"actor.{bias}": own[bias] + 100}, folder / TRAINED_FILE)
    write_note(
        folder,
        WeightsNote(
            run="tiny",
            version=version,
            step=5,
            base="tiny/000000",
            created_s=0.0,
            label_revision=0,
            size_bytes=(folder / TRAINED_FILE).stat().st_size,
            sha256=sha256_of(folder / TRAINED_FILE),
        ),
    )


@pytest.fixture
def rigs(data_dir) -> LeRobotRigs:
    return LeRobotRigs(default_robot=ROBOT, data_dir=data_dir, clock=SystemClock())


@pytest.fixture
def rig(rigs) -> Iterator[Rig]:
    rig = rigs.connect(ROBOT, "tiny/000000")
    yield rig
    rig.close()


def seen(rig: Rig, *, since: int = 0) -> Observation:
    rng = np.random.default_rng(since)
    return Observation(
        state=rng.uniform(-50, 50, len(rig.arm.state_names)).astype(np.float32),
        frames={
            name: rng.integers(0, 255, (height, width, 3), dtype=np.uint8)
            for name, (width, height) in rig.arm.cameras.items()
        },
        frame_wall_s={},
    )


def test_a_checkpoint_is_named_with_the_built_in_policies_and_drives(rigs, rig):
    assert set(rigs.facts(ROBOT).policies) >= {"hold", "tiny/000000"}
    assert rig.policy.checkpoint_id == rig.policy_name == "tiny/000000"
    assert isinstance(rig.policy, ChunkPlayer)

    played, step = [], 0
    deadline_s = time.monotonic() + 60
    while len(played) < 2 * CHUNK or rig.policy.thoughts().value is None:
        assert time.monotonic() < deadline_s
        observation = seen(rig, since=step)
        rig.policy.watch(observation, step=step, task="Wave")
        action = rig.policy.act(observation)
        played += [] if action is None else [action]
        step += 1
        # As long as it takes to think, so that a value fits between two chunks.
        threading.Event().wait(0.05)

    assert {(action.shape, action.dtype) for action in played} == {((6,), np.dtype(np.float32))}
    assert np.isfinite(played).all()
    thoughts = rig.policy.thoughts()
    assert -1 <= thoughts.value <= 0
    assert thoughts.spread > 0
    assert thoughts.chunk_s > 0


def test_published_weights_are_laid_over_their_checkpoint_and_drive(data_dir, rigs, rig):
    published = rigs.load_policy("tiny@000001", rig.arm)
    published.close()
    assert published.checkpoint_id == "tiny@000001"
    observation = seen(rig)

    def plan(folder: str) -> np.ndarray:
        torch.manual_seed(0)
        model = CheckpointModel.load(data_dir / "checkpoints/tiny" / folder)
        return model.plan(observation, "Wave", None).normalised.numpy()

    # What pushes the velocity up at every step of the way from noise pushes the actions down.
    assert (plan("weights/000001") < plan("000000") - 50).all()


def test_blending_keeps_to_what_is_left_of_the_old_chunk(data_dir, rig):
    model = CheckpointModel.load(data_dir / "checkpoints/tiny/000000")
    observation = seen(rig)
    left_over = torch.full((CHUNK, 6), 0.5)
    assert model.can_blend

    def distance(blend: Blend | None) -> float:
        torch.manual_seed(0)
        chunk = model.plan(observation, "Wave", blend)
        assert chunk.actions.shape == chunk.normalised.shape == (CHUNK, 6)
        return float((chunk.normalised[:3] - left_over[:3]).abs().mean())

    assert distance(Blend(left_over=left_over, delay=3)) < distance(None) / 4


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        ("other/000000", r"sees by camera elsewhere, this robot has"),
        ("broken/000000", r"broken/000000 cannot be loaded: \w+Error: .*choose another one"),
        ("tiny@000002", r"WeightsError: weights tiny@000002 are damaged: their checksum is"),
        ("tiny@000003", r"weights tiny@000003 are not in .*newer ones have taken their place"),
        ("tiny/000001", r"there is no checkpoint tiny/000001 in .*; there are "),
    ],
)
def test_a_checkpoint_that_cannot_drive_is_refused_before_the_robot_is_touched(
    rigs, policy, message
):
    with pytest.raises(RigRefusedError, match=message):
        rigs.connect(ROBOT, policy)
