"""A checkpoint as the chunk player's model: loads it, plans with it, asks its critic.

Imports torch and the learning code, so whoever must stay light (the loop, the session) meets it
only through `rigging.py`.
"""

from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from lerobot.policies.rtc.configuration_rtc import RTCConfig

from backend.actor.chunks import Blend, Chunk
from backend.actor.judgements import Value
from backend.control import Arm, Observation
from backend.learning.acting import CheckpointPolicy
from backend.learning.inputs import ModelInputs
from backend.learning.replay import Observations


class CheckpointModel:
    """A `ChunkModel`."""

    def __init__(self, checkpoint: CheckpointPolicy) -> None:
        policy: Any = checkpoint.policy
        self.chunk_size = checkpoint.chunk_size
        self.horizon = checkpoint.advantage_steps
        # What is left over of a chunk of relative actions is relative to where the robot was then.
        self.can_blend = bool(policy.supports_rtc()) and not policy.config.use_relative_actions
        if self.can_blend:
            policy.config.rtc_config = RTCConfig(enabled=True)
            policy.init_rtc_processor()
        # Blending asks for gradients by the actions; weights need none.
        policy.requires_grad_(requires_grad=False)
        self._checkpoint = checkpoint
        self._policy = policy
        self._inputs = ModelInputs(checkpoint.preprocessor)
        # As much of a chunk as LeRobot blends of its usual one: 10 of 50.
        self._blend_steps = max(1, self.chunk_size // 5)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Load onto the GPU where there is one; seconds. Raises what LeRobot and torch raise."""
        # The cores belong to the loop and the cameras first.
        torch.set_num_threads(1)
        device = "cuda" if torch.cuda.is_available() else "cpu"
        return cls(CheckpointPolicy.load(path, device=device))

    def rehearse(self, arm: Arm) -> None:
        """Think once of nothing in particular, as `arm` would show it."""
        nothing = Observation(
            state=np.zeros(len(arm.state_names), dtype=np.float32),
            frames={
                name: np.zeros((height, width, 3), dtype=np.uint8)
                for name, (width, height) in arm.cameras.items()
            },
            frame_wall_s={},
        )
        self.plan(nothing, "", None)
        self.value(nothing, "")

    def plan(self, observation: Observation, task: str, blend: Blend | None) -> Chunk:
        batch = self._inputs.for_acting(
            Observations(
                tasks=[task],
                states=observation.state[None],
                images={name: observation.frames[name][None] for name in self._checkpoint.cameras},
            )
        )
        how: dict[str, Any] = {}
        if blend is not None:
            how = {
                "inference_delay": blend.delay,
                "prev_chunk_left_over": blend.left_over.to(self._policy.config.device),
                "execution_horizon": max(blend.delay + 1, self._blend_steps),
            }
        normalised = self._policy.predict_action_chunk(batch, **how)
        actions = self._checkpoint.postprocessor(normalised)
        return Chunk(normalised=normalised[0].float().cpu(), actions=actions[0].float().cpu())

    def value(self, observation: Observation, task: str) -> Value:
        estimate = self._checkpoint.value(observation.state, observation.frames, task)
        return Value(value=estimate.value, spread=estimate.spread)

    def advantage(self, before: float, after: float, *, steps: int, task: str) -> float | None:
        return self._checkpoint.advantage(before, after, steps=steps, task=task)
