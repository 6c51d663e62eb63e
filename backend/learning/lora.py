"""LoRA adapters in the actor, through `peft`, for GPUs that cannot hold all optimiser state.

Adapters are put inside the linear layers that the trainable rules select; small parts without such
layers (`action_in`, `action_out`, `time_mlp`) learn as they are. A checkpoint gets the merged
weights, so it is a plain LeRobot policy; the adapters are kept in the training state.
"""

import logging
import re
from collections.abc import Iterable, Mapping

import torch
from peft import LoraConfig as PeftLoraConfig
from peft import inject_adapter_in_model
from peft.tuners.lora import LoraLayer
from torch import Tensor, nn

from backend.learning.config import LoraConfig
from backend.learning.trainable import ACTOR_PARTS

logger = logging.getLogger(__name__)
_WHOLE = tuple(p for part in ("action_in", "action_out", "time_mlp") for p in ACTOR_PARTS[part])


def add_adapters(
    policy: nn.Module, config: LoraConfig, selected: Iterable[str], *, seed: int
) -> list[str]:
    """Put adapters where `selected` weights lie and return the names that learn now.

    Args:
        policy: Changed in place.
        config: Rank, scale and which linear layers.
        selected: Names of the weights that the trainable rules chose.
        seed: Of the adapters' first weights.

    Raises:
        ValueError: No selected layer has one of the targets' names.
    """
    selected = set(selected)
    ends = tuple(f".{target}.weight" for target in config.targets)
    layers = [name.removesuffix(".weight") for name in sorted(selected) if name.endswith(ends)]
    if not layers:
        raise ValueError(
            f"lora.targets {list(config.targets)} are in none of the layers that trainable selects"
        )
    adapters = PeftLoraConfig(
        r=config.rank,
        lora_alpha=config.alpha,
        target_modules="(" + "|".join(re.escape(layer) for layer in layers) + ")",
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        inject_adapter_in_model(adapters, policy)
    learning = []
    for name, parameter in policy.named_parameters():
        adapter = ".lora_" in name
        parameter.requires_grad_(adapter or (name in selected and name.startswith(_WHOLE)))
        if parameter.requires_grad:
            learning.append(name)
    logger.info("LoRA adapters of rank %d in %d layers", config.rank, len(layers))
    return learning


def adapted_layers(policy: nn.Module) -> dict[str, LoraLayer]:
    """Return the layers that have adapters, under their plain names."""
    return {name: m for name, m in policy.named_modules() if isinstance(m, LoraLayer)}


def merged_weights(policy: nn.Module) -> Mapping[str, Tensor]:
    """Return the policy's weights under their plain names, adapters added in."""
    adapted = adapted_layers(policy)
    weights = {}
    for name, weight in policy.state_dict().items():
        owner = next((layer for layer in adapted if name.startswith(f"{layer}.")), None)
        if owner is None:
            weights[name] = weight
        elif name == f"{owner}.base_layer.weight":
            change = adapted[owner].get_delta_weight("default")
            weights[f"{owner}.weight"] = (weight.float() + change.float()).to(weight.dtype)
        elif name == f"{owner}.base_layer.bias":
            weights[f"{owner}.bias"] = weight
    return weights
