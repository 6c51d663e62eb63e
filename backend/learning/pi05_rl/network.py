"""The network of `pi05_rl`: LeRobot's own, built in either size, sampled with guidance.

LeRobot's classes fix the published sizes where they build their parts; here the same parts are
built from a `ModelSize`. The forward pass, the loss and the denoising step are inherited.
"""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from lerobot.policies.common.flow_matching import euler_integrate
from lerobot.policies.common.vla_utils import make_att_2d_masks, prepare_attention_masks_4d
from lerobot.policies.pi05.modeling_pi05 import PaliGemmaWithExpertModel, PI05Pytorch
from lerobot.policies.pi_gemma import (
    PaliGemmaForConditionalGenerationWithPiGemma,
    PiGemmaForCausalLM,
)
from torch import Tensor, nn
from transformers.models.auto import CONFIG_MAPPING

from backend.learning.pi05_rl.configuration_pi05_rl import PI05RLConfig
from backend.learning.pi05_rl.sizes import SIZES, ModelSize


class SizedPaliGemmaWithExpert(PaliGemmaWithExpertModel):
    """LeRobot's PaliGemma and action expert, built from a `ModelSize`."""

    def __init__(self, size: ModelSize, *, config: PI05RLConfig) -> None:
        nn.Module.__init__(self)  # the parent's builds the published size
        self.freeze_vision_encoder = config.freeze_vision_encoder
        self.train_expert_only = config.train_expert_only
        self.paligemma = PaliGemmaForConditionalGenerationWithPiGemma(
            config=_paligemma_config(size, image_size=config.image_resolution[0])
        )
        self.gemma_expert = PiGemmaForCausalLM(
            config=CONFIG_MAPPING["gemma"](
                **_attention_sizes(size),
                hidden_size=size.expert_width,
                intermediate_size=size.expert_mlp,
                vocab_size=size.vocabulary,
                hidden_activation="gelu_pytorch_tanh",
                dtype="float32",
                use_adarms=True,
                adarms_cond_dim=size.expert_width,
            )
        )
        self.gemma_expert.model.embed_tokens = None
        embeddings = self.paligemma.model.vision_tower.vision_model.embeddings
        with torch.no_grad():
            embeddings.position_embedding.weight.mul_(size.position_gain)
        self.to_bfloat16_for_selected_params(config.dtype)
        self._set_requires_grad()

    def embed_image(self, image: Tensor) -> Tensor:
        """Return features (b, tokens, width) of pixels (b, 3, h, w); features pass unchanged.

        So actor and critic can share one pass of the vision tower.
        """
        return image if image.ndim == 3 else super().embed_image(image)


def _attention_sizes(size: ModelSize) -> dict[str, int]:
    return {
        "head_dim": size.head_dim,
        "num_attention_heads": size.num_heads,
        "num_key_value_heads": size.num_kv_heads,
        "num_hidden_layers": size.depth,
    }


def _paligemma_config(size: ModelSize, *, image_size: int) -> Any:
    config = CONFIG_MAPPING["paligemma"]()
    config._vocab_size = size.vocabulary
    config.image_token_index = size.vocabulary
    config.projection_dim = size.language_width
    text = {
        **_attention_sizes(size),
        "hidden_size": size.language_width,
        "intermediate_size": size.language_mlp,
        "hidden_activation": "gelu_pytorch_tanh",
        "dtype": "float32",
        "vocab_size": size.vocabulary,
        "use_adarms": False,
        "adarms_cond_dim": None,
    }
    vision = {
        "image_size": image_size,
        "patch_size": size.patch_size,
        "hidden_size": size.vision_width,
        "num_hidden_layers": size.vision_depth,
        "num_attention_heads": size.vision_heads,
        "intermediate_size": size.vision_mlp,
        "projection_dim": size.language_width,
        "projector_hidden_act": "gelu_fast",
        "dtype": "float32",
    }
    for name, value in text.items():
        setattr(config.text_config, name, value)
    for name, value in vision.items():
        setattr(config.vision_config, name, value)
    return config


