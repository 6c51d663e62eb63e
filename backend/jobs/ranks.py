"""Several processes that train one model: Accelerate starts them, gradients are averaged.

Every process holds the whole model and draws chunks of its own, so N processes make an update of N
times the batch. Weights stay alike because gradients, optimisers and steps are alike. The first
process alone tells, saves and probes. One process needs nothing of this.
"""

import os
from typing import Any, cast

import numpy as np
import torch
from accelerate import PartialState
from accelerate.utils import reduce

from backend.learning.learner import Learner
from backend.learning.optimizer import MasterOptimizer


class Ranks:
    """This process among those of its run. `close()` may be repeated."""

    def __init__(self, device: str) -> None:
        """Meet the others, if there are any.

        Args:
            device: `auto`, `cpu`, `cuda`, …; with several processes each takes its own.
        """
        several = int(os.environ.get("WORLD_SIZE", "1")) > 1
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        self._state = PartialState(cpu=device == "cpu") if several else None
        if self._state is not None:
            # LeRobot knows `cpu` and `cuda:1`, not `cpu:0`.
            own = self._state.device
            device = own.type if own.type == "cpu" else str(own)
        self.device = device
        self.rank = 0 if self._state is None else self._state.process_index
        self.size = 1 if self._state is None else self._state.num_processes

    @property
    def is_first(self) -> bool:
        return self.rank == 0

    def any(self, flag: bool) -> bool:  # noqa: FBT001
        """Whether any process says so; all must ask."""
        if self._state is None:
            return flag
        said = torch.tensor(float(flag), device=self._state.device)
        return bool(reduce(said, reduction="sum") > 0)

    def wait(self) -> None:
        """Wait until all processes are here."""
        if self._state is not None:
            self._state.wait_for_everyone()

    def join(self, learner: Learner) -> None:
        """Let a learner that was just started or resumed train together with the others'."""
        if self._state is None:
            return
        if learner.actor_optimizer is not None:
            learner.actor_optimizer = averaged(learner.actor_optimizer)
        if learner.critic_optimizer is not None:
            learner.critic_optimizer = averaged(learner.critic_optimizer)
        if self.rank:
            own = np.random.default_rng([learner.config.seed, self.rank, learner.step])
            learner.rng.bit_generator.state = own.bit_generator.state

    def close(self) -> None:
        """Part from the others."""
        if self._state is not None:
            self._state.destroy_process_group()
            self._state = None


def averaged(own: MasterOptimizer) -> MasterOptimizer:
    """Return what steps on the mean of all processes' gradients in place of `own`."""
    return cast(MasterOptimizer, AveragedOptimizer(own))


class AveragedOptimizer:
    """Looks like the `MasterOptimizer` it is made of, but for `step`."""

    def __init__(self, own: MasterOptimizer) -> None:
        self._own = own

    def step(self) -> float:
        """Average the gradients, then step; see `MasterOptimizer.step`."""
        for name in self._own.names:
            gradient = self._own.master(name).grad
            if gradient is not None:
                gradient.copy_(reduce(gradient, reduction="mean"))
        return self._own.step()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._own, name)
