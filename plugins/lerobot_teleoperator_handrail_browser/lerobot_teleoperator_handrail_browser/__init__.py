"""Makes LeRobot's programs know `--teleop.type=handrail_browser`; all code is Handrail's.

LeRobot imports every installed distribution whose name begins with `lerobot_teleoperator_`. This
one is installed editable from Handrail's repository, which is no distribution itself: so that it is
found wherever a program was started, its folder is added to the end of the import path.
"""

import importlib
import importlib.util
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]

if importlib.util.find_spec("backend") is None:
    sys.path.append(str(REPOSITORY))
importlib.import_module("backend.robots.browser_teleop")
