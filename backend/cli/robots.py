"""`robots`: what there is, and whether one is ready to move."""

import argparse
import importlib
from dataclasses import asdict
from typing import Any

from backend.cli.context import Terminal, table
from backend.robots.config import RobotConfigError, policies_of
from backend.robots.folders import RobotFolders


def add_parsers(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add this command to the command line."""
    robots = commands.add_parser("robots", parents=[common], help="list robot configs")
    verbs = robots.add_subparsers(metavar="WHAT")
    listing = verbs.add_parser("list", parents=[common], help="all of them (the default)")
    for parser in (robots, listing):
        parser.set_defaults(run=show_robots, needs_data=False)
    check = verbs.add_parser("check", parents=[common], help="preflight: may it move?")
    check.add_argument("config", help="a name as `robots list` has it, or a path")
    check.set_defaults(run=check_robot, needs_data=False)


def show_robots(terminal: Terminal, flags: argparse.Namespace) -> None:
    """List robot configs, own ones and those that come with Handrail, mistakes included."""
    folders = RobotFolders.of(flags.data_dir)
    items: list[dict[str, Any]] = []
    for name in folders.names():
        own = folders.is_own(name)
        try:
            config = folders.load(name)
        except RobotConfigError as error:
            items.append({"name": name, "own": own, "problem": str(error)})
            continue
        items.append(
            {
                "name": name,
                "own": own,
                "type": config.robot["type"],
                "fps": config.fps,
                "cameras": sorted(config.robot.get("cameras", {})),
                "task": config.task,
                "policies": policies_of(config),
                "problem": "",
            }
        )
    rows = [
        (
            item["name"],
            item.get("type", "–"),
            f"{item['fps']:g} Hz" if "fps" in item else "–",
            ", ".join(item.get("policies", [])),
            item["problem"] or item["task"],
        )
        for item in items
    ]
    heads = ("name", "type", "rate", "policies", "task")
    terminal.answer({"items": items, "total": len(items)}, table(heads, rows, "no robot configs"))


def check_robot(terminal: Terminal, flags: argparse.Namespace) -> int:
    """Look at everything a robot needs, without moving it; 1 when something forbids to move."""
    # Loads LeRobot, which takes long and is needless for every other command.
    preflight = importlib.import_module("backend.robots.preflight")
    config = RobotFolders.of(flags.data_dir).load(flags.config)
    findings = preflight.check(config, data_dir=flags.data_dir)
    ready = preflight.may_move(findings)
    rows = [(f.level, f.check, f.message, f.remedy or "–") for f in findings]
    verdict = f"{flags.config} may move" if ready else f"{flags.config} may not move yet"
    terminal.answer(
        {"may_move": ready, "findings": [asdict(finding) for finding in findings]},
        table(("", "check", "found", "remedy"), rows, "nothing to check") + f"\n{verdict}",
    )
    return 0 if ready else 1
