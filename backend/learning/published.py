"""Publishes what a learner trained, and lays it over a checkpoint of the same run.

Trained tensors only, of actor and critic, in the types in which checkpoints hold them; adapters are
merged into the layers that they adapt. The files are described in `published_files.py`.
"""

import os
import shutil
from pathlib import Path

from safetensors.torch import load_file, save_file
from torch import Tensor

from backend.learning.learner import Learner
from backend.learning.lora import adapted_layers, merged_weights
from backend.learning.models import Models, load_models
from backend.learning.published_files import (
    TRAINED_FILE,
    WeightsError,
    WeightsNote,
    base_checkpoint,
    check_shapes,
    check_sum,
    published_versions,
    read_note,
    sha256_of,
    weights_folder,
    write_note,
)


def publish_weights(
    learner: Learner, run: Path, *, base: str, label_revision: int, now_s: float
) -> WeightsNote:
    """Write the next version of a run, finished or not at all.

    Args:
        learner: Whose weights.
        run: Folder of the run's checkpoints.
        base: A whole checkpoint of the run, `run/step`, that is there.
        label_revision: Newest label event that was learned from.
        now_s: Unix time.
    """
    version = max(published_versions(run), default=0) + 1
    folder = weights_folder(run, version)
    folder.parent.mkdir(parents=True, exist_ok=True)
    aside = folder.with_name(f".{folder.name}.writing")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir()
    trained = aside / TRAINED_FILE
    save_file(trained_weights(learner), trained)
    note = WeightsNote(
        run=run.name,
        version=version,
        step=learner.step,
        base=base,
        created_s=now_s,
        label_revision=label_revision,
        size_bytes=trained.stat().st_size,
        sha256=sha256_of(trained),
    )
    write_note(aside, note)
    for path in (*aside.iterdir(), aside):
        _sync(path)
    os.replace(aside, folder)
    _sync(folder.parent)
    return note


def trained_weights(learner: Learner) -> dict[str, Tensor]:
    """What the learner changes, under the names of a checkpoint's files, on the CPU."""
    policy, critic = learner.models.policy, learner.models.critic
    names = set(learner.actor_optimizer.names if learner.actor_optimizer is not None else ())
    if learner.config.lora is not None:
        names |= {f"{layer}.weight" for layer in adapted_layers(policy)}
    chosen = {f"actor.{n}": t for n, t in merged_weights(policy).items() if n in names}
    names = set(learner.critic_optimizer.names if learner.critic_optimizer is not None else ())
    chosen |= {f"critic.{n}": t for n, t in critic.state_dict().items() if n in names}
    return {name: t.detach().to("cpu").contiguous().clone() for name, t in chosen.items()}


def load_published(folder: Path, *, device: str) -> Models:
    """Return the models of a version, ready to act and score.

    Args:
        folder: Of the version.
        device: `cpu`, `cuda`, …

    Raises:
        WeightsError: It is damaged, of another model, or its run has no checkpoint left.
    """
    note = read_note(folder)
    base = base_checkpoint(folder, note)
    check_shapes(folder, note, base)
    check_sum(folder, note)
    models = load_models(base, device=device)
    weights = load_file(folder / TRAINED_FILE)
    for part, module in (("actor", models.policy), ("critic", models.critic)):
        mine = {n.removeprefix(f"{part}."): t for n, t in weights.items() if n.startswith(part)}
        unknown = module.load_state_dict(mine, strict=False).unexpected_keys
        if unknown:
            raise WeightsError(
                f"weights {note.id} hold {part}.{unknown[0]}, which this model has not: they are "
                "of another model"
            )
    return models


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
