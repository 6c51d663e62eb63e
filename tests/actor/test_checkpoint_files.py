"""Which checkpoints there are, and which of them a robot can be driven by."""

import json
import os
from pathlib import Path

import pytest

from backend.actor.checkpoint_files import (
    CheckpointFolder,
    CheckpointUnfitError,
    check_fit,
    checkpoints_on_disk,
    find_checkpoint,
    folder_at,
)
from backend.learning.published_files import WeightsNote, sha256_of, write_note
from tests.actor.fakes import JOINTS, FakeArm, FakeClock


def write(data_dir: Path, checkpoint_id: str, *, age_s: float = 0, **changes) -> Path:
    """A checkpoint folder for the fake arm, without weights."""
    folder = data_dir / "checkpoints" / checkpoint_id / "pretrained_model"
    folder.mkdir(parents=True)
    config = {
        "type": "pi05_rl",
        "input_features": {
            "observation.images.front": {"type": "VISUAL", "shape": [3, 96, 96]},
            "observation.state": {"type": "STATE", "shape": [2]},
        },
        "output_features": {"action": {"type": "ACTION", "shape": [2]}},
        "action_feature_names": list(JOINTS),
    }
    (folder / "config.json").write_text(json.dumps({**config, **changes}))
    os.utime(folder, (1_700_000_000 - age_s,) * 2)
    return folder.parent


@pytest.fixture
def arm() -> FakeArm:
    return FakeArm(FakeClock())


def test_checkpoints_are_named_newest_first_and_unfinished_ones_are_not(tmp_path):
    write(tmp_path, "touch/000500", age_s=20)
    write(tmp_path, "pick/000100", age_s=10)
    write(tmp_path, "touch/001000")
    write(tmp_path, "touch/.001500.writing")
    (tmp_path / "checkpoints" / "touch" / "002000").mkdir()

    assert checkpoints_on_disk(tmp_path) == ("touch/001000", "pick/000100", "touch/000500")
    assert checkpoints_on_disk(tmp_path / "nowhere") == ()


def test_a_checkpoint_is_found_by_its_id_its_folder_or_what_lerobot_loads(tmp_path):
    path = write(tmp_path, "touch/000500")
    found = CheckpointFolder(id="touch/000500", path=path)

    assert find_checkpoint(tmp_path, "touch/000500") == found
    assert find_checkpoint(tmp_path, str(path)) == found
    assert find_checkpoint(tmp_path, str(path / "pretrained_model")) == found
    assert folder_at(tmp_path / "my_policy").id == "my_policy"


@pytest.mark.parametrize("wanted", ["touch/000600", "scripte", "touch/../secrets"])
def test_what_is_no_checkpoint_is_refused_with_those_there_are(tmp_path, wanted):
    write(tmp_path, "touch/000500")

    with pytest.raises(CheckpointUnfitError, match=r"there are touch/000500") as refused:
        find_checkpoint(tmp_path, wanted)

    assert wanted in str(refused.value)


def test_a_checkpoint_made_for_the_robot_fits(tmp_path, arm):
    check_fit(folder_at(write(tmp_path, "touch/000500")), arm)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"type": "act"}, r"is a 'act' policy, must be 'pi05_rl'"),
        (
            {
                "input_features": {
                    "observation.images.wrist": {"shape": [3, 96, 96]},
                    "observation.state": {"shape": [2]},
                }
            },
            r"sees by camera wrist, this robot has front: open the robot it was trained for",
        ),
        (
            {"input_features": {"observation.state": {"shape": [6]}}},
            r"has states of 6 numbers, this robot's have 2",
        ),
        (
            {"output_features": {"action": {"shape": [7]}}},
            r"has actions of 7 numbers, this robot's have 2",
        ),
        (
            {"action_feature_names": ["two.pos", "one.pos"]},
            r"moves two\.pos, one\.pos, this robot one\.pos, two\.pos",
        ),
        ({"output_features": None}, r"config\.json is no policy's config .*choose another one"),
    ],
)
def test_a_checkpoint_for_something_else_is_refused_by_what_differs(
    tmp_path, arm, changes, message
):
    path = write(tmp_path, "touch/000500", **changes)

    with pytest.raises(CheckpointUnfitError, match=message) as refused:
        check_fit(folder_at(path), arm)

    assert str(refused.value).startswith("checkpoint touch/000500 ")


def test_a_checkpoint_whose_files_are_gone_says_where_they_should_be(tmp_path, arm):
    with pytest.raises(CheckpointUnfitError, match=r"has no .*touch/000500/config\.json: it was"):
        check_fit(folder_at(tmp_path / "touch" / "000500"), arm)


def publish(data_dir: Path, run: str, version: int, *, shape: list[int]) -> Path:
    """Weights of one tensor over a checkpoint of one tensor, by headers alone."""
    base = data_dir / "checkpoints" / run / "000000" / "pretrained_model"
    folder = data_dir / "checkpoints" / run / "weights" / f"{version:06d}"
    folder.mkdir(parents=True)
    for path, name, of in (
        (base / "model.safetensors", "expert", [2]),
        (base / "critic.safetensors", "head", [1]),
        (folder / "trained.safetensors", "actor.expert", shape),
    ):
        size = 4 * of[0]
        tensor = {"dtype": "F32", "shape": of, "data_offsets": [0, size]}
        header = json.dumps({name: tensor}).encode()
        path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(size))
    trained = folder / "trained.safetensors"
    write_note(
        folder,
        WeightsNote(
            run=run,
            version=version,
            step=20,
            base=f"{run}/000000",
            created_s=0.0,
            label_revision=0,
            size_bytes=trained.stat().st_size,
            sha256=sha256_of(trained),
        ),
    )
    return folder


def test_published_weights_are_found_by_their_id_and_fit_by_what_they_lie_over(tmp_path, arm):
    write(tmp_path, "touch/000000")
    path = publish(tmp_path, "touch", 7, shape=[2])
    found = CheckpointFolder(id="touch@000007", path=path)

    assert find_checkpoint(tmp_path, "touch@000007") == found
    assert find_checkpoint(tmp_path, str(path)) == found
    check_fit(found, arm)

    with pytest.raises(CheckpointUnfitError, match=r"touch@000008 are not in .*: newer ones"):
        check_fit(find_checkpoint(tmp_path, "touch@000008"), arm)
    wide = folder_at(publish(tmp_path, "touch", 9, shape=[3]))
    with pytest.raises(CheckpointUnfitError, match=r"actor.expert is F32 \[3\], checkpoint touch/"):
        check_fit(wide, arm)
    arm.cameras = {"elsewhere": (640, 480)}
    with pytest.raises(CheckpointUnfitError, match=r"touch@000007 sees by camera front, this"):
        check_fit(found, arm)


def test_joint_names_that_a_checkpoint_does_not_know_are_not_compared(tmp_path, arm):
    check_fit(folder_at(write(tmp_path, "touch/000500", action_feature_names=None)), arm)
