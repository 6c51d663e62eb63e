"""A robot that exists on paper only, so that LeRobot's programs can be run whole in a test."""

import json
import os
from pathlib import Path

import numpy as np
from lerobot.robots import Robot

from tests.learning.lerobot_plugin.config_paper_arm import PaperArmConfig


class PaperArm(Robot):
    """Two joints and a camera; writes down the actions it is sent."""

    config_class = PaperArmConfig
    name = "paper_arm"

    def __init__(self, config: PaperArmConfig) -> None:
        super().__init__(config)
        self.sent: list[dict[str, float]] = []
        self._connected = False

    @property
    def observation_features(self) -> dict:
        return {"a.pos": float, "b.pos": float, "front": (32, 32, 3)}

    @property
    def action_features(self) -> dict:
        return {"a.pos": float, "b.pos": float}

    @property
    def is_connected(self) -> bool:
        return self._connected

    @property
    def is_calibrated(self) -> bool:
        return True

    def connect(self, calibrate: bool = True) -> None:
        self._connected = True

    def calibrate(self) -> None:
        """Nothing to calibrate."""

    def configure(self) -> None:
        """Nothing to configure."""

    def get_observation(self) -> dict:
        return {"a.pos": 0.1, "b.pos": -0.1, "front": np.full((32, 32, 3), 128, np.uint8)}

    def send_action(self, action: dict) -> dict:
        self.sent.append({name: float(value) for name, value in action.items()})
        return action

    def disconnect(self) -> None:
        self._connected = False
        Path(os.environ["PAPER_ARM_LOG"]).write_text(json.dumps(self.sent))
