"""AdamW on float32 masters: small steps survive bf16 weights.

A bf16 weight of 0.5 changes in steps of 0.002, so an update of 1e-5 vanishes. Each bf16 parameter
therefore has a float32 master that the optimiser moves; the parameter is its rounded copy.
Gradients are summed in float32 too, as they arrive, over all micro-batches of an update. A float32
parameter is its own master and costs nothing extra.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from backend.learning.config import OptimizerConfig
from backend.learning.trainable import part_of


@dataclass(frozen=True, kw_only=True)
class RateSchedule:
    """Share of the learning rate that each update uses."""

    warmup_steps: int = 0
    # Updates after which the rate stays at `final_share`, half a cosine away; None: it never falls.
    decay_steps: int | None = None
    final_share: float = 1.0

    def share(self, update: int) -> float:
        """Of update number `update`, which counts from 0."""
        rise = min(1.0, (update + 1) / (self.warmup_steps + 1))
        if self.decay_steps is None:
            return rise
        progress = min(1.0, update / max(1, self.decay_steps))
        left = (1 + math.cos(math.pi * progress)) / 2
        return rise * (self.final_share + (1 - self.final_share) * left)


class MasterOptimizer:
    """Clips, warms up and steps named parameters in groups of their own learning rates.

    Use: `backward()` any number of times, then `step()`, which also forgets the gradients.
    `close()` removes the hooks when the parameters outlive the optimiser.
    """

    def __init__(
        self,
        groups: Iterable[tuple[Mapping[str, nn.Parameter], float]],
        *,
        betas: tuple[float, float],
        weight_decay: float,
        grad_clip: float,
        schedule: RateSchedule,
    ) -> None:
        """Take parameters by name with the learning rate of each group."""
        self.grad_clip = grad_clip
        self.schedule = schedule
        self.updates = 0
        self._parameters: dict[str, nn.Parameter] = {}
        self._masters: dict[str, Tensor] = {}
        self._hooks = []
        adam_groups: list[dict[str, Any]] = []
        self._rates: list[float] = []
        for parameters, rate in groups:
            for name, parameter in parameters.items():
                self._parameters[name] = parameter
                self._masters[name] = self._make_master(parameter)
            masters = [self._masters[name] for name in parameters]
            if masters:
                adam_groups.append({"params": masters, "lr": rate})
                self._rates.append(rate)
        if not adam_groups:
            raise ValueError("nothing to train: the trainable rules select no weights")
        self._adam = torch.optim.AdamW(
            adam_groups, betas=betas, weight_decay=weight_decay, fused=True
        )

    def _make_master(self, parameter: nn.Parameter) -> Tensor:
        if parameter.dtype == torch.float32:
            return parameter
        master = parameter.detach().float()

        def move_gradient(bf16: Tensor) -> None:
            gradient = bf16.grad.float()
            master.grad = gradient if master.grad is None else master.grad.add_(gradient)
            bf16.grad = None

        self._hooks.append(parameter.register_post_accumulate_grad_hook(move_gradient))
        return master

    @property
    def names(self) -> list[str]:
        """Names of what this optimiser trains."""
        return list(self._parameters)

    def master(self, name: str) -> Tensor:
        """Return the float32 truth of a parameter."""
        return self._masters[name]

    def step(self) -> float:
        """Clip, update, forget the gradients; return the norm before clipping.

        Raises:
            FloatingPointError: A gradient is not finite; the weights are left as they were.
        """
        for group, rate in zip(self._adam.param_groups, self._rates, strict=True):
            group["lr"] = rate * self.schedule.share(self.updates)
        norm = float(torch.nn.utils.clip_grad_norm_(self._masters.values(), self.grad_clip))
        if norm != norm or norm == float("inf"):
            self.forget_gradients()
            raise FloatingPointError(
                f"gradient norm is {norm} in update {self.updates}: lower the learning rate, or "
                "look for non-finite states, actions or returns in the data"
            )
        self._adam.step()
        with torch.no_grad():
            for name, parameter in self._parameters.items():
                if self._masters[name] is not parameter:
                    parameter.copy_(self._masters[name])
        self.forget_gradients()
        self.updates += 1
        return norm

    def forget_gradients(self) -> None:
        """Drop gradients that were summed but not used."""
        for name, parameter in self._parameters.items():
            parameter.grad = None
            self._masters[name].grad = None

    def state_tensors(self) -> dict[str, Tensor]:
        """Return masters and Adam's moments by name, for a safetensors file."""
        tensors = {}
        for name, master in self._masters.items():
            if master is not self._parameters[name]:
                tensors[f"{name}|master"] = master
            for key, value in self._adam.state.get(master, {}).items():
                tensors[f"{name}|{key}"] = value
        return tensors

    def load_state_tensors(self, tensors: Mapping[str, Tensor], *, updates: int) -> None:
        """Take up what `state_tensors` returned."""
        state: dict[Tensor, dict[str, Tensor]] = {master: {} for master in self._masters.values()}
        for key, value in tensors.items():
            name, _, slot = key.rpartition("|")
            if name not in self._masters:
                raise ValueError(
                    f"the saved optimiser trains {name!r}, this one does not: resume with the "
                    "config that the run was started with"
                )
            master = self._masters[name]
            if slot == "master":
                with torch.no_grad():
                    master.copy_(value)
            else:
                state[master][slot] = value if slot == "step" else value.to(master.device)
        for master, slots in state.items():
            if slots:
                self._adam.state[master] = slots
        self.updates = updates

    def close(self) -> None:
        """Remove the gradient hooks; harmless when repeated."""
        while self._hooks:
            self._hooks.pop().remove()


def actor_rate(name: str, config: OptimizerConfig) -> float:
    """Return the learning rate of a policy's parameter, by its part."""
    rates = {"vision": config.vision_lr, "projector": config.vision_lr}
    rate = (rates | {"language": config.language_lr}).get(part_of(name))
    return config.actor_lr if rate is None else rate


def critic_rate(name: str, config: OptimizerConfig) -> float:
    """Return the learning rate of a critic's parameter: its fresh weights have their own."""
    fresh = name.startswith(("queries", "head."))
    head = config.critic_head_lr
    return head if fresh and head is not None else config.critic_lr


def make_optimizer(
    module: nn.Module,
    names: Sequence[str],
    config: OptimizerConfig,
    rate_of: Callable[[str, OptimizerConfig], float],
    *,
    total: int,
) -> MasterOptimizer | None:
    """Return the optimiser of these parameters for `total` updates; None when there are none."""
    if not names:
        return None
    parameters = dict(module.named_parameters())
    groups: dict[float, dict[str, nn.Parameter]] = {}
    for name in names:
        groups.setdefault(rate_of(name, config), {})[name] = parameters[name]
    return MasterOptimizer(
        [(members, rate) for rate, members in groups.items()],
        betas=config.betas,
        weight_decay=config.weight_decay,
        grad_clip=config.grad_clip,
        schedule=RateSchedule(
            warmup_steps=config.warmup_steps,
            decay_steps=total if config.decay == "cosine" else None,
            final_share=config.final_lr_share,
        ),
    )
