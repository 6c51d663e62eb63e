"""The two sizes of the model: `base` is π0.5 as published, `tiny` trains on two CPU cores.

LeRobot's classes hard-code the published sizes (vision 27 × 1152, vocabulary 257152, …) but not
the computation, except for the 8 attention heads; so both sizes are numbers for one code path.
"""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class ModelSize:
    # Gemma language model and action expert share depth and attention sizes: their keys and
    # values meet in every layer. LeRobot's joint attention is written for 8 heads.
    depth: int
    head_dim: int
    language_width: int
    language_mlp: int
    expert_width: int
    expert_mlp: int
    vision_depth: int
    vision_width: int
    vision_mlp: int
    vision_heads: int
    patch_size: int
    vocabulary: int
    # Pixels of the square picture that goes into the vision tower.
    image_size: int
    # Prompt tokens, and layers of the critic (a third of the actor's), unless a config says so.
    prompt_tokens: int
    critic_depth: int
    # Times SigLIP's own first weights of the patches' positions. Untrained patches are louder than
    # their positions, and a few hundred updates do not tell a small tower where something is.
    position_gain: float = 1.0
    num_heads: int = 8
    num_kv_heads: int = 1


SIZES = {
    "base": ModelSize(
        depth=18,
        head_dim=256,
        language_width=2048,
        language_mlp=16_384,
        expert_width=1024,
        expert_mlp=4096,
        vision_depth=27,
        vision_width=1152,
        vision_mlp=4304,
        vision_heads=16,
        patch_size=14,
        vocabulary=257_152,
        image_size=224,
        prompt_tokens=200,
        critic_depth=6,
    ),
    "tiny": ModelSize(
        depth=3,
        head_dim=16,
        language_width=128,
        language_mlp=512,
        expert_width=128,
        expert_mlp=384,
        vision_depth=2,
        vision_width=96,
        vision_mlp=256,
        vision_heads=4,
        patch_size=16,
        vocabulary=512,
        image_size=96,
        prompt_tokens=64,
        critic_depth=1,
        position_gain=6.0,
    ),
}
