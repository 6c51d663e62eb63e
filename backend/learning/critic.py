"""The critic: V(s) from the actor's own features, in a scalar and a distributional form.

The first N Gemma layers of the actor's language model are copied; they read the actor's image
features, its text embeddings of the critic's prompt, and learned queries, all attending to all.
A head turns the queries into one number (`scalar`) or the logits of 201 bins (`distributional`).
Features are detached, so no gradient of the critic reaches the actor; the actor's moving vision
tower does shift the critic's inputs, so train the critic while the actor stands still.
The head reads only the queries, so the last layer makes only their rows: the same numbers for less.

Departures from the seed: positions count real tokens only (it numbered padding too), the head and
the averaged target are float32 (its bf16 swallowed small steps), and the distributional form
shares the trunk instead of bringing a vision tower of its own.
"""

import copy
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from transformers.models.gemma.modeling_gemma import rotate_half

from backend.learning.config import CriticConfig
from backend.learning.losses import (
    bin_centers,
    distribution_loss,
    hl_gauss_target,
    one_hot_target,
    two_hot_target,
)
from backend.learning.pi05_rl.modeling_pi05_rl import PI05RLPolicy
from backend.learning.pi05_rl.sizes import SIZES


class Features(NamedTuple):
    """What the critic reads: the actor's embeddings, without a way back to them."""

    embeddings: Float[Tensor, "b l w"]
    # True for real tokens.
    mask: Bool[Tensor, "b l"]


