"""Makes rigs from robot configs, through LeRobot; the only place of the actor that imports it.

Importing LeRobot takes ten seconds, so it happens when it is needed, and early: see `warm_up`.
"""

import gc
import importlib
import logging
from typing import Any

from backend.actor.rig import Rig, RigRefusedError, RobotFacts
from backend.robots.config import RobotConfig, RobotConfigError, load_robot_config, policies_of

log = logging.getLogger(__name__)


class LeRobotRigs:
    """The rigs of `configs/robots/`, or of config files anywhere."""

    def __init__(self, *, default_robot: str) -> None:
        self._default_robot = default_robot

    def warm_up(self) -> None:
        """Import LeRobot and what the default robot needs; what fails here fails again at open."""
        try:
            _make().make_arm(_config(self._default_robot))
        except (RigRefusedError, RobotConfigError) as error:
            log.warning("%s cannot be opened as it is: %s", self._default_robot, error)

    def facts(self, robot: str) -> RobotFacts:
        """What the config says; LeRobot is not imported."""
        config = _config(robot)
        return RobotFacts(
            robot=config.name,
            fps=config.fps,
            task=config.task,
            episode_time_s=config.episode_time_s,
            policies=tuple(policies_of(config)),
        )

    def connect(self, robot: str, policy: str) -> Rig:
        """Make everything, then connect: a wrong name fails before the robot is touched."""
        config = _config(robot)
        make = _make()
        try:
            arm = make.make_arm(config)
            rig = Rig(
                facts=self.facts(robot),
                arm=arm,
                human=make.make_input(config, arm),
                policy=make.make_policy(policy, config, arm),
            )
        except RobotConfigError as error:
            raise RigRefusedError(str(error)) from error
        try:
            arm.connect()
        except BaseException:
            arm.close()
            raise
        # LeRobot and torch leave half a million objects that live for ever; a collection that
        # walked over them would stop the loop for longer than one of its periods.
        gc.collect()
        gc.freeze()
        return rig


def _config(robot: str) -> RobotConfig:
    try:
        return load_robot_config(robot)
    except RobotConfigError as error:
        raise RigRefusedError(str(error)) from error


def _make() -> Any:
    return importlib.import_module("backend.robots.make")
