"""Which learner config a training's orders mean: preset or config, start, overrides, steps.

No torch here. What a run starts from decides some fields by itself: a checkpoint of Handrail brings
its sizes, and `tiny` needs none of what the presets hold for `base`.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from backend.checkpoints import CHECKPOINT_ID, CHECKPOINTS_DIR, PRETRAINED_DIR, RUN_NAME
from backend.learning.config import ConfigError, LearnerConfig
from backend.learning.config_files import config_from_dict, config_to_dict, load_config

DEFAULT_PRESET = "recap"
# Says what a checkpoint's values mean, written beside its weights; see `learning.models`.
MEANING_FILE = "handrail.json"
# What the sizes of the presets for `base` cannot keep when they train `tiny`.
TINY: Mapping[str, Any] = {
    "model.size": "tiny",
    "model.dtype": "float32",
    "model.tokenizer": None,
    "model.gradient_checkpointing": False,
    "critic.depth": None,
    "trainable": ["actor", "critic"],
    "lora": None,
}


class TrainParamsError(ValueError):
    """A training nobody could carry out. Says which word, why, and what is possible."""


def learner_config(params: Mapping[str, Any], data_dir: Path) -> tuple[LearnerConfig, str | None]:
    """The config that the orders mean, and the id of the checkpoint of ours it starts from.

    Raises:
        TrainParamsError: Naming the word and what is possible.
    """
    if "config" in params and "preset" in params:
        raise TrainParamsError("give preset or config, not both: a config is complete by itself")
    overrides = params.get("overrides", {})
    if not isinstance(overrides, Mapping):
        raise TrainParamsError(f"overrides is an object of config fields, got {overrides!r}")
    implied, parent_id = _start(params.get("start"), data_dir)
    try:
        if "config" in params:
            fields = config_to_dict(config_from_dict(params["config"]))
            for name, value in {**implied, **overrides}.items():
                _set_field(fields, name, value)
            config = config_from_dict(fields)
        else:
            preset = params.get("preset", DEFAULT_PRESET)
            if not isinstance(preset, str) or not RUN_NAME.fullmatch(preset):
                raise TrainParamsError(f"preset is the name of one, got {preset!r}")
            config = load_config(preset, {**implied, **overrides})
    except ConfigError as error:
        raise TrainParamsError(str(error)) from error
    steps = params.get("steps")
    if steps is not None:
        config = with_total_steps(config, read_count(params, "steps", 1))
    return config, parent_id


def _set_field(fields: dict[str, Any], name: str, value: Any) -> None:
    """Set a field by its dotted name, or several below it by an object."""
    head, _, rest = name.partition(".")
    inner = fields.get(head)
    if rest and isinstance(inner, dict):
        _set_field(inner, rest, value)
    elif isinstance(value, Mapping) and isinstance(inner, dict):
        for below, one in value.items():
            _set_field(inner, below, one)
    else:
        fields[head] = {rest: value} if rest else value


def _start(start: Any, data_dir: Path) -> tuple[dict[str, Any], str | None]:
    """Config fields that follow from where the run starts, and the checkpoint's id if ours."""
    if start is None:
        return {}, None
    if not isinstance(start, str) or not start:
        raise TrainParamsError(
            f"start is a checkpoint run/step, tiny, a folder or a Hub id, got {start!r}"
        )
    if start == "tiny":
        return {**TINY, "model.start_from": None}, None
    parent_id = None
    folder = Path(start).expanduser()
    if CHECKPOINT_ID.fullmatch(start):
        parent_id = start
        folder = data_dir / CHECKPOINTS_DIR / start
        if not (folder / PRETRAINED_DIR).is_dir():
            raise TrainParamsError(
                f"start is {start}, but there is no such checkpoint in {data_dir / CHECKPOINTS_DIR}"
            )
    elif folder.is_absolute() and not folder.is_dir():
        raise TrainParamsError(f"start is {start}, but there is no such folder")
    if not folder.is_dir():
        return {"model.start_from": start}, None
    implied: dict[str, Any] = {"model.start_from": str(folder.absolute())}
    meaning = folder / PRETRAINED_DIR / MEANING_FILE
    if not meaning.is_file():
        meaning = folder / MEANING_FILE
    if meaning.is_file():
        # Its sizes are those of its weights, whatever the preset was written for.
        learner = json.loads(meaning.read_text(encoding="utf-8"))["learner"]
        model = learner["model"]
        implied = {
            **(TINY if model["size"] == "tiny" else {}),
            **implied,
            "model.size": model["size"],
            "model.chunk_size": model["chunk_size"],
            # A critic of another depth would have to start anew.
            "critic.depth": learner["critic"]["depth"],
        }
    return implied, parent_id


def with_total_steps(config: LearnerConfig, steps: int) -> LearnerConfig:
    """The config with its schedule stretched or shrunk to `steps` optimiser steps.

    Raises:
        TrainParamsError: Its stages do not fit into so few steps.
    """
    schedule = config.schedule
    if schedule.order == "joint":
        warmup = min(schedule.critic_warmup_steps, steps - 1)
        schedule = replace(schedule, critic_warmup_steps=warmup, joint_steps=steps - warmup)
    else:
        refit_steps = round(steps * schedule.refit_steps / schedule.total_steps)
        per_round = (steps - refit_steps) // schedule.rounds
        stages = schedule.critic_steps + schedule.actor_steps
        critic_steps = round(per_round * schedule.critic_steps / stages)
        if schedule.critic_steps and schedule.actor_steps:
            critic_steps = min(max(1, critic_steps), per_round - 1)
        if per_round < (schedule.critic_steps > 0) + (schedule.actor_steps > 0):
            raise TrainParamsError(
                f"steps is {steps}, too few for {schedule.rounds} rounds of critic and actor"
            )
        schedule = replace(
            schedule,
            critic_steps=critic_steps,
            actor_steps=per_round - critic_steps,
            critic_refit_steps=refit_steps,
        )
    return replace(config, schedule=schedule)


def read_count(params: Mapping[str, Any], name: str, default: int) -> int:
    """A whole number of at least 1 among the orders.

    Raises:
        TrainParamsError: It is something else.
    """
    value = params.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise TrainParamsError(f"{name} is a whole number of at least 1, got {value!r}")
    return value
