"""`python -m backend …`: episodes, labels, jobs, datasets, training, sessions, robots, checkpoints.

The server is `python -m app`; it may run meanwhile.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from backend.cli import checkpoints, datasets, episodes, jobs, labels, learning, robots
from backend.cli.context import Terminal, UsageError, opened
from backend.cli.jobs import JobEndedError
from backend.db.engine import DatabaseRefusedError
from backend.db.pages import InvalidPageError
from backend.episodes.labels import LabelError
from backend.episodes.lerobot_folder import DatasetFolderError
from backend.episodes.recovery import RecoveryError
from backend.episodes.store import EpisodeFormatError
from backend.jobs.export_params import ExportParamsError
from backend.jobs.importing_params import ImportParamsError
from backend.jobs.kinds import JobParamsError
from backend.jobs.push_params import PushParamsError
from backend.jobs.runner import JobNotFoundError, JobStateError
from backend.review import EpisodeNotFoundError
from backend.robots.config import RobotConfigError

# What a person did or met, as opposed to a fault of the program.
EXPECTED_ERRORS = (
    UsageError,
    DatabaseRefusedError,
    DatasetFolderError,
    EpisodeFormatError,
    EpisodeNotFoundError,
    ExportParamsError,
    ImportParamsError,
    InvalidPageError,
    JobEndedError,
    JobNotFoundError,
    JobParamsError,
    JobStateError,
    LabelError,
    PushParamsError,
    RecoveryError,
    RobotConfigError,
)


def main(argv: Sequence[str]) -> int:
    """Run one command; return the exit code: 0 done, 1 refused or failed, 2 not understood."""
    flags = _parser().parse_args(argv)
    try:
        if flags.needs_data:
            with opened(flags) as context:
                return flags.run(context, flags) or 0
        return flags.run(Terminal(as_json=flags.json), flags) or 0
    except EXPECTED_ERRORS as error:
        if flags.json:
            body = {"code": _code(error), "message": str(error), "hint": ""}
            print(json.dumps({"error": body}))
        else:
            print(f"error: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # The reader (`| head`) has seen enough; keep the interpreter from complaining about it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m backend", description=__doc__)
    _add_common(parser, suppress=False)
    # The same flags behind the command; there they must not reset what stood before it.
    common = argparse.ArgumentParser(add_help=False)
    _add_common(common, suppress=True)
    parser.set_defaults(needs_data=True)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for module in (episodes, labels, jobs, learning, datasets, robots, checkpoints):
        module.add_parsers(commands, common)
    return parser


def _add_common(parser: argparse.ArgumentParser, *, suppress: bool) -> None:
    environ = os.environ
    defaults = {
        "data_dir": Path(environ.get("HANDRAIL_DATA_DIR", "data")),
        "database_url": environ.get("HANDRAIL_DATABASE_URL"),
        "author": None,
        "json": False,
    }
    if suppress:
        defaults = dict.fromkeys(defaults, argparse.SUPPRESS)
    group = parser.add_argument_group("for every command")
    group.add_argument(
        "--data-dir", type=Path, default=defaults["data_dir"], help="default: ./data"
    )
    group.add_argument(
        "--database-url", default=defaults["database_url"], help="default: SQLite in --data-dir"
    )
    group.add_argument("--author", default=defaults["author"], help="default: your login name")
    group.add_argument(
        "--json", action="store_true", default=defaults["json"], help="answer in the API's JSON"
    )


def _code(error: Exception) -> str:
    """`EpisodeNotFoundError` becomes `episode_not_found`."""
    name = type(error).__name__.removesuffix("Error")
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
