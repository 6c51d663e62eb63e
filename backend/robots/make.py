"""Makes arm, human input and built-in policies from a robot config, through LeRobot's registries.

Whatever LeRobot can drive can be named in a config: its own robots and cameras, installed plug-ins
(`lerobot_robot_…`), the simulator, and ours (`handrail_browser`, `handrail_synthetic`). Modules are
imported when a config names what they register, because most robots need none of them.

Importing this module imports LeRobot, which takes seconds; whoever only reads configs imports
`backend.robots.config`.
"""

import importlib
import os
import pkgutil
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import draccus
import lerobot.cameras
import lerobot.robots
import lerobot.teleoperators
import numpy as np
from lerobot.cameras.configs import CameraConfig
from lerobot.robots.config import RobotConfig as LeRobotRobotConfig
from lerobot.robots.utils import make_robot_from_config
from lerobot.teleoperators.config import TeleoperatorConfig
from lerobot.utils.import_utils import register_third_party_plugins

from backend.control import ActingPolicy, Arm, HumanInput, Observation
from backend.robots.arm import LeRobotArm
from backend.robots.config import RobotConfig, RobotConfigError, policies_of, suggest

SIMULATOR = "sim_so_follower"
SYNTHETIC = "handrail_synthetic"
BROWSER = "handrail_browser"
# Modules that register what LeRobot does not bring itself.
OUR_MODULES = {
    SIMULATOR: "so101_nexus.lerobot_adapter",
    "sim": "so101_nexus.lerobot_adapter",
    SYNTHETIC: "backend.robots.synthetic",
    BROWSER: "backend.robots.browser_teleop",
}


class HoldPolicy:
    """Keeps the robot where it is: the policy of a session that a person drives alone."""

    name = "hold"
    checkpoint_id = None

    def reset(self) -> None:
        """It has no past."""

    def act(self, observation: Observation) -> np.ndarray | None:  # noqa: ARG002
        return None


def make_arm(
    config: RobotConfig,
    *,
    seed: int | None = None,
    now_s: Callable[[], float] = time.monotonic,
) -> Arm:
    """Make the robot of a config, not connected.

    Args:
        config: What to make.
        seed: Seed of the simulated scenes' order, instead of the config's own.
        now_s: Monotonic seconds, by which a real robot's servos are watched.

    Raises:
        RobotConfigError: LeRobot knows no such type, or something in the config does not fit it.
    """
    robot_config = decode(config, "robot", config.robot, LeRobotRobotConfig, lerobot.robots)
    try:
        if robot_config.type == SIMULATOR:
            sim = importlib.import_module("backend.robots.sim")
            return sim.SimArm(config, robot_config, seed=seed)
        return LeRobotArm(config, _make_robot(robot_config), now_s=now_s)
    except RobotConfigError:
        raise
    except (ValueError, TypeError, ImportError) as error:
        raise RobotConfigError(
            str(config.source), "robot", f"LeRobot refuses it: {error}"
        ) from error


def make_input(config: RobotConfig, arm: Arm) -> HumanInput:
    """Make the teleoperator of a config, for `arm`.

    Raises:
        RobotConfigError: LeRobot knows no such type, or it cannot drive this arm.
    """
    teleop = decode(config, "teleop", config.teleop, TeleoperatorConfig, lerobot.teleoperators)
    if teleop.type != BROWSER:
        leader = importlib.import_module("backend.robots.leader")
        return leader.make_leader(config, teleop, arm)
    if config.robot.get("use_degrees") is False:
        raise RobotConfigError(
            str(config.source),
            "robot.use_degrees",
            "the page's jog keys reckon in degrees, got false; remove it or set it to true",
        )
    browser_teleop = importlib.import_module(OUR_MODULES[BROWSER])
    with tempfile.TemporaryDirectory(prefix="handrail-") as folder:
        # LeRobot makes a folder for calibrations; there are none to keep.
        teleop.calibration_dir = teleop.calibration_dir or Path(folder)
        human = browser_teleop.BrowserTeleop(teleop)
    try:
        human.bind(arm.action_names, arm.limits)
    except ValueError as error:
        raise RobotConfigError(str(config.source), "teleop.type", str(error)) from error
    return human


