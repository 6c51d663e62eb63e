"""What a form for a robot config has: every value with its unit, its default and its explanation.

Explanations are the comments of the config itself, so that a form never says something else than
the file. Devices have the keys that their config has, because only LeRobot knows which there could
be; whoever wants another one adds it to the text.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import Field

from backend.api.messages import Documented
from backend.robots.config import ResetConfig, RobotConfig
from backend.robots.config_text import comments

Keys = tuple[str, ...]

SESSION = "Session"
RESET = "Between attempts"
LIMITS = "Limits, always on"
GRIPPER = "gripper"
# Units by what a LeRobot key is called, or ends with.
UNITS = {"width": "px", "height": "px", "fps": "Hz"}
SUFFIXES = {"_s": "s", "_ms": "ms", "_m": "m", "_deg": "°", "_mm": "mm"}
# LeRobot's robots whose joints are in per cent of their range unless told otherwise.
PER_CENT_UNLESS_TOLD = ("koch_follower",)


class RobotField(Documented):
    """One value of a robot config."""

    path: list[str]
    """Keys from the top of the file down."""
    group: str
    label: str
    kind: Literal["text", "integer", "number", "boolean", "range"]
    """`range` is `[low, high]`."""
    value: Any = None
    """As the config has it; None where it is left out."""
    default: Any = None
    """What holds where it is left out; None where it may not be, or only LeRobot knows."""
    unit: str = ""
    about: str = ""
    """What it is for; empty where its name says it."""


class RobotConfigNow(Documented):
    """One robot config, for people to change."""

    name: str
    own: bool
    """Whether it may be written to; a shipped one is copied first."""
    source: str
    """Its file."""
    text: str
    """The file, YAML."""
    fields: list[RobotField] = Field(default_factory=list)
    """Empty when the config is wrong."""
    views: dict[str, dict[str, list[int]]] = Field(default_factory=dict)
    """By camera: the part of its picture that is used, `crop`, and its size then, `resize`; px."""
    problem: str = ""
    """What is wrong with the config and what to do."""


def robot_fields(config: RobotConfig, text: str) -> list[RobotField]:
    """Every value of a config, in the order of a form.

    Args:
        config: As it was read from `text`.
        text: Its file.
    """
    said = comments(text)
    units = _JointUnits(config)

    def field(path: Keys, group: str, kind: Any, value: Any, **more: Any) -> RobotField:
        label = more.pop("label", path[-1])
        return RobotField(
            path=list(path),
            group=group,
            label=label,
            kind=kind,
            value=value,
            about=said.get(path, ""),
            **more,
        )

    fields = [
        field(("task",), SESSION, "text", config.task),
        field(("fps",), SESSION, "number", config.fps, unit="Hz"),
        field(
            ("episode_time_s",),
            SESSION,
            "number",
            config.episode_time_s,
            unit="s",
            default=RobotConfig.episode_time_s,
        ),
    ]
    for key, device in (("robot", config.robot), ("teleop", config.teleop)):
        for path, value in _scalars((key,), device):
            group = _group(path, config)
            label = ".".join(path[1:]) if "cameras" not in path else path[-1]
            fields.append(
                field(path, group, _kind(value), value, unit=_unit(path[-1]), label=label)
            )
    fields.append(
        field(
            ("reset", "time_s"),
            RESET,
            "number",
            config.reset.time_s,
            unit="s",
            default=ResetConfig.time_s,
        )
    )
    for name, value in (config.reset.pose or {}).items():
        fields.append(field(("reset", "pose", name), RESET, "number", value, unit=units.of(name)))
    reach = config.limits.max_relative_target
    for name, bounds in config.limits.joints.items():
        fields.append(
            field(("limits", "joints", name), LIMITS, "range", list(bounds), unit=units.of(name))
        )
    steps = reach.items() if isinstance(reach, dict) else [("", reach)]
    for name, value in steps:
        keys: Keys = ("limits", "max_relative_target", *([name] if name else []))
        fields.append(
            field(
                keys,
                LIMITS,
                "number",
                value,
                unit=f"{units.of(name)} a step",
                label=f"most in one step{f', {name}' if name else ''}",
            )
        )
    return fields


class _JointUnits:
    def __init__(self, config: RobotConfig) -> None:
        told = config.robot.get("use_degrees")
        per_cent = config.robot["type"] in PER_CENT_UNLESS_TOLD if told is None else not told
        self._joint = "% of its range" if per_cent else "°"

    def of(self, name: str) -> str:
        if name.endswith(".vel"):
            return ""
        return "%" if GRIPPER in name else self._joint


def _scalars(path: Keys, value: Mapping[str, Any]) -> Iterator[tuple[Keys, Any]]:
    for key, item in value.items():
        if isinstance(item, Mapping):
            yield from _scalars((*path, key), item)
        elif isinstance(item, str | int | float) and key != "type":
            yield (*path, key), item


def _group(path: Keys, config: RobotConfig) -> str:
    if "cameras" in path:
        at = path.index("cameras")
        arm = path[1].split("_")[0] + " " if at > 1 else ""
        return f"Camera {arm}{path[at + 1]}"
    device = config.robot if path[0] == "robot" else config.teleop
    return f"{'Robot' if path[0] == 'robot' else 'Who takes over'}: {device['type']}"


def _kind(value: Any) -> str:
    for kind, name in ((bool, "boolean"), (int, "integer"), (float, "number")):
        if isinstance(value, kind):
            return name
    return "text"


def _unit(key: str) -> str:
    suffix = next((suffix for suffix in SUFFIXES if key.endswith(suffix)), "")
    return UNITS.get(key) or SUFFIXES.get(suffix, "")
