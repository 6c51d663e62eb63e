"""`checkpoints`: makes an untrained policy, so that everything can be tried without a download.

It moves a robot at random within its limits, its critic knows nothing, and training may start from
it. Only `tiny` is made; `base` starts from LeRobot's published weights when a run starts.
"""

import argparse
import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.cli.context import Terminal, UsageError
from backend.robots.folders import RobotFolders

# Reach of a dimension of which nothing is known: joints in degrees.
ANY_ANGLE = (-180.0, 180.0)


@dataclass(frozen=True, kw_only=True)
class _Body:
    """What the policy sees and moves."""

    cameras: tuple[str, ...]
    # Lowest and highest value of every dimension.
    state: tuple[tuple[float, float], ...]
    action: tuple[tuple[float, float], ...]
    action_names: tuple[str, ...] | None


def add_parsers(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add this command to the command line."""
    checkpoints = commands.add_parser("checkpoints", parents=[common], help="make one from nothing")
    verbs = checkpoints.add_subparsers(required=True, metavar="WHAT")
    create = verbs.add_parser("create", parents=[common], help="an untrained policy; no download")
    create.add_argument(
        "--size", choices=["tiny"], default="tiny", help="the default, and only one"
    )
    create.add_argument("--out", type=Path, required=True, help="folder to make")
    create.add_argument("--robot", metavar="NAME", help="for this robot: a config's name or path")
    create.add_argument("--state-dim", type=int, metavar="N", help="or for one you describe")
    create.add_argument("--action-dim", type=int, metavar="N")
    create.add_argument(
        "--camera", action="append", metavar="NAME", help="repeat for more; pictures of any size"
    )
    create.add_argument("--chunk-size", type=int, default=16, metavar="N", help="steps it plans")
    create.add_argument("--words", choices=["two", "five", "none"], default="two")
    create.add_argument("--seed", type=int, default=42, help="of the random weights")
    create.set_defaults(run=create_checkpoint, needs_data=False)


def create_checkpoint(terminal: Terminal, flags: argparse.Namespace) -> None:
    """Write the checkpoint and say what it is for.

    Raises:
        UsageError: Flags that contradict each other, or a folder that is there already.
        RobotConfigError: There is no such robot, or LeRobot refuses it.
    """
    out = flags.out.expanduser()
    if out.exists():
        raise UsageError(f"{out} exists: name a folder that --out can make")
    if flags.chunk_size < 1:
        raise UsageError(f"--chunk-size is {flags.chunk_size}, must be at least 1")
    body = _body_of(flags)
    # Load torch, which takes seconds and is needless for every other command.
    learning = importlib.import_module("backend.learning.checkpoints")
    inputs = importlib.import_module("backend.learning.inputs")
    reach = {"observation.state": body.state, "action": body.action}
    folder = learning.create_tiny_checkpoint(
        out,
        cameras=body.cameras,
        state_dim=len(body.state),
        action_dim=len(body.action),
        action_names=body.action_names,
        chunk_size=flags.chunk_size,
        words=flags.words,
        stats=inputs.range_stats({name: tuple(zip(*r, strict=True)) for name, r in reach.items()}),
        seed=flags.seed,
    )
    made = {
        "path": str(folder.absolute()),
        "size": flags.size,
        "cameras": list(body.cameras),
        "state_dim": len(body.state),
        "action_dim": len(body.action),
        "chunk_size": flags.chunk_size,
        "words": flags.words,
        "seed": flags.seed,
    }
    terminal.answer(
        made,
        f"made {made['path']}\n"
        f"untrained: sees {', '.join(body.cameras)}, reads {len(body.state)} numbers, moves "
        f"{len(body.action)}, plans {flags.chunk_size} steps",
    )


def _body_of(flags: argparse.Namespace) -> _Body:
    described = [flags.state_dim, flags.action_dim, flags.camera]
    if flags.robot is not None:
        if any(part is not None for part in described):
            raise UsageError(
                "--robot says what it sees and moves: leave out --state-dim, --action-dim, --camera"
            )
        return _body_of_robot(flags.robot, RobotFolders.of(flags.data_dir))
    if any(part is None for part in described):
        raise UsageError(
            "for which robot? give --robot NAME, or --state-dim, --action-dim and --camera"
        )
    for name in ("state_dim", "action_dim"):
        if getattr(flags, name) < 1:
            flag = "--" + name.replace("_", "-")
            raise UsageError(f"{flag} is {getattr(flags, name)}, must be at least 1")
    if len(set(flags.camera)) < len(flags.camera):
        raise UsageError(f"--camera names one twice: {', '.join(flags.camera)}")
    return _Body(
        cameras=tuple(flags.camera),
        state=(ANY_ANGLE,) * flags.state_dim,
        action=(ANY_ANGLE,) * flags.action_dim,
        action_names=None,
    )


def _body_of_robot(name: str, folders: RobotFolders) -> _Body:
    config = folders.load(name)
    make = importlib.import_module("backend.robots.make")
    arm = make.make_arm(config)
    try:
        if not arm.cameras:
            raise UsageError(f"robot {config.name} has no camera, and π0.5 sees by at least one")
        limits = zip(arm.limits.low.tolist(), arm.limits.high.tolist(), strict=True)
        reach = dict(zip(arm.action_names, limits, strict=True))
        return _Body(
            cameras=tuple(arm.cameras),
            state=tuple(reach.get(joint, ANY_ANGLE) for joint in arm.state_names),
            action=tuple(reach.values()),
            action_names=tuple(arm.action_names),
        )
    finally:
        arm.close()
