"""Finds checkpoints on the disk and says, before any weight is read, whether they fit a robot.

Weights that a run published between its checkpoints count as checkpoints here: `run@version`, which
lies over a whole one. Reads folder names, `config.json` and headers only: no torch.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from backend.checkpoints import (
    CHECKPOINT_ID,
    CHECKPOINTS_DIR,
    PRETRAINED_DIR,
    CheckpointError,
    CheckpointNotFoundError,
    present_path,
)
from backend.control import Arm
from backend.learning.published_files import (
    WEIGHTS_ID,
    WeightsError,
    base_checkpoint,
    check_shapes,
    is_weights_folder,
    read_note,
    weights_folder,
    weights_id,
)

CONFIG_FILE = "config.json"
IMAGES = "observation.images."
# An introduction names the newest so many; any other can still be asked for by its id.
MAX_NAMED = 100


class CheckpointUnfitError(Exception):
    """A checkpoint that cannot drive. Names it, what is wrong, and what to do."""


@dataclass(frozen=True, kw_only=True)
class CheckpointFolder:
    """One checkpoint: what it is called, and where it is."""

    # `run/step`, `run@version`, or the name of a folder that lies elsewhere.
    id: str
    path: Path


def checkpoints_on_disk(data_dir: Path) -> tuple[str, ...]:
    """Ids of the finished checkpoints of a data directory, newest first."""
    found = []
    for folder in data_dir.glob(f"{CHECKPOINTS_DIR}/*/*/{PRETRAINED_DIR}"):
        checkpoint_id = f"{folder.parts[-3]}/{folder.parts[-2]}"
        if CHECKPOINT_ID.fullmatch(checkpoint_id):
            try:
                found.append((folder.stat().st_mtime, checkpoint_id))
            except FileNotFoundError:
                # Pruned between the two looks.
                continue
    return tuple(checkpoint_id for _, checkpoint_id in sorted(found, reverse=True)[:MAX_NAMED])


def find_checkpoint(data_dir: Path, wanted: str) -> CheckpointFolder:
    """The checkpoint `run/step` or `run@version` of a data directory, or the one in a folder.

    Raises:
        CheckpointUnfitError: There is none.
    """
    path = Path(wanted).expanduser()
    if path.is_absolute() or path.is_dir():
        return folder_at(path)
    published = WEIGHTS_ID.fullmatch(wanted)
    if published:
        run = data_dir / CHECKPOINTS_DIR / published["run"]
        return folder_at(weights_folder(run, int(published["version"])))
    try:
        return CheckpointFolder(id=wanted, path=present_path(data_dir, wanted))
    except (CheckpointError, CheckpointNotFoundError) as error:
        known = checkpoints_on_disk(data_dir)
        some = f"there are {', '.join(known[:5])}" if known else "none has been trained yet"
        raise CheckpointUnfitError(f"{error}; {some}") from error


def folder_at(path: Path) -> CheckpointFolder:
    """The checkpoint in a folder, or in its `pretrained_model`, or published weights."""
    path = path.absolute()
    if is_weights_folder(path):
        return CheckpointFolder(id=weights_id(path.parents[1].name, int(path.name)), path=path)
    if path.name == PRETRAINED_DIR:
        path = path.parent
    checkpoint_id = f"{path.parent.name}/{path.name}"
    return CheckpointFolder(
        id=checkpoint_id if CHECKPOINT_ID.fullmatch(checkpoint_id) else path.name, path=path
    )


def check_fit(checkpoint: CheckpointFolder, arm: Arm) -> None:
    """Compare what the checkpoint sees and does with what the robot shows and takes.

    Raises:
        CheckpointUnfitError: It is not there, is no policy of ours, or was made for another robot.
    """
    whole = _whole_checkpoint(checkpoint)
    inner = whole / PRETRAINED_DIR
    where = (inner if inner.is_dir() else whole) / CONFIG_FILE
    name = f"checkpoint {checkpoint.id}"
    try:
        config = json.loads(where.read_text(encoding="utf-8"))
        inputs, outputs = dict(config["input_features"]), dict(config["output_features"])
        state_dim = int(inputs["observation.state"]["shape"][0])
        action_dim = int(outputs["action"]["shape"][0])
    except FileNotFoundError as error:
        raise CheckpointUnfitError(
            f"{name} has no {where}: it was deleted, or its folder is on another computer; choose "
            "one that is there"
        ) from error
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise CheckpointUnfitError(
            f"{name} cannot be read, {where} is no policy's config ({type(error).__name__}: "
            f"{error}): choose another one"
        ) from error
    if config.get("type") != "pi05_rl":
        raise CheckpointUnfitError(
            f"{name} is a {config.get('type')!r} policy, must be 'pi05_rl': train from it, then "
            "drive what comes out"
        )
    remedy = f"open the robot it was trained for, or train one for {arm.name}"
    cameras = sorted(n.removeprefix(IMAGES) for n in inputs if n.startswith(IMAGES))
    missing = [camera for camera in cameras if camera not in arm.cameras]
    if missing:
        raise CheckpointUnfitError(
            f"{name} sees by camera {', '.join(missing)}, this robot has "
            f"{', '.join(arm.cameras) or 'none'}: {remedy}"
        )
    for what, dim, names in (
        ("state", state_dim, arm.state_names),
        ("action", action_dim, arm.action_names),
    ):
        if dim != len(names):
            raise CheckpointUnfitError(
                f"{name} has {what}s of {dim} numbers, this robot's have {len(names)}: {remedy}"
            )
    joints = config.get("action_feature_names")
    if joints and tuple(joints) != tuple(arm.action_names):
        raise CheckpointUnfitError(
            f"{name} moves {', '.join(joints)}, this robot {', '.join(arm.action_names)}: {remedy}"
        )


def _whole_checkpoint(checkpoint: CheckpointFolder) -> Path:
    """Folder with the config: published weights have that of the checkpoint below them."""
    if not is_weights_folder(checkpoint.path):
        return checkpoint.path
    try:
        note = read_note(checkpoint.path)
        base = base_checkpoint(checkpoint.path, note)
        check_shapes(checkpoint.path, note, base)
    except WeightsError as error:
        raise CheckpointUnfitError(str(error)) from error
    return base