class PI05RLPytorch(PI05Pytorch):
    """LeRobot's flow-matching core in the configured size, with guidance when sampling."""

    def __init__(self, config: PI05RLConfig, rtc_processor: Any = None) -> None:
        nn.Module.__init__(self)  # the parent's builds the published size
        height, width = config.image_resolution
        if height != width:
            raise ValueError(f"image_resolution is {height}×{width}, must be square: SigLIP is")
        size = SIZES[config.size]
        self.config = config
        self.rtc_processor = rtc_processor
        self.paligemma_with_expert = SizedPaliGemmaWithExpert(size, config=config)
        self.action_in_proj = nn.Linear(config.max_action_dim, size.expert_width)
        self.action_out_proj = nn.Linear(size.expert_width, config.max_action_dim)
        self.time_mlp_in = nn.Linear(size.expert_width, size.expert_width)
        self.time_mlp_out = nn.Linear(size.expert_width, size.expert_width)
        self.gradient_checkpointing_enabled = False
        if config.compile_model:
            torch.set_float32_matmul_precision("high")
            self.sample_actions = torch.compile(self.sample_actions, mode=config.compile_mode)
            self.forward = torch.compile(self.forward, mode=config.compile_mode)

    @torch.no_grad()
    def sample_guided(
        self,
        images: Sequence[Tensor],
        img_masks: Sequence[Tensor],
        tokens: tuple[Tensor, Tensor],
        masks: tuple[Tensor, Tensor],
        *,
        guidance: float,
        noise: Tensor | None = None,
        num_steps: int | None = None,
        **rtc: Any,
    ) -> Float[Tensor, "b h a"]:
        """Sample chunks from v_without + guidance (v_with - v_without).

        Args:
            images: Pixels or features of each camera.
            img_masks: bool (b,) of each camera.
            tokens: Prompts with the word, and without: int64 (b, tokens) each.
            masks: Their masks, bool (b, tokens) each.
            guidance: β; 1 gives what the prompts with the word give alone.
            noise: float32 (b, horizon, max_action_dim); drawn when None.
            num_steps: Euler steps; the config's when None.
            rtc: What LeRobot's real-time chunking passes.
        """
        batch = tokens[0].shape[0]
        if noise is None:
            shape = (batch, self.config.chunk_size, self.config.max_action_dim)
            noise = self.sample_noise(shape, tokens[0].device)
        # Both prompts go through as one batch, the second half without the word.
        embeddings, pads, attention = self.embed_prefix(
            [torch.cat([self.paligemma_with_expert.embed_image(image)] * 2) for image in images],
            [torch.cat([mask] * 2) for mask in img_masks],
            torch.cat(tokens),
            torch.cat(masks),
        )
        language_model = self.paligemma_with_expert.paligemma.model.language_model
        language_model.config._attn_implementation = "eager"
        _, cache = self.paligemma_with_expert.forward(
            attention_mask=prepare_attention_masks_4d(make_att_2d_masks(pads, attention)),
            position_ids=torch.cumsum(pads, dim=1) - 1,
            past_key_values=None,
            inputs_embeds=[embeddings, None],
            use_cache=True,
        )

        def velocity(x: Tensor, time: Tensor) -> Tensor:
            both = self.denoise_step(
                prefix_pad_masks=pads,
                past_key_values=cache,
                x_t=torch.cat([x, x]),
                timestep=torch.cat([time, time]),
            )
            with_word, without = both.chunk(2)
            return without + guidance * (with_word - without)

        return euler_integrate(
            velocity,
            noise,
            num_steps or self.config.num_inference_steps,
            rtc_processor=self.rtc_processor,
            rtc_enabled=self._rtc_enabled(),
            **rtc,
        )
