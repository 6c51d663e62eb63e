"""Reads robot configs: YAML or JSON files in LeRobot's own terms, plus what a session needs.

    robot:            {type: sim_so_follower, …LeRobot's fields…, cameras: {name: {type: …}}}
    teleop:           {type: handrail_browser, …}       default: that
    fps:              10                                control steps a second
    task:             "Touch the red cube."             default task text
    episode_time_s:   30                                an attempt longer than this is a timeout
    reset:            {pose: {name: value} | null, time_s: 3}
    limits:           {joints: {name: [low, high]}, max_relative_target: number | {name: number}}
    cameras_view:     {name: {crop: [x, y, width, height], resize: [width, height]}}
    scene:            {…}                               simulator only, see `SceneConfig`
    expert:           touch | pick_lift                 simulator only: enables `scripted`

Names are the robot's action features (`shoulder_pan.pos`), values in its action units. Nothing of
LeRobot is imported here, so the server may list and check configs; whether LeRobot accepts the
`robot` and `teleop` parts shows when `backend.robots.make` builds them.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml

from backend.robots.camera_view import CameraView, read_camera_views
from backend.robots.config_values import RobotConfigError, ValueReader, suggest
from backend.settings import ROBOTS_DIR

__all__ = [
    "EXPERTS",
    "ROBOTS_DIR",
    "LimitsConfig",
    "ResetConfig",
    "RobotConfig",
    "RobotConfigError",
    "SceneConfig",
    "list_robot_configs",
    "load_robot_config",
    "policies_of",
    "suggest",
]

SUFFIXES = (".yaml", ".yml", ".json")
EXPERTS = ("touch", "pick_lift")


@dataclass(frozen=True, kw_only=True)
class ResetConfig:
    """Where the arm goes between attempts, and how slowly."""

    # Action values by action name; None leaves the arm where it is.
    pose: dict[str, float] | None = None
    # How long the way to the pose takes, at least.
    time_s: float = 3.0


@dataclass(frozen=True, kw_only=True)
class LimitsConfig:
    """What an action may be, in action units; always applied."""

    joints: dict[str, tuple[float, float]]
    max_relative_target: float | dict[str, float]


@dataclass(frozen=True, kw_only=True)
class SceneConfig:
    """What lies in front of the simulated arm; a new scene at every reset."""

    # Colour and side length of the one object.
    cube_color: str = "red"
    cube_side_mm: float = 30.0
    # Touch scenes: how near to the object's edge the tool's tip must come.
    touch_margin_m: float = 0.005
    # The object appears on a ring sector around this point on the table, metres.
    spawn_center_m: tuple[float, float] = (0.15, 0.0)
    spawn_min_radius_m: float = 0.05
    spawn_max_radius_m: float = 0.15
    spawn_half_angle_deg: float = 90.0
    robot_color: str = "yellow"
    ground_color: str = "gray"
    # The wrist camera's field of view and tilt; negative looks down at the fingertips.
    wrist_fov_deg: float = 95.0
    wrist_pitch_deg: float = -25.0
    # The overhead camera looks at this point of the table from this far, straight down by default.
    overhead_lookat_m: tuple[float, float] = (0.2, 0.0)
    overhead_distance_m: float = 0.55
    overhead_elevation_deg: float = -90.0
    overhead_azimuth_deg: float = 0.0
    # Seed of the scenes' order; None is different at every start.
    seed: int | None = None


@dataclass(frozen=True, kw_only=True)
class RobotConfig:
    """One robot config as read from its file."""

    # The file's name without its suffix; what `--robot` and `open` take.
    name: str
    source: Path
    # LeRobot's own terms, `type` included; the second is the teleoperator.
    robot: dict[str, Any]
    teleop: dict[str, Any]
    fps: float
    task: str
    limits: LimitsConfig
    episode_time_s: float = 60.0
    reset: ResetConfig = field(default_factory=ResetConfig)
    scene: SceneConfig | None = None
    # By camera name; a camera that is left out is used as it is.
    cameras_view: dict[str, CameraView] = field(default_factory=dict)
    # Which scripted expert knows this task; None for robots without one.
    expert: str | None = None


def list_robot_configs(directory: Path = ROBOTS_DIR) -> list[str]:
    """Return the names of the configs in `directory`, sorted; they may still be invalid."""
    if not directory.is_dir():
        return []
    return sorted({path.stem for path in directory.iterdir() if path.suffix in SUFFIXES})


def load_robot_config(name_or_path: str | Path, directory: Path = ROBOTS_DIR) -> RobotConfig:
    """Read one config, by its name in `directory` or by the path of its file.

    Raises:
        RobotConfigError: There is no such file, or something in it breaks a rule.
    """
    path = _find(name_or_path, directory)
    reader = ValueReader(str(path))
    top = reader.mapping("", _parse(path))
    reader.keys(
        "",
        top,
        required=("robot", "fps", "task", "limits"),
        optional=("teleop", "episode_time_s", "reset", "cameras_view", "scene", "expert"),
    )
    return RobotConfig(
        name=path.stem,
        source=path,
        robot=_device(reader, "robot", top["robot"]),
        teleop=_device(reader, "teleop", top.get("teleop") or {"type": "handrail_browser"}),
        fps=reader.number("fps", top["fps"], low=1, high=200),
        task=reader.text("task", top["task"]),
        limits=_limits(reader, top["limits"]),
        episode_time_s=reader.number("episode_time_s", top.get("episode_time_s", 60), low=1),
        reset=_reset(reader, top.get("reset") or {}),
        cameras_view=read_camera_views(reader, top.get("cameras_view") or {}),
        scene=_scene(reader, top["scene"]) if top.get("scene") is not None else None,
        expert=reader.choice("expert", top["expert"], EXPERTS) if top.get("expert") else None,
    )


def policies_of(config: RobotConfig) -> list[str]:
    """Return the built-in policies that can drive this robot; checkpoints come on top."""
    return ["hold", "scripted"] if config.expert else ["hold"]


def _find(name_or_path: str | Path, directory: Path) -> Path:
    path = Path(name_or_path)
    if path.suffix in SUFFIXES:
        if path.is_file():
            return path
        raise RobotConfigError(str(path), "", "no such file")
    for suffix in SUFFIXES:
        candidate = directory / f"{path.name}{suffix}"
        if path.name == str(name_or_path) and candidate.is_file():
            return candidate
    raise RobotConfigError(
        str(directory),
        "",
        f"no robot config named {str(name_or_path)!r}; "
        + suggest(name_or_path, list_robot_configs(directory)),
    )


def _parse(path: Path) -> object:
    try:
        text = path.read_text(encoding="utf-8")
        return json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, yaml.YAMLError) as error:
        raise RobotConfigError(str(path), "", f"cannot be read: {error}") from error


def _device(reader: ValueReader, key: str, value: object) -> dict[str, Any]:
    device = reader.mapping(key, value)
    if not isinstance(device.get("type"), str):
        raise reader.error(f"{key}.type", "LeRobot's name of the device is needed, as text")
    return dict(device)


def _limits(reader: ValueReader, value: object) -> LimitsConfig:
    limits = reader.mapping("limits", value)
    reader.keys("limits", limits, required=("joints", "max_relative_target"))
    joints: dict[str, tuple[float, float]] = {}
    for name, bounds in reader.mapping("limits.joints", limits["joints"]).items():
        key = f"limits.joints.{name}"
        if not isinstance(bounds, list) or len(bounds) != 2:
            raise reader.error(key, f"needs [low, high], got {bounds!r}")
        low, high = (reader.number(key, bound) for bound in bounds)
        if low >= high:
            raise reader.error(key, f"low must be below high, got {bounds!r}")
        joints[name] = (low, high)
    step = limits["max_relative_target"]
    key = "limits.max_relative_target"
    if not isinstance(step, Mapping):
        return LimitsConfig(
            joints=joints, max_relative_target=reader.number(key, step, low=0, open_low=True)
        )
    reader.keys(key, step, required=tuple(joints))
    return LimitsConfig(
        joints=joints,
        max_relative_target={
            name: reader.number(f"{key}.{name}", value, low=0, open_low=True)
            for name, value in step.items()
        },
    )


def _reset(reader: ValueReader, value: object) -> ResetConfig:
    reset = reader.mapping("reset", value)
    reader.keys("reset", reset, optional=("pose", "time_s"))
    pose = reset.get("pose")
    return ResetConfig(
        pose=None
        if pose is None
        else {
            name: reader.number(f"reset.pose.{name}", value)
            for name, value in reader.mapping("reset.pose", pose).items()
        },
        time_s=reader.number("reset.time_s", reset.get("time_s", 3.0), low=0.1),
    )


def _scene(reader: ValueReader, value: object) -> SceneConfig:
    scene = reader.mapping("scene", value)
    reader.keys("scene", scene, optional=tuple(f.name for f in fields(SceneConfig)))
    checked: dict[str, Any] = {}
    for name, given in scene.items():
        key = f"scene.{name}"
        if name.endswith("_color"):
            checked[name] = reader.text(key, given)
        elif name in ("spawn_center_m", "overhead_lookat_m"):
            if not isinstance(given, list) or len(given) != 2:
                raise reader.error(key, f"needs [x, y] in metres, got {given!r}")
            checked[name] = tuple(reader.number(key, number) for number in given)
        elif name == "seed":
            if given is not None and (not isinstance(given, int) or isinstance(given, bool)):
                raise reader.error(key, f"needs a whole number or null, got {given!r}")
            checked[name] = given
        else:
            checked[name] = reader.number(key, given)
    return SceneConfig(**checked)