def make_policy(name: str, config: RobotConfig, arm: Arm) -> ActingPolicy:
    """Make the built-in policy `name` for `arm`.

    Raises:
        RobotConfigError: The config has no such policy; checkpoints are loaded elsewhere.
    """
    if name not in policies_of(config):
        raise RobotConfigError(
            str(config.source),
            "policy",
            f"no policy {name!r}; {suggest(name, policies_of(config))}",
        )
    if name == "hold":
        return HoldPolicy()
    experts = importlib.import_module("backend.robots.experts")
    return experts.make_expert(config, arm)


def _make_robot(robot_config: LeRobotRobotConfig) -> Any:
    if robot_config.type != SYNTHETIC:
        return make_robot_from_config(robot_config)
    synthetic = importlib.import_module(OUR_MODULES[SYNTHETIC])
    with tempfile.TemporaryDirectory(prefix="handrail-") as folder:
        robot_config.calibration_dir = robot_config.calibration_dir or Path(folder)
        return synthetic.SyntheticRobot(robot_config)


def decode(
    config: RobotConfig, key: str, given: Mapping[str, Any], registry: Any, package: Any
) -> Any:
    """Turn `given` into LeRobot's own config object.

    Args:
        config: Where it stands, for messages.
        key: Its place in there.
        given: LeRobot's fields and a type.
        registry: LeRobot's base class of such configs.
        package: Where LeRobot keeps the classes that may have to be imported first.

    Raises:
        RobotConfigError: LeRobot knows no such type, or its class no such field.
    """
    source = str(config.source)
    _check_fields(source, key, given, _choice(source, key, given, registry, package))
    for name, camera in (given.get("cameras") or {}).items():
        place = f"{key}.cameras.{name}"
        if not isinstance(camera, Mapping) or "type" not in camera:
            raise RobotConfigError(source, place, f"needs keys and a type, got {camera!r}")
        choice = _choice(source, place, camera, CameraConfig, lerobot.cameras)
        _check_fields(source, place, camera, choice)
    try:
        return draccus.decode(registry, dict(given))
    except Exception as error:
        # draccus and the classes' own checks raise many kinds; all of them speak of this file.
        raise RobotConfigError(source, key, f"LeRobot refuses it: {error}") from error


def _choice(source: str, key: str, given: Mapping[str, Any], registry: Any, package: Any) -> Any:
    """Return the config class that `given["type"]` names, importing what may register it."""
    name = given["type"]
    if name not in registry.get_known_choices():
        _register(name, registry, package)
    known = registry.get_known_choices()
    if name not in known:
        raise RobotConfigError(
            source, f"{key}.type", f"no {name!r} in LeRobot; {suggest(name, known)}"
        )
    return known[name]


def _register(name: str, registry: Any, package: Any) -> None:
    if name in OUR_MODULES:
        if sys.platform == "linux" and "DISPLAY" not in os.environ:
            # MuJoCo chooses its way to draw when it is imported, and would choose a window.
            os.environ.setdefault("MUJOCO_GL", "egl")
        importlib.import_module(OUR_MODULES[name])
        return
    register_third_party_plugins()
    for module in pkgutil.iter_modules(package.__path__, prefix=f"{package.__name__}."):
        if name in registry.get_known_choices():
            return
        if module.ispkg:
            try:
                importlib.import_module(module.name)
            except ImportError:
                # A driver whose own dependency is not installed registers nothing.
                continue


def _check_fields(source: str, key: str, given: Mapping[str, Any], choice: Any) -> None:
    known = [field.name for field in fields(choice) if field.init]
    for name in given:
        if name != "type" and name not in known:
            raise RobotConfigError(
                source, f"{key}.{name}", f"unknown to {choice.__name__}; {suggest(name, known)}"
            )
