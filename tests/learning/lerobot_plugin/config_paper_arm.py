"""The paper arm's config, in a module of its own: LeRobot looks for the robot one level up."""

from dataclasses import dataclass

from lerobot.robots import RobotConfig


@RobotConfig.register_subclass("paper_arm")
@dataclass
class PaperArmConfig(RobotConfig):
    """Nothing to set."""
