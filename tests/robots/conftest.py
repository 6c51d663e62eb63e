"""Rendering without a window: MuJoCo chooses when it is imported."""

import os

os.environ.setdefault("MUJOCO_GL", "egl")
