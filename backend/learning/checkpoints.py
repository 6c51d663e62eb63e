"""Checkpoint folders: a LeRobot policy with its processors and critic, and what resuming needs.

    <run>/<step>/pretrained_model/   config.json, model.safetensors, policy_preprocessor.json, …
                                     critic.safetensors, handrail.json
    <run>/<step>/training_state/     optimiser, averaged critic, labels: safetensors; state.json

Only safetensors and JSON: nothing here unpickles. A folder appears finished or not at all: it is
written aside, synced and renamed.
"""

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import Tensor

from backend.learning.config import LearnerConfig, ModelConfig, WordConfig
from backend.learning.embodiment import Embodiment
from backend.learning.inputs import Stats, range_stats
from backend.learning.lora import merged_weights
from backend.learning.models import (
    CRITIC_FILE,
    MEANING_FILE,
    Models,
    meaning_to_dict,
    start_models,
)
from backend.learning.pi05_rl.modeling_pi05_rl import WEIGHTS_FILE

PRETRAINED_DIR = "pretrained_model"
STATE_DIR = "training_state"
STATE_FILE = "state.json"


def step_folder(run: Path, step: int) -> Path:
    """Return the folder of a run's checkpoint."""
    return run / f"{step:06d}"


def checkpoint_steps(run: Path) -> list[int]:
    """Return the steps of the finished checkpoints of a run, oldest first."""
    if not run.is_dir():
        return []
    names = [p.name for p in run.iterdir() if p.name.isdigit() and (p / PRETRAINED_DIR).is_dir()]
    return sorted(int(name) for name in names)


def save_checkpoint(
    folder: Path,
    models: Models,
    *,
    tensors: Mapping[str, Mapping[str, Tensor]] | None = None,
    state: Mapping[str, Any] | None = None,
) -> Path:
    """Write a checkpoint folder at once and return it.

    Args:
        folder: Where; an existing checkpoint there is an error, because runs are never rewritten.
        models: What to save.
        tensors: Files of tensors of the training state; a checkpoint without any cannot resume.
        state: Plain values of the training state.
    """
    if folder.exists():
        raise FileExistsError(f"checkpoint {folder} exists: choose another run name or resume it")
    aside = folder.with_name(f".{folder.name}.writing")
    shutil.rmtree(aside, ignore_errors=True)
    pretrained = aside / PRETRAINED_DIR
    pretrained.mkdir(parents=True)
    _save_models(pretrained, models)
    if state is not None:
        training = aside / STATE_DIR
        training.mkdir()
        for name, content in (tensors or {}).items():
            save_file(_storable(content), training / f"{name}.safetensors")
        _write_json(training / STATE_FILE, state)
    for path in sorted(aside.rglob("*"), reverse=True):
        _sync(path)
    _sync(aside)
    os.replace(aside, folder)
    _sync(folder.parent)
    return folder


def load_training_state(folder: Path) -> tuple[dict[str, dict[str, Tensor]], dict[str, Any]]:
    """Return the tensors by file name, and the plain values, of a checkpoint's training state."""
    training = folder / STATE_DIR
    if not (training / STATE_FILE).is_file():
        raise FileNotFoundError(
            f"{folder} has no {STATE_DIR}/{STATE_FILE}, so no run can be resumed from it: start a "
            "new run with model.start_from set to it"
        )
    tensors = {path.stem: load_file(path) for path in sorted(training.glob("*.safetensors"))}
    state = json.loads((training / STATE_FILE).read_text(encoding="utf-8"))
    return tensors, state


def create_tiny_checkpoint(
    out: str | Path,
    *,
    cameras: tuple[str, ...] | list[str],
    state_dim: int,
    action_dim: int,
    action_names: tuple[str, ...] | list[str] | None = None,
    chunk_size: int = 16,
    words: str = "two",
    stats: Stats | None = None,
    seed: int = 42,
) -> Path:
    """Write an untrained `tiny` checkpoint that acts, scores and can be trained; no download.

    Args:
        out: The checkpoint folder to make; must not exist.
        cameras: Names of the robot's cameras.
        state_dim: Dimensions of the robot's state.
        action_dim: Dimensions of its action.
        action_names: LeRobot's names of the action dimensions, in order.
        chunk_size: Steps the actor predicts.
        words: `two`, `five` or `none`.
        stats: Statistics of states and actions; -180 to 180 in every dimension when None, which
            suits joints in degrees until data say better.
        seed: Of the random weights.
    """
    config = LearnerConfig(
        model=ModelConfig(
            size="tiny", chunk_size=chunk_size, num_inference_steps=5, statistics="data"
        ),
        words=WordConfig(mode=words),
        seed=seed,
    )
    embodiment = Embodiment(
        cameras=tuple(cameras),
        state_dim=state_dim,
        action_dim=action_dim,
        action_names=None if action_names is None else tuple(action_names),
    )
    ranges = {
        "observation.state": ([-180.0] * state_dim, [180.0] * state_dim),
        "action": ([-180.0] * action_dim, [180.0] * action_dim),
    }
    models = start_models(config, embodiment, data_stats=stats or range_stats(ranges), device="cpu")
    folder = Path(out)
    folder.parent.mkdir(parents=True, exist_ok=True)
    return save_checkpoint(folder, models)


def _save_models(folder: Path, models: Models) -> None:
    models.policy.config._save_pretrained(folder)
    save_file(_storable(merged_weights(models.policy)), folder / WEIGHTS_FILE)
    models.preprocessor.save_pretrained(folder)
    models.postprocessor.save_pretrained(folder)
    save_file(_storable(models.critic.state_dict()), folder / CRITIC_FILE)
    _write_json(folder / MEANING_FILE, meaning_to_dict(models))


def _storable(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: t.detach().to("cpu").contiguous().clone() for name, t in tensors.items()}


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
