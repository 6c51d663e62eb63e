"""A training run: a learner, its episodes, its checkpoints; started anew or resumed.

Offline and online runs are the same: an online one is given new episodes between steps
(`Learner.set_episodes`) and stopped by its caller.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from backend.learning.checkpoints import (
    checkpoint_steps,
    load_training_state,
    save_checkpoint,
    step_folder,
)
from backend.learning.config import LearnerConfig
from backend.learning.config_files import config_from_dict, config_to_dict
from backend.learning.embodiment import embodiment_of
from backend.learning.inputs import dataset_stats
from backend.learning.labels import make_labels
from backend.learning.learner import Learner, MakeSampler
from backend.learning.meter import Metrics
from backend.learning.models import (
    load_models,
    pretrained_folder,
    start_models,
)
from backend.learning.pi05_rl.modeling_pi05_rl import read_weights
from backend.learning.replay import EpisodeArrays


class StopTraining(Exception):  # noqa: N818 - a request, not an error
    """Raised by a callback to end the run after this step; a checkpoint is written first."""


def split_held_out(
    episodes: Sequence[EpisodeArrays], fraction: float
) -> tuple[list[EpisodeArrays], list[EpisodeArrays]]:
    """Return episodes to learn from and episodes held out for the probes.

    An episode's id decides, so it stays on its side when others are added.
    """
    training, held_out = [], []
    for episode in episodes:
        digest = hashlib.sha256(episode.episode_id.encode()).digest()
        share = int.from_bytes(digest[:8]) / 2**64
        (held_out if share < fraction else training).append(episode)
    return training, held_out


def start_run(
    config: LearnerConfig,
    episodes: Sequence[EpisodeArrays],
    *,
    device: str,
    action_names: Sequence[str] | None = None,
    sampler: MakeSampler | None = None,
) -> Learner:
    """Return the learner of a new run on these episodes.

    Args:
        config: Of the run.
        episodes: Of one robot.
        device: `cpu`, `cuda`, …
        action_names: Names of the action's dimensions, in order; a checkpoint remembers them, and
            the robot that it is to drive must have the same. None when unknown.
        sampler: See `Learner`.
    """
    _allow_tf32()
    embodiment = embodiment_of(episodes, action_names=action_names)
    stats = dataset_stats(episodes, horizon=config.model.chunk_size)
    models = start_models(config, embodiment, data_stats=stats, device=device)
    learner = Learner(models, config, sampler=sampler)
    learner.set_episodes(episodes)
    return learner


def resume_run(
    checkpoint: Path,
    episodes: Sequence[EpisodeArrays],
    *,
    device: str,
    sampler: MakeSampler | None = None,
) -> Learner:
    """Return the learner as it was when the checkpoint was written.

    With the same episodes it goes on as if it had never stopped, bit for bit on the CPU.

    Args:
        checkpoint: Its folder.
        episodes: To go on with.
        device: `cpu`, `cuda`, …
        sampler: See `Learner`.

    Raises:
        FileNotFoundError: The checkpoint has no training state.
    """
    _allow_tf32()
    tensors, state = load_training_state(checkpoint)
    config = config_from_dict(state["learner"])
    models = load_models(checkpoint, device=device)
    if config.lora is not None:
        # The checkpoint holds merged weights; adapters go back onto those they were made for.
        start = pretrained_folder(str(config.model.start_from))
        models.policy.load_weights(read_weights(start))
    models.policy.train()
    models.longest = state["longest"]
    learner = Learner(models, config, sampler=sampler)
    learner.step = state["step"]
    learner.rng.bit_generator.state = state["rng"]
    _restore(learner, tensors, state)
    learner.set_episodes(episodes)
    values = {
        name.removesuffix("|value"): content.double().numpy()
        for name, content in tensors.get("labels", {}).items()
    }
    # Episodes that came since make the labels incomplete: the learner labels all again.
    if values and all(len(values.get(e.episode_id, ())) == len(e) for e in episodes):
        learner.take_labels(
            make_labels(
                episodes,
                {e.episode_id: values[e.episode_id] for e in episodes},
                config=config,
                longest=learner.sampler.longest,
                thresholds=state["thresholds"],
            )
        )
    return learner


def save_run(learner: Learner, run: Path) -> Path:
    """Write the checkpoint of the learner's present step and return its folder."""
    run.mkdir(parents=True, exist_ok=True)
    tensors: dict[str, dict[str, torch.Tensor]] = {}
    updates = {}
    optimizers = {"actor": learner.actor_optimizer, "critic": learner.critic_optimizer}
    for name, optimizer in optimizers.items():
        if optimizer is not None:
            updates[name] = optimizer.updates
            if content := optimizer.state_tensors():
                tensors[f"{name}_optimizer"] = content
    if learner.target is not None:
        tensors["target_critic"] = learner.target.state_dict()
    if learner.config.lora is not None:
        parameters = learner.models.policy.named_parameters()
        tensors["adapters"] = {name: p for name, p in parameters if p.requires_grad}
    if learner.labels is not None:
        tensors["labels"] = {
            f"{name}|value": torch.from_numpy(np.asarray(values))
            for name, values in learner.labels.values.items()
        }
    state: dict[str, Any] = {
        "learner": config_to_dict(learner.config),
        "step": learner.step,
        "updates": updates,
        "longest": learner.models.longest,
        "thresholds": learner.models.thresholds,
        "rng": learner.rng.bit_generator.state,
    }
    return save_checkpoint(
        step_folder(run, learner.step),
        learner.models,
        tensors=tensors,
        state=json.loads(json.dumps(state)),
    )


def run_training(
    learner: Learner,
    run: Path,
    *,
    on_step: Callable[[int, Metrics], None],
    until: int | None = None,
) -> Path:
    """Train until the schedule is through (or step `until`), saving on the way and at the end.

    Args:
        learner: Started or resumed.
        run: Folder of the run's checkpoints.
        on_step: Called after every step with its number and metrics; may call
            `learner.set_episodes`, or raise StopTraining.
        until: Step to stop at, for a run in pieces.

    Returns:
        The last checkpoint's folder.
    """
    last = learner.config.schedule.total_steps if until is None else until
    try:
        while learner.step < last:
            metrics = learner.train_step()
            on_step(learner.step, metrics)
            if learner.step % learner.config.schedule.save_every == 0 and learner.step < last:
                save_run(learner, run)
    except StopTraining:
        pass
    if learner.step not in checkpoint_steps(run):
        save_run(learner, run)
    return step_folder(run, learner.step)


def _allow_tf32() -> None:
    """Let float32 parts (vision tower, head) use a GPU's TF32, as LeRobot's trainer does."""
    torch.backends.cuda.matmul.allow_tf32 = True


def _restore(
    learner: Learner, tensors: dict[str, dict[str, torch.Tensor]], state: dict[str, Any]
) -> None:
    if learner.config.lora is not None:
        adapters = tensors["adapters"]
        parameters = dict(learner.models.policy.named_parameters())
        with torch.no_grad():
            for name, value in adapters.items():
                parameters[name].copy_(value)
    optimizers = {"actor": learner.actor_optimizer, "critic": learner.critic_optimizer}
    for name, optimizer in optimizers.items():
        if optimizer is not None:
            optimizer.load_state_tensors(
                tensors.get(f"{name}_optimizer", {}), updates=state["updates"][name]
            )
    if learner.target is not None:
        learner.target.load_state_dict(tensors["target_critic"])
