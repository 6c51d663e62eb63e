"""Configuration of the LeRobot policy type `pi05_rl`: stock π0.5 plus its words."""

import warnings
from dataclasses import dataclass

from lerobot.configs import PreTrainedConfig
from lerobot.policies.pi05.configuration_pi05 import PI05Config

from backend.learning.advantages import WORDS
from backend.learning.pi05_rl.sizes import SIZES

PALIGEMMA_TOKENIZER = "google/paligemma-3b-pt-224"


@PreTrainedConfig.register_subclass("pi05_rl")
@dataclass
class PI05RLConfig(PI05Config):
    """Stock π0.5 with an advantage word in its prompt."""

    # A key of `sizes.SIZES`.
    size: str = "base"
    # Which words the actor was trained with; when acting, the prompt says the best of them.
    advantage_words: str = "two"
    # Classifier-free guidance β when acting: v = v_without + β (v_with - v_without); 1 is off.
    guidance_scale: float = 1.0
    # Times the noise that a chunk begins with when acting: 1 draws from what was learned, 0 takes
    # its middle, which is calmer where the model is small or little trained.
    noise_scale: float = 1.0
    # Folder or Hub id, `tiny` for the built-in one. Read when processors are made anew; a saved
    # checkpoint has the tokenizer inside.
    tokenizer: str = PALIGEMMA_TOKENIZER

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.size not in SIZES:
            raise ValueError(f"size is {self.size!r}, must be one of {sorted(SIZES)}")
        if self.advantage_words not in WORDS:
            raise ValueError(
                f"advantage_words is {self.advantage_words!r}, must be one of {sorted(WORDS)}"
            )
        if self.guidance_scale < 1.0:
            raise ValueError(f"guidance_scale is {self.guidance_scale}, must be at least 1 (off)")
        if not 0.0 <= self.noise_scale <= 1.0:
            raise ValueError(f"noise_scale is {self.noise_scale}, must be in 0…1 (1 is π0.5's own)")
        if self.guidance_scale > 1.0 and self.advantage_words == "none":
            raise ValueError(
                f"guidance_scale is {self.guidance_scale}, but there are no words to be guided by: "
                "set advantage_words, or guidance_scale to 1"
            )
        if self.guidance_scale > 1.5:
            warnings.warn(
                f"guidance_scale {self.guidance_scale} is above 1.5: published runs got worse and "
                "motion too aggressive there",
                stacklevel=2,
            )
