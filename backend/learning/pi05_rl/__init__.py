"""π0.5 with an advantage word, as a LeRobot policy type: `pi05_rl`.

Importing this package registers the type and its processor steps with LeRobot. The three modules
are named by LeRobot's convention (`configuration_*`, `modeling_*`, `processor_*`), because its
factories find the policy class and its processors by these names. LeRobot's own programs learn of
the type by `--plugins.discover_packages_path=backend.learning.pi05_rl` (any prefix but `policy`,
whose arguments they hand on to the policy's config).
"""

from backend.learning.pi05_rl.configuration_pi05_rl import PI05RLConfig
from backend.learning.pi05_rl.processor_pi05_rl import AdvantagePromptStep, PromptTokenizerStep

__all__ = ["AdvantagePromptStep", "PI05RLConfig", "PromptTokenizerStep"]
