"""Reads the seed's `config-hiserl.json`: each of its fields becomes ours, or is named as nothing.

What the seed had in its code instead of its config comes from the preset `seed`. The seed dropped
fields that it did not know without a word; here they are named too.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.learning.config import ConfigError, LearnerConfig
from backend.learning.config_files import load_config

# Their field to ours. Later versions of the seed renamed nothing, so these hold for all of them.
FIELDS = {
    "seed": "seed",
    "batch_size": "optimizer.batch_size",
    "log_freq": "schedule.log_every",
    "save_freq": "schedule.save_every",
    "policy.pi05_checkpoint": "model.start_from",
    "policy.advantage_scaling": "words.scaling",
    "policy.reward_normalization_constant": "reward.step_cost_divisor",
    "policy.terminal_failure_reward": "reward.terminal_failure_reward",
    "policy.discount": "reward.discount",
    "policy.dtype": "model.dtype",
    "policy.gradient_checkpointing": "model.gradient_checkpointing",
    "policy.online_steps": "schedule.joint_steps",
    "policy.utd_ratio": "schedule.critic_updates",
    "policy.actor_lr": "optimizer.actor_lr",
    "policy.critic_lr": "optimizer.critic_lr",
    "policy.critic_target_update_weight": "critic.target_rate",
    "policy.grad_clip_norm": "optimizer.grad_clip",
    "policy.gradient_accumulation_steps": "optimizer.accumulation",
    "policy.critic_warmup_steps": "schedule.critic_warmup_steps",
    "policy.tokenizer_max_length": "model.tokenizer_max_length",
    "policy.num_inference_steps": "model.num_inference_steps",
    "policy.n_action_steps": "model.chunk_size",
    "policy.chunk_size": "model.chunk_size",
    "policy.critic_llm_depth": "critic.depth",
    "policy.num_value_bins": "critic.num_bins",
    "policy.value_support_min": "critic.value_min",
    "policy.value_support_max": "critic.value_max",
    "policy.hl_gauss_sigma_ratio": "critic.hl_gauss_ratio",
    "policy.treat_main_dataset_as_golden": "words.force_demonstrations",
}

# Fields without a field of ours in a learner config, and where their matter lives instead. A name
# stands for all fields below it.
ELSEWHERE = {
    "num_workers": "episodes are arrays in memory; there are no loader workers",
    "output_dir": "checkpoints go to <data_dir>/checkpoints/<run>",
    "job_name": "the name of the run, given when it is started",
    "resume": "jobs are resumed by command, from the newest checkpoint",
    "save_checkpoint": "checkpoints are always saved",
    "offline_output_dir": "offline and online runs save alike",
    "offline_save_freq": "schedule.save_every serves both learners",
    "online_buffer_save_episode_freq": "every episode is stored once, when it is recorded",
    "episode_logging_freq": "critic videos are jobs of their own",
    "wandb": "metrics are stored in the database; W&B is set per job",
    "dataset": "episodes are chosen when the job is started",
    "policy.type": "always pi05_rl",
    "policy.task": "each episode has its task",
    "policy.use_separate_critic": "the critic is always a network of its own",
    "policy.num_critics": "there is one critic",
    "policy.inference_advantage": "acting always says the best word",
    "policy.normalization_mapping": "model.normalization, read from STATE and ACTION",
    "policy.input_features": "read from the episodes",
    "policy.output_features": "read from the episodes",
    "policy.actor_device": "the device is chosen when actor or job is started",
    "policy.learner_device": "the device is chosen when actor or job is started",
    "policy.device": "the device is chosen when actor or job is started",
    "policy.storage_device": "episodes stay in the computer's memory",
    "policy.use_amp": "model.dtype decides the precision",
    "policy.online_buffer_capacity": "all chosen episodes are used",
    "policy.offline_buffer_capacity": "all chosen episodes are used",
    "policy.online_step_before_learning": "learning starts when the job does",
    "policy.policy_update_freq": "the actor is updated in every joint step",
    "policy.async_prefetch": "episodes are arrays in memory; nothing is prefetched",
    "policy.critic_network_kwargs": "left over from SAC; the critic is made of Gemma layers",
    "policy.dataset_stats": "statistics come from the checkpoint or the episodes",
    "policy.n_obs_steps": "always 1, as π0.5",
    "policy.repo_id": "nothing is pushed to the Hub while training",
    "policy.actor_learner_config": "new weights are checkpoints; nothing is pushed",
    "policy.concurrency": "processes are fixed by the design",
    "policy.max_state_dim": "LeRobot 0.6.1 does not pad the state",
    "policy.skip_critic": "schedule.critic_steps 0 and words.mode none",
    "policy.trainable_params": "trainable, whose rules name layers from first to last",
    "policy.anchor_alpha": "not offered: start each round from the same checkpoint",
    "policy.anchor_every": "not offered: start each round from the same checkpoint",
    "policy.rtc_config": "the actor's settings",
    "policy.action_encoding": "actions are the robot's own",
    "policy.action_clamp_limits": "limits belong to the robot's config",
    "policy.knowledge_insulation": "not offered",
    "policy.buffer_cache_dir": "episodes are stored by the episode store",
    "policy.image_storage_dtype": "pictures are stored as video and read as bytes",
    "policy.subtask_regeneration_interval": "there are no subtasks",
    "video_logging_cameras": "critic videos are jobs of their own",
    "max_episodes": "episodes are chosen when the job is started",
    "use_rerun": "the live page shows cameras and values",
    "env": "the robot's config, under configs/robots",
}


@dataclass(frozen=True, kw_only=True)
class SeedConfig:
    """What a `config-hiserl.json` means here."""

    config: LearnerConfig
    # Their fields that have no meaning in a learner config, and why.
    without_meaning: dict[str, str]


def load_seed_config(path: str | Path) -> SeedConfig:
    """Read the seed's config file.

    Raises:
        ConfigError: A value cannot be ours, or two contradict each other.
    """
    return seed_config_from_dict(json.loads(Path(path).read_text(encoding="utf-8")))


def seed_config_from_dict(theirs: Mapping[str, Any]) -> SeedConfig:
    """Translate the content of a `config-hiserl.json`."""
    overrides: dict[str, Any] = {}
    without_meaning = {}
    for name, value in _flat(theirs):
        if name in FIELDS:
            if value is not None:
                overrides[FIELDS[name]] = value
        else:
            without_meaning[name] = _elsewhere(name) or "unknown: read by nothing here"
    policy = theirs.get("policy", {})
    if policy.get("normalization_mapping") is not None:
        overrides["model.normalization"] = _normalization(policy["normalization_mapping"])
    if policy.get("num_value_bins") is not None:
        overrides |= {"critic.kind": "distributional", "critic.target": "hl_gauss"}
    return SeedConfig(config=load_config("seed", overrides), without_meaning=without_meaning)


def _flat(fields: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    flat = []
    for name, value in fields.items():
        whole = f"{prefix}{name}"
        if isinstance(value, Mapping) and whole not in FIELDS and _elsewhere(whole) is None:
            flat.extend(_flat(value, f"{whole}."))
        else:
            flat.append((whole, value))
    return flat


def _elsewhere(name: str) -> str | None:
    parts = name.split(".")
    heads = (".".join(parts[:count]) for count in range(1, len(parts) + 1))
    return next((ELSEWHERE[head] for head in heads if head in ELSEWHERE), None)


def _normalization(mapping: Mapping[str, str]) -> str:
    modes = {mapping.get("STATE", "MIN_MAX"), mapping.get("ACTION", "MIN_MAX")}
    names = {"MIN_MAX": "min_max", "QUANTILES": "quantiles"}
    if len(modes) > 1:
        # The seed's later files mix them; quantiles stand outliers better.
        return "quantiles"
    mode = modes.pop()
    if mode not in names:
        raise ConfigError(
            f"normalization_mapping has {mode!r} for STATE and ACTION, must be one of "
            f"{sorted(names)}: π0.5 writes the state as integers of [-1, 1]"
        )
    return names[mode]
