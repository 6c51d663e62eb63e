"""Makes and loads what a learner trains: policy, critic and their processors, as one set.

Starts from nothing, from a stock π0.5 (`lerobot/pi05_base` or a folder), or from an RL checkpoint,
through one path for both sizes. Folders are written by `checkpoints.py`.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import hf_hub_download
from lerobot.configs import FeatureType, NormalizationMode, PolicyFeature, PreTrainedConfig
from lerobot.policies.factory import make_pre_post_processors
from lerobot.processor import NormalizerProcessorStep, PolicyProcessorPipeline
from lerobot.utils.constants import ACTION, OBS_IMAGES, OBS_STATE
from safetensors.torch import load_file

from backend.learning.config import LearnerConfig
from backend.learning.config_files import config_from_dict, config_to_dict
from backend.learning.critic import Critic
from backend.learning.embodiment import Embodiment, check_embodiment
from backend.learning.inputs import Stats
from backend.learning.pi05_rl.configuration_pi05_rl import PALIGEMMA_TOKENIZER, PI05RLConfig
from backend.learning.pi05_rl.modeling_pi05_rl import PI05RLPolicy
from backend.learning.pi05_rl.processor_pi05_rl import (
    PromptTokenizerStep,
    make_pi05_rl_pre_post_processors,
)
from backend.learning.pi05_rl.sizes import SIZES
from backend.learning.relative_actions import stats_in_use

CRITIC_FILE = "critic.safetensors"
# Learner config, scale of the returns, thresholds: what values and words of a checkpoint mean.
MEANING_FILE = "handrail.json"
# Fields that decide which weights a critic has and what they mean.
_CRITIC_SHAPE = ("kind", "depth", "num_queries", "num_bins", "value_min", "value_max")
_MODES = {"quantiles": NormalizationMode.QUANTILES, "min_max": NormalizationMode.MIN_MAX}


@dataclass(kw_only=True)
class Models:
    """Policy, critic and processors that belong together."""

    policy: PI05RLPolicy
    critic: Critic
    preprocessor: PolicyProcessorPipeline
    postprocessor: PolicyProcessorPipeline
    config: LearnerConfig
    # Steps of the longest episode of each task: the unit of recap's values.
    longest: dict[str, int]
    # Advantage above which a chunk of a task was called positive.
    thresholds: dict[str, float]


def start_models(
    config: LearnerConfig, embodiment: Embodiment, *, data_stats: Stats | None, device: str
) -> Models:
    """Return what a new run trains.

    Args:
        config: `model.start_from` says from what.
        embodiment: Of the episodes to come.
        data_stats: Statistics of the episodes; None only for an RL checkpoint, which has its own.
        device: `cpu`, `cuda`, …

    Raises:
        ValueError: The checkpoint is of another robot or kind, or statistics are missing.
    """
    start = config.model.start_from
    kind = None if start is None else _checkpoint_type(start)
    if kind == "pi05_rl":
        models = load_models(start, device=device, dtype=config.model.dtype)
        check_embodiment(models.policy.config, embodiment, start)
        if embodiment.action_names is not None:
            models.policy.config.action_feature_names = list(embodiment.action_names)
        return _restarted(models, config, data_stats)
    if data_stats is None:
        raise ValueError(
            f"model.start_from {start!r} brings no statistics of this robot's states and actions: "
            "give those of the episodes"
        )
    policy_config = _policy_config(config, embodiment, device)
    processors = make_pi05_rl_pre_post_processors(
        policy_config, stats_in_use(policy_config, data_stats)
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        if kind == "pi05":
            policy = PI05RLPolicy.from_pretrained(start, config=policy_config)
        elif kind is None:
            policy = PI05RLPolicy(policy_config)
        else:
            raise ValueError(f"{start} is a {kind!r} policy, must be pi05 or pi05_rl")
        critic = Critic(policy, config.critic)
    return Models(
        policy=policy,
        critic=critic,
        preprocessor=processors[0],
        postprocessor=processors[1],
        config=config,
        longest={},
        thresholds={},
    )


def load_models(checkpoint: str | Path, *, device: str, dtype: str | None = None) -> Models:
    """Return the models of an RL checkpoint, ready to act and score.

    Args:
        checkpoint: A `pretrained_model` folder, its parent, or a Hub id; safetensors only.
        device: `cpu`, `cuda`, …
        dtype: Of the weights; as saved when None.
    """
    where = pretrained_folder(checkpoint)
    policy_config = PreTrainedConfig.from_pretrained(where)
    if not isinstance(policy_config, PI05RLConfig):
        raise ValueError(f"{where} is a {policy_config.type!r} policy, must be pi05_rl")
    policy_config.device = device
    policy_config.dtype = dtype or policy_config.dtype
    policy = PI05RLPolicy.from_pretrained(where, config=policy_config)
    preprocessor, postprocessor = make_pre_post_processors(
        policy_config,
        pretrained_path=where,
        preprocessor_overrides={"device_processor": {"device": device}},
    )
    meaning = json.loads(_file(where, MEANING_FILE).read_text(encoding="utf-8"))
    config = config_from_dict(meaning["learner"])
    critic = Critic(policy, config.critic)
    critic.load_state_dict(load_file(_file(where, CRITIC_FILE)))
    return Models(
        policy=policy,
        critic=critic.eval(),
        preprocessor=preprocessor,
        postprocessor=postprocessor,
        config=config,
        longest=meaning["longest"],
        thresholds=meaning["thresholds"],
    )


def pretrained_folder(checkpoint: str | Path) -> str:
    """Return the LeRobot folder of a checkpoint folder, or the argument for a Hub id."""
    inner = Path(checkpoint) / "pretrained_model"
    return str(inner if inner.is_dir() else checkpoint)


def _restarted(models: Models, config: LearnerConfig, data_stats: Stats | None) -> Models:
    """Take an RL checkpoint's weights into a run with another config."""
    policy, start = models.policy, config.model.start_from
    for name in ("size", "chunk_size"):
        asked, has = getattr(config.model, name), getattr(policy.config, name)
        if asked != has:
            raise ValueError(f"model.{name} is {asked!r}, but {start} has {has!r}: set it so")
    has = "relative" if policy.config.use_relative_actions else "absolute"
    if config.model.actions not in ("auto", has):
        raise ValueError(
            f"model.actions is {config.model.actions!r}, but those of {start} are {has}: set it so"
        )
    policy.config.advantage_words = config.words.mode
    policy.config.guidance_scale = config.model.guidance
    policy.config.noise_scale = config.model.acting_noise
    policy.config.num_inference_steps = config.model.num_inference_steps
    policy.config.gradient_checkpointing = config.model.gradient_checkpointing
    if config.model.gradient_checkpointing:
        policy.model.gradient_checkpointing_enable()
    stats = _step(models.preprocessor, NormalizerProcessorStep).stats
    never_trained = not models.longest
    if config.model.statistics == "data" or (config.model.statistics == "auto" and never_trained):
        if data_stats is None:
            raise ValueError(f"{start} was never trained: give the statistics of the episodes")
        stats = stats_in_use(policy.config, data_stats)
    # Words and statistics are this run's; the tokenizer stays the checkpoint's.
    preprocessor, postprocessor = make_pi05_rl_pre_post_processors(
        policy.config, stats, tokenizer=_step(models.preprocessor, PromptTokenizerStep)
    )
    critic = models.critic
    if any(getattr(critic.config, n) != getattr(config.critic, n) for n in _CRITIC_SHAPE):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            critic = Critic(policy, config.critic)
    critic.config = config.critic
    critic.gradient_checkpointing = config.model.gradient_checkpointing
    return Models(
        policy=policy,
        critic=critic,
        preprocessor=preprocessor,
        postprocessor=postprocessor,
        config=config,
        longest=models.longest,
        thresholds=models.thresholds,
    )


