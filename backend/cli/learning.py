"""`train`, `score` and `video`: the jobs that learn, from the command line.

They are queued like those of the page. Without a running server the command itself runs the queue
until they are over; `--detach` leaves them to the server.
"""

import argparse
import json
from collections.abc import Sequence
from typing import Any

from backend.cli.context import Context, UsageError
from backend.cli.jobs import add_episode_flags, order_jobs, wanted_episodes
from backend.db.models import JobRow
from backend.domain import JobKind
from backend.jobs.chains import FIRST_OF_CHAIN
from backend.jobs.orders import Order


def add_parsers(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add these commands to the command line."""
    train = commands.add_parser(
        "train", parents=[common], help="train critic and actor, as the Training page does"
    )
    train.add_argument("--preset", help="a file in configs/learners, such as recap or seed_tiny")
    train.add_argument("--start", help="a checkpoint run/step, tiny, a folder, or a Hub id")
    train.add_argument("--run", dest="run_name", metavar="NAME", help="name of the run")
    train.add_argument("--steps", type=int, help="optimiser steps in all")
    train.add_argument(
        "--dataset",
        action="append",
        metavar="NAME",
        help="learn from this LeRobot dataset too: a folder, or a repo_id; may be repeated",
    )
    train.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="FIELD=VALUE",
        help="a field of the config, like optimizer.batch_size=8; may be repeated",
    )
    train.add_argument("--device", help="auto (the default), cpu, cuda, …")
    train.add_argument("--processes", type=int, help="GPUs or processes that train together")
    train.add_argument("--wandb", choices=["off", "offline", "online"])
    train.add_argument("--score", action="store_true", help="then score all episodes with it")
    train.add_argument("--videos", action="store_true", help="then score and make critic videos")
    train.set_defaults(run=train_models)

    score = commands.add_parser("score", parents=[common], help="let a critic judge episodes")
    score.add_argument("checkpoint", help="run/step")
    score.add_argument("--device", help="cpu scores beside a training instead of after it")
    score.add_argument("--videos", action="store_true", help="then make critic videos of them")
    score.set_defaults(run=score_episodes)

    video = commands.add_parser("video", parents=[common], help="make critic videos of episodes")
    video.add_argument(
        "checkpoint", nargs="?", help="run/step; left out: the values that were recorded"
    )
    video.add_argument("--every", type=int, default=1, help="of each so many, oldest first, one")
    video.set_defaults(run=make_videos)

    for parser in (train, score, video):
        add_episode_flags(parser)
        parser.add_argument("--after", nargs="+", default=[], metavar="JOB", help="begin after it")
        parser.add_argument("--detach", action="store_true", help="leave it to the running server")
    for parser in (score, video):
        parser.add_argument("--again", action="store_true", help="also what is there already")


def train_models(context: Context, flags: argparse.Namespace) -> None:
    """Train, and score and film with what came of it."""
    wanted = {
        "preset": flags.preset,
        "start": flags.start,
        "run": flags.run_name,
        "steps": flags.steps,
        "device": flags.device,
        "processes": flags.processes,
        "wandb": flags.wandb,
        "overrides": dict(map(_field, flags.set)) or None,
    }
    params = {name: value for name, value in wanted.items() if value is not None}
    params["sources"] = [
        {"kind": "store", "episodes": wanted_episodes(context, flags)},
        *(_dataset(name) for name in flags.dataset or []),
    ]
    then: list[Order] = []
    if flags.score or flags.videos:
        then.append(Order(kind=JobKind.SCORE, params={"checkpoint": FIRST_OF_CHAIN}))
    if flags.videos:
        then.append(Order(kind=JobKind.VIDEO, params={"checkpoint": FIRST_OF_CHAIN}))
    _run(context, flags, [Order(kind=JobKind.TRAIN, params=params), *then])


def score_episodes(context: Context, flags: argparse.Namespace) -> None:
    """Score, and film what was scored."""
    episodes = wanted_episodes(context, flags)
    params = {"checkpoint": flags.checkpoint, "episodes": episodes, "again": flags.again}
    device = {} if flags.device is None else {"device": flags.device}
    orders = [Order(kind=JobKind.SCORE, params={**params, **device})]
    if flags.videos:
        orders.append(Order(kind=JobKind.VIDEO, params=params))
    _run(context, flags, orders)


def make_videos(context: Context, flags: argparse.Namespace) -> None:
    """Make critic videos."""
    params = {
        "episodes": wanted_episodes(context, flags),
        "every": flags.every,
        "again": flags.again,
    }
    if flags.checkpoint is not None:
        params["checkpoint"] = flags.checkpoint
    _run(context, flags, [Order(kind=JobKind.VIDEO, params=params)])


def _run(context: Context, flags: argparse.Namespace, orders: Sequence[Order]) -> None:
    after = [context.find(JobRow, "job", id).id for id in flags.after]
    order_jobs(context, orders, detach=flags.detach, after=after)


def _dataset(name: str) -> dict[str, str]:
    is_folder = name.startswith((".", "/", "~"))
    return {"kind": "dataset", "path" if is_folder else "repo_id": name}


def _field(setting: str) -> tuple[str, Any]:
    name, equals, value = setting.partition("=")
    if not equals or not name:
        raise UsageError(f"--set takes FIELD=VALUE, like optimizer.batch_size=8; got {setting!r}")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value