class ValueHead(nn.Module):
    """Query outputs to one number or to logits, in float32: Linear, SwiGLU, Linear."""

    def __init__(self, num_inputs: int, num_outputs: int, *, width: int) -> None:
        super().__init__()
        self.reduce = nn.Linear(num_inputs, width)
        self.gate = nn.Linear(width, width // 2)
        self.up = nn.Linear(width, width // 2)
        self.out = nn.Linear(width // 2, num_outputs)

    def forward(self, queries: Float[Tensor, "b q w"]) -> Float[Tensor, "b n"]:
        hidden = self.reduce(queries.flatten(1).to(self.reduce.weight.dtype))
        return self.out(nn.functional.silu(self.gate(hidden)) * self.up(hidden))


class Critic(nn.Module):
    """Value of a state, as the config says: one number, or a distribution over bins."""

    def __init__(self, policy: PI05RLPolicy, config: CriticConfig) -> None:
        super().__init__()
        language = policy.model.paligemma_with_expert.paligemma.model.language_model
        depth = config.depth or SIZES[policy.config.size].critic_depth
        if depth > len(language.layers):
            raise ValueError(
                f"critic depth is {depth}, must be at most {len(language.layers)}, the layers of "
                f"the actor's language model (size {policy.config.size!r})"
            )
        self.config = config
        self.gradient_checkpointing = policy.config.gradient_checkpointing
        self.layers = copy.deepcopy(language.layers[:depth])
        self.norm = copy.deepcopy(language.norm)
        self.rotary_emb = copy.deepcopy(language.rotary_emb)
        for layer in self.layers:
            layer.self_attn.config._attn_implementation = "sdpa"
        width = language.config.hidden_size
        device = self.layers[0].self_attn.q_proj.weight.device
        self.queries = nn.Parameter(
            torch.randn(1, config.num_queries, width, device=device) * config.query_std
        )
        outputs = config.num_bins if config.kind == "distributional" else 1
        self.head = ValueHead(config.num_queries * width, outputs, width=width // 2).to(device)
        centers = bin_centers(config.value_min, config.value_max, config.num_bins)
        self.register_buffer("centers", centers.to(device), persistent=False)
        self.requires_grad_(requires_grad=True)

    def forward(self, features: Features) -> Float[Tensor, "b n"]:
        """Return the head's output: (b, 1) values or (b, bins) logits."""
        dtype = self.layers[0].self_attn.q_proj.weight.dtype
        batch = len(features.mask)
        queries = self.queries.expand(batch, -1, -1)
        hidden = torch.cat([features.embeddings.to(dtype), queries.to(dtype)], dim=1)
        real = torch.ones(queries.shape[:2], dtype=torch.bool, device=hidden.device)
        mask = torch.cat([features.mask, real], dim=1)
        positions = torch.cumsum(mask, dim=1) - 1
        # Padding rows attend to real tokens too, so that no softmax is empty; nobody reads them.
        seen = mask[:, None, None, :]
        rotary = self.rotary_emb(hidden, positions)
        *whole, last = self.layers
        for layer in whole:
            hidden = self._run(layer, hidden, attention_mask=seen, position_embeddings=rotary)
        hidden = self._run(_last_rows, hidden, last, seen, rotary, self.config.num_queries)
        hidden, _ = self.norm(hidden)
        return self.head(hidden)

    def _run(self, step: Callable[..., Tensor], *args: Any, **kwargs: Any) -> Tensor:
        if self.gradient_checkpointing and self.training:
            return checkpoint(step, *args, use_reentrant=False, **kwargs)
        return step(*args, **kwargs)

    def values(self, output: Float[Tensor, "b n"]) -> Float[Tensor, " b"]:
        """Return the value that the head's output stands for."""
        if self.config.kind == "scalar":
            return output[:, 0]
        return output.softmax(dim=1) @ self.centers

    def spread(self, output: Float[Tensor, "b n"]) -> Float[Tensor, " b"] | None:
        """Return the standard deviation of the predicted distribution; None for a scalar."""
        if self.config.kind == "scalar":
            return None
        probabilities = output.softmax(dim=1)
        mean = probabilities @ self.centers
        return ((probabilities * (self.centers - mean[:, None]) ** 2).sum(dim=1)).sqrt()

    def losses(
        self,
        output: Float[Tensor, "b n"],
        targets: Float[Tensor, " b"],
        *,
        terminal: Bool[Tensor, " b"],
    ) -> Float[Tensor, " b"]:
        """Return each sample's loss: squared error, or cross-entropy against the target bins.

        Args:
            output: What `forward` returned.
            targets: Returns; clamped to the support of the bins.
            terminal: States whose value is known because the episode ends there: one-hot, since
                spreading mass at an edge of the support would bias success away from its value.
        """
        if self.config.kind == "scalar":
            return (output[:, 0] - targets) ** 2
        targets = targets.clamp(self.config.value_min, self.config.value_max)
        if self.config.target == "hl_gauss":
            spread = hl_gauss_target(targets, self.centers, ratio=self.config.hl_gauss_ratio)
        else:
            spread = two_hot_target(targets, self.centers)
        known = one_hot_target(targets, self.centers)
        return distribution_loss(output, torch.where(terminal[:, None], known, spread))


def _last_rows(
    hidden: Float[Tensor, "b l w"],
    layer: nn.Module,
    seen: Bool[Tensor, "b 1 1 l"],
    rotary: tuple[Float[Tensor, "b l d"], Float[Tensor, "b l d"]],
    count: int,
) -> Float[Tensor, "b count w"]:
    """Return the last `count` rows of what a Gemma layer makes of `hidden`, and make no others.

    All rows give keys and values; attention output, MLP and residuals are of the last rows alone.
    Every query sees the same keys, so query heads that share a key head go through it as one.
    """
    attention, size = layer.self_attn, layer.self_attn.head_dim
    normed, _ = layer.input_layernorm(hidden)

    def heads(projected: Tensor) -> Tensor:
        return projected.unflatten(-1, (-1, size)).transpose(1, 2)  # (b, heads, rows, d)

    def turned(x: Tensor, rows: slice) -> Tensor:
        cos, sin = (part[:, None, rows] for part in rotary)
        return x * cos + rotate_half(x) * sin

    queries = turned(heads(attention.q_proj(normed[:, -count:])), slice(-count, None))
    keys = turned(heads(attention.k_proj(normed)), slice(None))
    values = heads(attention.v_proj(normed))
    grouped = queries.reshape(len(hidden), keys.shape[1], -1, size)
    mixed = nn.functional.scaled_dot_product_attention(
        grouped, keys, values, attn_mask=seen, scale=attention.scaling
    )
    mixed = mixed.reshape(queries.shape).transpose(1, 2).flatten(2)
    rows = hidden[:, -count:] + attention.o_proj(mixed)
    normed, _ = layer.post_attention_layernorm(rows)
    return rows + layer.mlp(normed)


def critic_features(
    policy: PI05RLPolicy,
    image_features: Sequence[Float[Tensor, "b n w"]],
    img_masks: Sequence[Bool[Tensor, " b"]],
    tokens: Int[Tensor, "b t"],
    token_mask: Bool[Tensor, "b t"],
) -> Features:
    """Return the actor's embeddings of pictures and critic prompt, detached.

    Args:
        policy: Whose embeddings; its vision tower has already made `image_features`.
        image_features: Of each camera.
        img_masks: False where a camera is missing.
        tokens: Of the critic's prompt, which has no advantage word.
        token_mask: False for padding.
    """
    with torch.no_grad():
        text = policy.model.paligemma_with_expert.embed_language_tokens(tokens)
    images = [features.detach() for features in image_features]
    seen = [mask[:, None].expand(-1, f.shape[1]) for f, mask in zip(images, img_masks, strict=True)]
    return Features(
        embeddings=torch.cat([*(f.to(text.dtype) for f in images), text], dim=1),
        mask=torch.cat([*seen, token_mask], dim=1),
    )


def averaged_copy(critic: Critic) -> Critic:
    """Return the target critic: a float32 copy that no gradient trains."""
    target = copy.deepcopy(critic).float()
    return target.requires_grad_(requires_grad=False).eval()
