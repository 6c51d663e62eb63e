"""Which weights learn: rules by part and layer range, each of which must match something.

A rule is a part (`vision`, `expert.norm`, `critic.head`, …), everything (`actor`, `critic`), or the
layers of a part from first to last, both included (`language.layers.16-17`). Freezing by name lists
silently missed renamed heads in the seed; here a rule that matches nothing is an error, and
`describe` prints what learns. Weights that no forward pass reads (the language heads) never learn.
"""

import re
from collections.abc import Iterable, Mapping

from torch import nn

_VLM = "model.paligemma_with_expert.paligemma.model"
_EXPERT = "model.paligemma_with_expert.gemma_expert.model"
_VISION = f"{_VLM}.vision_tower.vision_model"

# Part to the start of its parameters' names, in the policy or in the critic.
ACTOR_PARTS: Mapping[str, tuple[str, ...]] = {
    "vision": (f"{_VISION}.",),
    "vision.layers": (f"{_VISION}.encoder.layers.",),
    "projector": (f"{_VLM}.multi_modal_projector.",),
    "language": (f"{_VLM}.language_model.",),
    "language.layers": (f"{_VLM}.language_model.layers.",),
    "language.norm": (f"{_VLM}.language_model.norm.",),
    "language.embeddings": (f"{_VLM}.language_model.embed_tokens.",),
    "expert": (f"{_EXPERT}.",),
    "expert.layers": (f"{_EXPERT}.layers.",),
    "expert.norm": (f"{_EXPERT}.norm.",),
    "action_in": ("model.action_in_proj.",),
    "action_out": ("model.action_out_proj.",),
    "time_mlp": ("model.time_mlp_in.", "model.time_mlp_out."),
}
ACTOR_PARTS = {"actor": tuple(p for parts in ACTOR_PARTS.values() for p in parts), **ACTOR_PARTS}
CRITIC_PARTS: Mapping[str, tuple[str, ...]] = {
    "critic": ("",),
    "critic.layers": ("layers.",),
    "critic.norm": ("norm.",),
    "critic.queries": ("queries",),
    "critic.head": ("head.",),
    # The seed's offline learner trained of the head only its last layer.
    "critic.head.out": ("head.out.",),
}
_RANGE = re.compile(r"^(?P<part>.+\.layers)\.(?P<first>\d+)(?:-(?P<last>\d+))?$")


class TrainableError(ValueError):
    """A rule that names nothing; says which parts and layers there are."""


def select_trainable(
    rules: Iterable[str], *, actor: nn.Module, critic: nn.Module
) -> tuple[list[str], list[str]]:
    """Set `requires_grad` everywhere and return the names that learn, of actor and of critic.

    Args:
        rules: See the module's docstring.
        actor: A `pi05_rl` policy.
        critic: Its critic.
    """
    chosen: tuple[set[str], set[str]] = (set(), set())
    for rule in rules:
        critics = rule.split(".")[0] == "critic"
        names = [name for name, _ in (critic if critics else actor).named_parameters()]
        matched = _matches(rule, names, CRITIC_PARTS if critics else ACTOR_PARTS)
        chosen[critics].update(matched)
    for module, names in ((actor, chosen[0]), (critic, chosen[1])):
        for name, parameter in module.named_parameters():
            parameter.requires_grad_(name in names)
    return _ordered(actor, chosen[0]), _ordered(critic, chosen[1])


def _ordered(module: nn.Module, names: set[str]) -> list[str]:
    return [name for name, _ in module.named_parameters() if name in names]


def _matches(rule: str, names: list[str], parts: Mapping[str, tuple[str, ...]]) -> set[str]:
    found = _RANGE.match(rule)
    part = found["part"] if found else rule
    if part not in parts:
        raise TrainableError(f"no part {rule!r} to train; parts: {sorted(parts)}")
    prefixes = parts[part]
    if not found:
        matched = {name for name in names if name.startswith(prefixes)}
        if not matched:
            raise TrainableError(f"trainable rule {rule!r} matches no weights of this model")
        return matched
    first, last = int(found["first"]), int(found["last"] or found["first"])
    layers = {
        name: int(name.removeprefix(prefix).split(".")[0])
        for prefix in prefixes
        for name in names
        if name.startswith(prefix)
    }
    present = set(layers.values())
    missing = [layer for layer in range(first, last + 1) if layer not in present]
    if first > last or missing:
        raise TrainableError(
            f"trainable rule {rule!r} asks for layers {first} to {last}, but {part} has "
            f"{min(present)} to {max(present)}: is the rule for another model size?"
        )
    return {name for name, layer in layers.items() if first <= layer <= last}


def part_of(name: str) -> str:
    """Return the part that a policy's parameter belongs to, for its learning rate."""
    for part in ("vision", "projector", "language", "expert", "action_in", "action_out"):
        if name.startswith(ACTOR_PARTS[part]):
            return part
    return "time_mlp"


def describe(module: nn.Module, parts: Mapping[str, tuple[str, ...]]) -> str:
    """Return one line a part: how many of its weights learn."""
    lines = []
    for part, prefixes in parts.items():
        sizes = [
            (parameter.numel(), parameter.requires_grad)
            for name, parameter in module.named_parameters()
            if name.startswith(prefixes)
        ]
        total = sum(size for size, _ in sizes)
        learns = sum(size for size, learning in sizes if learning)
        lines.append(f"{part:20} {learns:>14,} of {total:>14,}")
    return "\n".join(lines)
