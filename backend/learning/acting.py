"""The checkpoint as it acts: observation in, chunk of robot actions and value out.

One object, used from one thread at a time, with no training code behind it. The control loop meets
it as arrays; LeRobot's own engines (real-time chunking) may take `policy`, `preprocessor` and
`postprocessor` instead.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, UInt8
from lerobot.utils.constants import OBS_IMAGES

from backend.domain import Outcome
from backend.learning.advantages import chunk_advantages
from backend.learning.inputs import ModelInputs
from backend.learning.models import Models, load_models
from backend.learning.published import load_published
from backend.learning.published_files import is_weights_folder
from backend.learning.replay import Observations
from backend.learning.returns import chunk_rewards
from backend.learning.scoring import score_observations


class ValueEstimate(NamedTuple):
    """The critic's opinion of one moment."""

    value: float
    # Standard deviation of its distribution; None for a scalar critic.
    spread: float | None


class CheckpointPolicy:
    """Acts by one checkpoint. The prompt always says the best word."""

    def __init__(self, models: Models) -> None:
        self._models = models
        self._inputs = ModelInputs(models.preprocessor)
        models.policy.eval()
        config = models.policy.config
        self.cameras = tuple(name.removeprefix(f"{OBS_IMAGES}.") for name in config.image_features)
        self.chunk_size: int = config.chunk_size
        self.advantage_steps: int = models.config.words.advantage_steps or config.chunk_size
        self.action_dim: int = config.action_feature.shape[0]
        self.state_dim: int = config.robot_state_feature.shape[0]
        self.policy = models.policy
        self.preprocessor = models.preprocessor
        self.postprocessor = models.postprocessor

    @classmethod
    def load(cls, checkpoint: str | Path, *, device: str = "cpu") -> "CheckpointPolicy":
        """Load a checkpoint folder (or its `pretrained_model`, or a Hub id), or published weights.

        Raises:
            WeightsError: Published weights are damaged, or of another model.
        """
        if is_weights_folder(Path(checkpoint)):
            return cls(load_published(Path(checkpoint), device=device))
        return cls(load_models(checkpoint, device=device))

    def predict_chunk(
        self,
        state: Float[np.ndarray, " s"],
        frames: Mapping[str, UInt8[np.ndarray, "y x 3"]],
        task: str,
        *,
        noise: Float[np.ndarray, "h m"] | None = None,
    ) -> Float[np.ndarray, "h a"]:
        """Return the next `chunk_size` actions, in the robot's own units.

        Args:
            state: As the robot reports it.
            frames: RGB by camera name; cameras that the checkpoint does not know are ignored.
            task: What to do, in words.
            noise: What sampling starts from; drawn from torch's generator when None.
        """
        batch = self._inputs.for_acting(self._observe(state, frames, task))
        start = (
            None if noise is None else torch.from_numpy(noise)[None].to(self.policy.config.device)
        )
        chunk = self.policy.predict_action_chunk(batch, noise=start)
        return self.postprocessor(chunk)[0].float().numpy()

    def value(
        self,
        state: Float[np.ndarray, " s"],
        frames: Mapping[str, UInt8[np.ndarray, "y x 3"]],
        task: str,
    ) -> ValueEstimate:
        """Return the critic's value of this moment and its spread, in units of return."""
        scores = score_observations(self._models, self._observe(state, frames, task))
        spread = None if scores.spreads is None else float(scores.spreads[0])
        return ValueEstimate(value=float(scores.values[0]), spread=spread)

    def advantage(self, before: float, after: float, *, steps: int, task: str) -> float | None:
        """Return what the critic thinks of a stretch of a running attempt, in units of return.

        As in training, where an attempt is cut there: what the steps cost, and what they gained.

        Args:
            before: Value at the beginning of the stretch.
            after: Value at its end.
            steps: Between the two, 1 to `advantage_steps`.
            task: Decides the scale of the returns; None comes back for one never learned.
        """
        longest = self._models.longest.get(task)
        if longest is None:
            return None
        reward = self._models.config.reward
        chunks = chunk_rewards(
            steps + 1, Outcome.NONE, horizon=self.advantage_steps, longest=longest, config=reward
        )
        values = np.full(steps + 1, before)
        values[-1] = after
        return float(chunk_advantages(values, chunks, value_range=reward.value_range)[0])

    def _observe(
        self,
        state: Float[np.ndarray, " s"],
        frames: Mapping[str, UInt8[np.ndarray, "y x 3"]],
        task: str,
    ) -> Observations:
        missing = [name for name in self.cameras if name not in frames]
        if missing:
            raise ValueError(
                f"no picture of camera {missing[0]!r}, have {sorted(frames)}: this checkpoint was "
                "trained with other cameras"
            )
        if state.shape != (self.state_dim,):
            raise ValueError(
                f"state has shape {state.shape}, must be ({self.state_dim},): was this checkpoint "
                "trained for another robot?"
            )
        return Observations(
            tasks=[task],
            states=state[None].astype(np.float32),
            images={name: frames[name][None] for name in self.cameras},
        )
