"""The LeRobot policy `pi05_rl`: π0.5 in two sizes, with padding masked and guidance by the word.

Departures from LeRobot's `PI05Policy` (0.6.1):

- sizes come from `sizes.py`, so `tiny` runs the same code; `base` has the stock weights' names and
  shapes, and the stock forward pass;
- `forward` leaves out the padded steps of a chunk (`action_is_pad`), which stock ignores;
- loading is strict and raises, where stock prints a warning and returns random weights;
- pictures must be floats in [0, 1]; whole numbers, a forgotten division by 255, are refused;
- with `guidance_scale` β > 1, v = v_without + β (v_with - v_without) in every Euler step;
- with `noise_scale` below 1 a chunk begins with less noise than was trained with.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import hf_hub_download
from jaxtyping import Bool, Float
from lerobot.configs import PreTrainedConfig
from lerobot.policies.pi05.modeling_pi05 import PI05Policy
from lerobot.utils.constants import ACTION, OBS_LANGUAGE_ATTENTION_MASK, OBS_LANGUAGE_TOKENS
from safetensors.torch import load_file
from torch import Tensor

from backend.learning.losses import masked_flow_loss
from backend.learning.pi05_rl.configuration_pi05_rl import PI05RLConfig
from backend.learning.pi05_rl.network import PI05RLPytorch
from backend.learning.pi05_rl.processor_pi05_rl import OBS_PLAIN_ATTENTION_MASK, OBS_PLAIN_TOKENS

WEIGHTS_FILE = "model.safetensors"
_LM_HEAD = "model.paligemma_with_expert.paligemma.lm_head.weight"
_EXPERT_LM_HEAD = "model.paligemma_with_expert.gemma_expert.lm_head.weight"
_EMBEDDING = "model.paligemma_with_expert.paligemma.model.language_model.embed_tokens.weight"


class PI05RLPolicy(PI05Policy):
    """π0.5 that is told how good the chunk to come should be."""

    config_class = PI05RLConfig
    name = "pi05_rl"

    def __init__(self, config: PI05RLConfig, **_kwargs: Any) -> None:
        super(PI05Policy, self).__init__(config)  # the parent's builds the published size
        config.validate_features()
        self.config = config
        self.init_rtc_processor()
        self.model = PI05RLPytorch(config, rtc_processor=self.rtc_processor)
        if config.gradient_checkpointing:
            self.model.gradient_checkpointing_enable()
        self.model.to(config.device)
        self.reset()

    @classmethod
    def from_pretrained(
        cls,
        pretrained_name_or_path: str | Path,
        *,
        config: PreTrainedConfig | None = None,
        strict: bool = True,
        revision: str | None = None,
        cache_dir: str | Path | None = None,
        token: str | bool | None = None,
        local_files_only: bool = False,
        **_kwargs: Any,
    ) -> "PI05RLPolicy":
        """Load a folder or Hub id, in evaluation mode, or raise.

        Reads RL checkpoints and stock π0.5 ones alike; `config` must be given for the latter.
        Stock would print a warning and go on with random weights when a key does not fit.
        """
        where = str(pretrained_name_or_path)
        hub = {
            "revision": revision,
            "cache_dir": cache_dir,
            "token": token,
            "local_files_only": local_files_only,
        }
        if config is None:
            config = PreTrainedConfig.from_pretrained(where, **hub)
        policy = cls(config)
        policy.load_weights(read_weights(where, **hub), strict=strict)
        policy.to(config.device)
        return policy.eval()

    def load_weights(self, weights: dict[str, Tensor], *, strict: bool = True) -> None:
        """Load weights under this policy's names or openpi's (without the leading `model.`).

        Raises:
            RuntimeError: A weight is missing, unknown or of another shape, when strict.
        """
        if weights.keys() != self.state_dict().keys():
            weights = self._repaired(weights)
        self.load_state_dict(weights, strict=strict)

    def _repaired(self, weights: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return openpi's or LeRobot's stock weights under this policy's names."""
        own_embedding = _prefixed(weights).get(_EMBEDDING)
        weights = _prefixed(self._fix_pytorch_state_dict_keys(weights, self.config))
        if own_embedding is not None:
            # LeRobot's key repair may lay the untrained lm_head over trained embeddings.
            weights[_EMBEDDING] = own_embedding
        own = self.state_dict()
        for unused in (_LM_HEAD, _EXPERT_LM_HEAD):
            # No forward pass reads these heads: a checkpoint without them is complete.
            weights.setdefault(unused, own[unused])
        return weights

    def camera_images(self, batch: dict[str, Any]) -> tuple[list[Tensor], list[Tensor]]:
        """Return each camera's pixels (b, 3, h, w) in [-1, 1], resized, and its mask (b,)."""
        for name in self.config.image_features:
            if name in batch and not batch[name].is_floating_point():
                raise ValueError(
                    f"{name} holds {batch[name].dtype}, must be floats in [0, 1]: divide by 255"
                )
        return self._preprocess_images(batch)

    def image_features(self, images: Sequence[Tensor]) -> list[Float[Tensor, "b n w"]]:
        """Return the vision tower's features of each camera, for actor and critic to share."""
        embed = self.model.paligemma_with_expert.embed_image
        return [self.model._apply_checkpoint(embed, image) for image in images]

    def flow_errors(
        self,
        batch: dict[str, Any],
        *,
        noise: Float[Tensor, "b h m"],
        time: Float[Tensor, " b"],
        images: Sequence[Tensor] | None = None,
        img_masks: Sequence[Tensor] | None = None,
    ) -> Float[Tensor, "b h a"]:
        """Return the squared error of the velocity for every step and real action dimension.

        Args:
            batch: Preprocessed: tokens, actions, and pictures unless `images` is given.
            noise: The noise that x_t mixes with the actions, over all `max_action_dim`.
            time: 1 is pure noise (the opposite of the paper's convention), 0 the actions.
            images: Pixels or features of each camera, when already prepared.
            img_masks: Their masks.
        """
        if images is None:
            images, img_masks = self.camera_images(batch)
        errors = self.model.forward(
            images,
            img_masks,
            batch[OBS_LANGUAGE_TOKENS],
            batch[OBS_LANGUAGE_ATTENTION_MASK],
            self.prepare_action(batch),
            noise,
            time,
        )
        return errors[..., : self.config.output_features[ACTION].shape[0]]

    def forward(
        self, batch: dict[str, Any], reduction: str = "mean"
    ) -> tuple[Tensor, dict[str, Any]]:
        """Return the flow-matching loss over unpadded steps, as LeRobot's trainer asks for it."""
        actions = self.prepare_action(batch)
        errors = self.flow_errors(
            batch,
            noise=self.model.sample_noise(actions.shape, actions.device),
            time=self.model.sample_time(len(actions), actions.device),
        )
        is_pad: Bool[Tensor, "b h"] | None = batch.get("action_is_pad")
        if is_pad is None:
            is_pad = torch.zeros(errors.shape[:2], dtype=torch.bool, device=errors.device)
        if reduction == "none":
            real = (~is_pad).float()
            losses = (errors.mean(dim=2) * real).sum(dim=1) / real.sum(dim=1).clamp(min=1)
            return losses, {"loss": losses.mean().item()}
        loss = masked_flow_loss(errors, is_pad)
        return loss, {"loss": loss.item()}

    @torch.no_grad()
    def predict_action_chunk(self, batch: dict[str, Any], **kwargs: Any) -> Tensor:
        """Return normalised chunks (b, horizon, action dim), guided when the config says so."""
        self.eval()
        images, img_masks = self.camera_images(batch)
        tokens, masks = batch[OBS_LANGUAGE_TOKENS], batch[OBS_LANGUAGE_ATTENTION_MASK]
        if kwargs.get("noise") is None and self.config.noise_scale != 1.0:
            shape = (len(tokens), self.config.chunk_size, self.config.max_action_dim)
            kwargs["noise"] = (
                self.model.sample_noise(shape, tokens.device) * self.config.noise_scale
            )
        if self.config.guidance_scale == 1.0:
            actions = self.model.sample_actions(images, img_masks, tokens, masks, **kwargs)
        else:
            if OBS_PLAIN_TOKENS not in batch:
                raise ValueError(
                    f"guidance_scale {self.config.guidance_scale} needs {OBS_PLAIN_TOKENS!r}: run "
                    "the observation through this checkpoint's own preprocessor"
                )
            actions = self.model.sample_guided(
                images,
                img_masks,
                (tokens, batch[OBS_PLAIN_TOKENS]),
                (masks, batch[OBS_PLAIN_ATTENTION_MASK]),
                guidance=self.config.guidance_scale,
                **kwargs,
            )
        return actions[..., : self.config.output_features[ACTION].shape[0]]


def _prefixed(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return {k if k.startswith("model.") else f"model.{k}": v for k, v in weights.items()}


def read_weights(where: str, **hub: Any) -> dict[str, Tensor]:
    """Return the tensors of a folder's or Hub id's `model.safetensors`."""
    local = Path(where) / WEIGHTS_FILE
    if Path(where).is_dir() and not local.is_file():
        raise FileNotFoundError(f"{where} has no {WEIGHTS_FILE}: is it a pretrained_model folder?")
    return load_file(local if local.is_file() else hf_hub_download(where, WEIGHTS_FILE, **hub))
