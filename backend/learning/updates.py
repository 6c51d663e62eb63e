"""The updates: one of the critic, one of the actor, one of both; each from a batch of chunks.

An update goes through its batch in micro-batches whose losses are divided by the counts of the
whole: so accumulation gives the gradient of the big batch, padding, weights and all. Its random
numbers are drawn at once, for the whole batch.

Departures from the seed: in a joint update actor and critic share one batch and one pass of the
vision tower (the seed drew two); extra critic updates read the critic's own prompt (its fell back
to the actor's, which holds the advantage word).

Which batch comes when is up to `learner.py`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from lerobot.utils.constants import OBS_LANGUAGE_ATTENTION_MASK, OBS_LANGUAGE_TOKENS
from torch import Tensor

from backend.learning.advantages import awr_weights, decide_words, drop_words
from backend.learning.arrays import ChunkBatch, Observations
from backend.learning.config import LearnerConfig
from backend.learning.critic import Features, averaged_copy, critic_features
from backend.learning.inputs import ModelInputs
from backend.learning.labels import Labels, is_forced
from backend.learning.lora import add_adapters
from backend.learning.losses import masked_flow_loss
from backend.learning.meter import Metrics, UpdateMeter
from backend.learning.models import Models
from backend.learning.optimizer import MasterOptimizer, actor_rate, critic_rate, make_optimizer
from backend.learning.trainable import select_trainable


class Updates:
    """Owns models, optimisers and randomness of one run, and changes the models."""

    def __init__(self, models: Models, config: LearnerConfig) -> None:
        self.models = models
        self.config = config
        self.rng = np.random.default_rng(config.seed)
        self.inputs = ModelInputs(models.preprocessor)
        self.labels: Labels | None = None
        actor_names, critic_names = select_trainable(
            config.trainable, actor=models.policy, critic=models.critic
        )
        if config.lora is not None:
            actor_names = add_adapters(models.policy, config.lora, actor_names, seed=config.seed)
        self.actor_optimizer = make_optimizer(
            models.policy,
            actor_names,
            config.optimizer,
            actor_rate,
            total=config.schedule.actor_total,
        )
        self.critic_optimizer = make_optimizer(
            models.critic,
            critic_names,
            config.optimizer,
            critic_rate,
            total=config.schedule.critic_total,
        )
        uses_target = config.critic.learn_from == "td"
        self.target = averaged_copy(models.critic) if uses_target else None

    @property
    def _needs_labels(self) -> bool:
        return self.config.words.mode != "none" or self.config.words.weighting != "none"

    def update_critic(self, batch: ChunkBatch) -> Metrics:
        """Make one update of the critic on a batch of whatever size."""
        optimizer = _must(self.critic_optimizer, "critic")
        self.models.critic.train()
        self.models.policy.eval()
        meter = UpdateMeter()
        counted = self._counted(batch)
        for part in batch.parts(self.config.optimizer.batch_size):
            inputs = self.inputs.for_critic(part.observations)
            images, masks = self.models.policy.camera_images(inputs)
            with torch.no_grad():
                image_features = self.models.policy.image_features(images)
            loss, _ = self._critic_loss(part, inputs, image_features, masks, counted, meter)
            loss.backward()
        metrics = {"critic_grad_norm": optimizer.step()}
        self._move_target()
        return metrics | meter.metrics()

    def update_actor(self, batch: ChunkBatch) -> Metrics:
        """Make one update of the actor on a batch of whatever size, with the labels in force."""
        optimizer = _must(self.actor_optimizer, "actor")
        self.models.policy.train()
        words, advantages = self._labels_of(batch)
        weights = np.ones(len(batch))
        if self.config.words.weighting == "awr":
            weights = awr_weights(
                advantages,
                tasks=batch.observations.tasks,
                temperature=self.config.words.awr_temperature,
            )
        said = drop_words(words, rate=self.config.words.dropout, rng=self.rng)
        noise, time = self._noise(len(batch))
        total = float((~batch.action_is_pad).sum())
        meter = UpdateMeter()
        first = 0
        for part in batch.parts(self.config.optimizer.batch_size):
            rows = slice(first, first + len(part))
            inputs = self.inputs.for_actor(part.observations, part.actions, said[rows])
            errors = self.models.policy.flow_errors(inputs, noise=noise[rows], time=time[rows])
            is_pad = torch.from_numpy(part.action_is_pad).to(errors.device)
            weight = torch.as_tensor(weights[rows], dtype=errors.dtype, device=errors.device)
            loss = masked_flow_loss(errors, is_pad, weights=weight, total=total)
            loss.backward()
            meter.add_flow(errors, is_pad, words[rows], total, loss=loss, time=time[rows])
            first += len(part)
        metrics = {"actor_grad_norm": optimizer.step()}
        if self._needs_labels:
            metrics |= {
                "advantage_mean": float(np.mean(advantages)),
                "advantage_std": float(np.std(advantages)),
            }
        return metrics | meter.metrics()

    def update_both(self, batch: ChunkBatch) -> Metrics:
        """Make one update of critic and actor on the same batch and the same vision features.

        The actor's words come from the live critic: advantages of one-chunk targets.
        """
        actor, critic = (
            _must(self.actor_optimizer, "actor"),
            _must(self.critic_optimizer, "critic"),
        )
        policy = self.models.policy
        policy.train()
        self.models.critic.train()
        noise, time = self._noise(len(batch))
        dropped = self.rng.random(len(batch)) < self.config.words.dropout
        total = float((~batch.action_is_pad).sum())
        meter = UpdateMeter()
        counted = self._counted(batch)
        first = 0
        for part in batch.parts(self.config.optimizer.batch_size):
            rows = slice(first, first + len(part))
            inputs = self.inputs.for_critic(part.observations)
            images, masks = policy.camera_images(inputs)
            image_features = policy.image_features(images)
            critic_loss, advantages = self._critic_loss(
                part, inputs, image_features, masks, counted, meter
            )
            words = self._live_words(part, advantages)
            said = [None if d else w for w, d in zip(words, dropped[rows], strict=True)]
            blind = Observations(
                tasks=part.observations.tasks, states=part.observations.states, images={}
            )
            errors = policy.flow_errors(
                self.inputs.for_actor(blind, part.actions, said),
                noise=noise[rows],
                time=time[rows],
                images=image_features,
                img_masks=masks,
            )
            is_pad = torch.from_numpy(part.action_is_pad).to(errors.device)
            loss = masked_flow_loss(errors, is_pad, total=total)
            (loss + critic_loss).backward()
            meter.add_flow(errors, is_pad, words, total, loss=loss, time=time[rows])
            first += len(part)
        metrics = {"critic_grad_norm": critic.step(), "actor_grad_norm": actor.step()}
        self._move_target()
        return metrics | meter.metrics()

    def _critic_loss(
        self,
        part: ChunkBatch,
        inputs: Mapping[str, Any],
        image_features: Sequence[Tensor],
        masks: Sequence[Tensor],
        counted: int,
        meter: UpdateMeter,
    ) -> tuple[Float[Tensor, ""], Float[np.ndarray, " b"]]:
        """Return this part's share of the loss, and the advantages of its chunks (TD only)."""
        critic = self.models.critic
        output = critic(_features(self.models, inputs, image_features, masks))
        values = critic.values(output)
        if self.target is None:
            targets = torch.as_tensor(part.returns, dtype=values.dtype, device=values.device)
            terminal = torch.from_numpy(part.is_last).to(values.device)
        else:
            targets = self._td_targets(part)
            terminal = torch.from_numpy(part.terminated).to(values.device)
        known = targets.isfinite()
        losses = critic.losses(output, targets.nan_to_num(), terminal=terminal)
        meter.add_critic(
            losses[known],
            values[known],
            targets[known],
            counted,
            rewards=part.rewards,
        )
        advantages = (targets - values.detach()).double().cpu().numpy()
        return (losses * known).sum() / counted, advantages

    def _counted(self, batch: ChunkBatch) -> int:
        """Return how many samples of an update have a target: truncated ones have no return."""
        known = len(batch) if self.target is not None else int(np.isfinite(batch.returns).sum())
        if known == 0:
            raise ValueError(
                "no chunk of this batch has a return: every episode drawn is unjudged; grade some "
                "as success or failure, or set critic.learn_from to 'td'"
            )
        return known

    @torch.no_grad()
    def _td_targets(self, part: ChunkBatch) -> Float[Tensor, " b"]:
        assert self.target is not None
        assert part.successors is not None
        inputs = self.inputs.for_critic(part.successors)
        images, masks = self.models.policy.camera_images(inputs)
        features = _features(self.models, inputs, self.models.policy.image_features(images), masks)
        # The average is kept in float32; it is read in the precision that the live critic computes.
        dtype = self.models.critic.layers[0].self_attn.q_proj.weight.dtype
        with torch.autocast(
            features.embeddings.device.type, dtype=dtype, enabled=dtype != torch.float32
        ):
            future = self.target.values(self.target(features).float())
        rewards = torch.as_tensor(part.rewards, dtype=future.dtype, device=future.device)
        discounts = torch.as_tensor(part.discounts, dtype=future.dtype, device=future.device)
        return (rewards + discounts * future).clamp(*self.config.reward.value_range)

    def _move_target(self) -> None:
        """Move the averaged critic towards the float32 masters of the live one."""
        optimizer, every = self.critic_optimizer, self.config.critic.target_every
        if self.target is None or optimizer is None or optimizer.updates % every:
            return
        rate, trained = self.config.critic.target_rate, set(optimizer.names)
        averages = dict(self.target.named_parameters())
        with torch.no_grad():
            for name in trained:
                averages[name].lerp_(optimizer.master(name).float(), rate)

    def _labels_of(self, batch: ChunkBatch) -> tuple[list[str | None], Float[np.ndarray, " b"]]:
        if self.labels is None:
            raise ValueError("the actor has no labels to learn from: relabel first")
        where = list(zip(batch.episode_ids, batch.starts, strict=True))
        words = [self.labels.words[name][start] for name, start in where]
        return words, np.array([self.labels.advantages[name][start] for name, start in where])

    def _live_words(
        self, part: ChunkBatch, advantages: Float[np.ndarray, " b"]
    ) -> list[str | None]:
        driven = is_forced(part.human_share, part.is_demonstration, self.config.words)
        return decide_words(
            advantages,
            config=self.config.words,
            forced=driven | part.is_correction,
            worst=part.is_mistake,
            tasks=part.observations.tasks,
            thresholds={},
        )

    def _noise(self, size: int) -> tuple[Float[Tensor, "b h m"], Float[Tensor, " b"]]:
        """Draw the noise and the times of a whole update."""
        config = self.models.policy.config
        shape = (size, config.chunk_size, config.max_action_dim)
        noise = self.rng.standard_normal(shape, dtype=np.float32)
        beta = self.rng.beta(
            config.time_sampling_beta_alpha, config.time_sampling_beta_beta, size=size
        )
        time = beta * config.time_sampling_scale + config.time_sampling_offset
        device = config.device
        return torch.from_numpy(noise).to(device), torch.from_numpy(time).float().to(device)


def _features(
    models: Models,
    inputs: Mapping[str, Any],
    image_features: Sequence[Tensor],
    masks: Sequence[Tensor],
) -> Features:
    return critic_features(
        models.policy,
        image_features,
        masks,
        inputs[OBS_LANGUAGE_TOKENS],
        inputs[OBS_LANGUAGE_ATTENTION_MASK],
    )


def _must(optimizer: MasterOptimizer | None, part: str) -> MasterOptimizer:
    if optimizer is None:
        raise ValueError(
            f"this step trains the {part}, but trainable selects nothing of it: add {part!r} or "
            f"set the schedule's {part} steps to 0"
        )
    return optimizer