def _step[Step](pipeline: PolicyProcessorPipeline, kind: type[Step]) -> Step:
    return next(step for step in pipeline.steps if isinstance(step, kind))


def _policy_config(config: LearnerConfig, embodiment: Embodiment, device: str) -> PI05RLConfig:
    model, size = config.model, SIZES[config.model.size]
    pixels = (3, size.image_size, size.image_size)
    visual = PolicyFeature(type=FeatureType.VISUAL, shape=pixels)
    state = PolicyFeature(type=FeatureType.STATE, shape=(embodiment.state_dim,))
    action = PolicyFeature(type=FeatureType.ACTION, shape=(embodiment.action_dim,))
    names = embodiment.action_names
    return PI05RLConfig(
        device=device,
        size=model.size,
        advantage_words=config.words.mode,
        guidance_scale=model.guidance,
        noise_scale=model.acting_noise,
        tokenizer=model.tokenizer or ("tiny" if model.size == "tiny" else PALIGEMMA_TOKENIZER),
        dtype=model.dtype,
        chunk_size=model.chunk_size,
        n_action_steps=model.chunk_size,
        num_inference_steps=model.num_inference_steps,
        image_resolution=(size.image_size, size.image_size),
        tokenizer_max_length=model.tokenizer_max_length or size.prompt_tokens,
        gradient_checkpointing=model.gradient_checkpointing,
        normalization_mapping={
            "VISUAL": NormalizationMode.IDENTITY,
            "STATE": _MODES[model.normalization],
            "ACTION": _MODES[model.normalization],
        },
        input_features={
            **{f"{OBS_IMAGES}.{name}": visual for name in embodiment.cameras},
            OBS_STATE: state,
        },
        output_features={ACTION: action},
        use_relative_actions=model.actions == "relative",
        action_feature_names=None if names is None else list(names),
        push_to_hub=False,
    )


def _checkpoint_type(start: str) -> str:
    path = _file(pretrained_folder(start), "config.json")
    kind = json.loads(path.read_text(encoding="utf-8")).get("type")
    return str(kind)


def _file(where: str, name: str) -> Path:
    local = Path(where)
    if not local.is_dir():
        return Path(hf_hub_download(where, name))
    if not (local / name).is_file():
        raise FileNotFoundError(f"{where} has no {name}: is it a finished checkpoint?")
    return local / name


def meaning_to_dict(models: Models) -> dict[str, Any]:
    """Return the content of `MEANING_FILE`: what the values and words of this checkpoint mean."""
    return {
        "learner": config_to_dict(models.config),
        "longest": models.longest,
        "thresholds": models.thresholds,
    }
