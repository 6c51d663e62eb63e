"""Metrics of one update, summed over its micro-batches."""

from collections.abc import Sequence

import torch
from torch import Tensor

Metrics = dict[str, float]


class UpdateMeter:
    """Sums what the micro-batches of one update say; names as in W&B runs of the seed."""

    def __init__(self) -> None:
        self._flow: list[Tensor] = []
        self._by_word: dict[str, list[Tensor]] = {}
        self._critic: list[tuple[Tensor, Tensor, Tensor]] = []
        self._words: list[str | None] = []

    def add_flow(
        self, errors: Tensor, is_pad: Tensor, words: Sequence[str | None], total: float
    ) -> None:
        """Take errors (b, h, a) of the actor; `total` is the update's number of real steps."""
        real = (~is_pad).float()
        sums = (errors.detach().mean(dim=2) * real).sum(dim=1)
        self._flow.append(sums.sum() / total)
        self._words.extend(words)
        for word, loss in zip(words, sums / real.sum(dim=1).clamp(min=1), strict=True):
            self._by_word.setdefault(word or "none", []).append(loss)

    def add_critic(self, losses: Tensor, values: Tensor, targets: Tensor, counted: int) -> None:
        """Take (b,) each of the critic; `counted` is the update's number of known targets."""
        self._critic.append((losses.detach().sum() / counted, values.detach(), targets))

    def metrics(self) -> Metrics:
        """Return what was summed, as plain numbers."""
        metrics: Metrics = {}
        if self._flow:
            metrics["loss_actor"] = float(torch.stack(self._flow).sum())
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
            metrics["td_error_mean"] = float(error.mean())
            metrics["td_error_std"] = float(error.std(correction=0))
        return metrics
