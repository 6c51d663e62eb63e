"""Makes LeRobot's programs know policies of type `pi05_rl`; all code is Handrail's.

LeRobot imports every installed distribution whose name begins with `lerobot_policy_`, so
`lerobot-rollout --policy.path=…` loads our checkpoints. Installed editable from Handrail's
repository, whose folder is added to the end of the import path, wherever a program was started.
"""

import importlib
import importlib.util
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]

if importlib.util.find_spec("backend") is None:
    sys.path.append(str(REPOSITORY))
importlib.import_module("backend.learning.pi05_rl")
