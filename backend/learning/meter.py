"""Metrics of one update, summed over its micro-batches."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

Metrics = dict[str, float]

# Steps at either end of a chunk, and shares of noise, that the seed told apart.
EDGE_STEPS = 10
LOW_NOISE, HIGH_NOISE = 0.3, 0.7


class UpdateMeter:
    """Sums what the micro-batches of one update say; names as in W&B runs of the seed."""

    def __init__(self) -> None:
        self._flow: list[Tensor] = []
        self._weighted: list[Tensor] = []
        self._by_step: list[Tensor] = []
        self._real: list[Tensor] = []
        self._by_noise: list[tuple[Tensor, Tensor]] = []
        self._by_word: dict[str, list[Tensor]] = {}
        self._critic: list[tuple[Tensor, Tensor, Tensor]] = []
        self._words: list[str | None] = []
        self._rewards: list[np.ndarray] = []

    def add_flow(
        self,
        errors: Tensor,
        is_pad: Tensor,
        words: Sequence[str | None],
        total: float,
        *,
        loss: Tensor,
        time: Tensor,
    ) -> None:
        """Take what a micro-batch of the actor says.

        Args:
            errors: Squared errors (b, h, a).
            is_pad: (b, h), True past an episode's end.
            words: One a sample.
            total: The update's number of real steps.
            loss: What is learned from, weights and all.
            time: Share of noise in each sample (b,), 0 to 1.
        """
        real = (~is_pad).float()
        by_step = errors.detach().mean(dim=2) * real
        sums = by_step.sum(dim=1)
        means = sums / real.sum(dim=1).clamp(min=1)
        self._flow.append(sums.sum() / total)
        self._weighted.append(loss.detach())
        self._by_step.append(by_step.sum(dim=0))
        self._real.append(real.sum(dim=0))
        self._by_noise.append((time, means))
        self._words.extend(words)
        for word, mean in zip(words, means, strict=True):
            self._by_word.setdefault(word or "none", []).append(mean)

    def add_critic(
        self,
        losses: Tensor,
        values: Tensor,
        targets: Tensor,
        counted: int,
        *,
        rewards: np.ndarray,
    ) -> None:
        """Take (b,) each of the critic; `counted` is the update's number of known targets."""
        self._critic.append((losses.detach().sum() / counted, values.detach(), targets))
        self._rewards.append(rewards)

    def metrics(self) -> Metrics:
        """Return what was summed, as plain numbers."""
        metrics: Metrics = {}
        if self._flow:
            metrics["loss_actor"] = float(torch.stack(self._weighted).sum())
            metrics["flow_mse_loss"] = float(torch.stack(self._flow).sum())
            metrics |= self._flow_by_step() | self._flow_by_noise()
            for word, losses in self._by_word.items():
                metrics[f"loss_actor/{word}"] = float(torch.stack(losses).mean())
                metrics[f"word_fraction/{word}"] = len(losses) / len(self._words)
        if self._critic:
            values = torch.cat([values for _, values, _ in self._critic])
            targets = torch.cat([targets for _, _, targets in self._critic])
            error = targets - values
            metrics["loss_critic"] = float(torch.stack([loss for loss, _, _ in self._critic]).sum())
            metrics["critic_value_mean"] = float(values.mean())
            metrics["critic_value_std"] = float(values.std(correction=0))
            metrics["target_value_mean"] = float(targets.mean())
            metrics["target_value_std"] = float(targets.std(correction=0))
            metrics["reward_mean"] = float(np.concatenate(self._rewards).mean())
            metrics["td_error_mean"] = float(error.mean())
            metrics["td_error_std"] = float(error.std(correction=0))
        return metrics

    def _flow_by_step(self) -> Metrics:
        errors, real = torch.stack(self._by_step).sum(dim=0), torch.stack(self._real).sum(dim=0)
        edges = {"first": slice(None, EDGE_STEPS), "last": slice(-EDGE_STEPS, None)}
        return {
            f"flow_loss_time/mean_{name}_{EDGE_STEPS}": float(errors[at].sum() / real[at].sum())
            for name, at in edges.items()
            if real[at].sum() > 0
        }

    def _flow_by_noise(self) -> Metrics:
        time = torch.cat([time for time, _ in self._by_noise])
        means = torch.cat([means for _, means in self._by_noise])
        kinds = {
            f"low_noise_lt_{LOW_NOISE}": time < LOW_NOISE,
            f"high_noise_gt_{HIGH_NOISE}": time > HIGH_NOISE,
        }
        return {
            f"flow_loss_noise/mean_{name}": float(means[chosen].mean())
            for name, chosen in kinds.items()
            if chosen.any()
        }
