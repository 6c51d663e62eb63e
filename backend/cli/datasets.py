"""`datasets`, `import`, `health` and `push`."""

import argparse
from pathlib import Path
from typing import Any

from backend.cli.context import Context, table, when
from backend.cli.jobs import order_job
from backend.db.models import JobRow
from backend.db.queries import list_jobs
from backend.domain import JobKind
from backend.intake import reconcile
from backend.jobs.datasets import find_datasets
from backend.jobs.importing_params import OUTCOMES, check, read_import_params
from backend.jobs.importing_plan import make_import_plan
from backend.jobs.push_params import make_push_plan, read_push_params


def add_parsers(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add these commands to the command line."""
    listing = commands.add_parser("datasets", parents=[common], help="list LeRobot datasets")
    listing.set_defaults(run=show_datasets)

    importing = commands.add_parser(
        "import", parents=[common], help="bring a LeRobot dataset into the store"
    )
    importing.add_argument("dataset", help="owner/name in the data directory, or a folder")
    importing.add_argument("--hub", action="store_true", help="download owner/name from the Hub")
    importing.add_argument(
        "--outcomes",
        choices=OUTCOMES,
        default="stored",
        help="what the columns say (default); success: demonstrations by a person; none: no grade",
    )
    importing.add_argument("--dry-run", action="store_true", help="only say what would come in")
    importing.add_argument("--detach", action="store_true", help="leave it to the running server")
    importing.set_defaults(run=import_dataset)

    health = commands.add_parser("health", parents=[common], help="look a LeRobot dataset over")
    health.add_argument("dataset", help="owner/name in the data directory, or a folder")
    health.set_defaults(run=check_health)

    push = commands.add_parser("push", parents=[common], help="upload a dataset to the Hub")
    push.add_argument("dataset", help="owner/name in the data directory")
    push.add_argument("--to", required=True, help="account/name on the Hub")
    push.add_argument("--public", action="store_true", help="everybody may read it")
    push.add_argument("--dry-run", action="store_true", help="only say what would be uploaded")
    push.set_defaults(run=push_dataset)


def show_datasets(context: Context, _flags: argparse.Namespace) -> None:
    """List the datasets of the data directory."""
    found = find_datasets(context.data_dir)
    heads = ("dataset", "episodes", "frames", "fps", "size", "changed", "problem")
    rows = [
        (
            each.repo_id,
            each.num_episodes,
            each.num_frames,
            f"{each.fps or 0:g}",
            f"{each.size_bytes / 1e6:.1f} MB",
            when(each.changed_s),
            each.problem,
        )
        for each in found
    ]
    items = [
        {"repo_id": d.repo_id, "path": str(d.root), "episodes": d.num_episodes}
        | {"frames": d.num_frames, "size_bytes": d.size_bytes, "problem": d.problem}
        for d in found
    ]
    context.answer({"items": items, "total": len(items)}, table(heads, rows, "no datasets"))


def import_dataset(context: Context, flags: argparse.Namespace) -> None:
    """Import and wait, or only say what would come in."""
    reconcile(context.database, context.data_dir)
    params = {**_named(context, flags.dataset, hub=flags.hub), "outcomes": flags.outcomes}
    if not flags.dry_run:
        order_job(context, JobKind.IMPORT, params, detach=flags.detach)
        return
    check(params, context.data_dir)
    with context.database.read() as db:
        plan = make_import_plan(db, context.data_dir, read_import_params(params, context.data_dir))
    summary = plan.summary()
    outcomes = ", ".join(f"{count} {name}" for name, count in summary["outcomes"].items())
    lines = [
        f"{summary['repo_id']}: {summary['episodes']} episodes, {summary['frames']} frames, "
        f"{outcomes or 'nothing new'}",
        *(f"skipped {one['index']}: {one['reason']}" for one in summary["skipped"]),
    ]
    context.answer(summary, "\n".join(lines))


def check_health(context: Context, flags: argparse.Namespace) -> None:
    """Look a dataset over and tell the findings."""
    params = _named(context, flags.dataset)
    order_job(context, JobKind.HEALTH, params, detach=False)
    with context.database.read() as db:
        job: JobRow = list_jobs(db, kind=JobKind.HEALTH, limit=1).items[0]
    for finding in job.result["findings"]:
        context.say(f"{finding['severity']}: {finding['title']}\n    {finding['detail']}")
        context.say(f"    {finding['remedy']}")


def push_dataset(context: Context, flags: argparse.Namespace) -> None:
    """Upload a dataset, or only say what would be uploaded."""
    params = {"repo_id": flags.dataset, "to": flags.to, "private": not flags.public}
    if not flags.dry_run:
        order_job(context, JobKind.PUSH, params, detach=False)
        return
    summary = make_push_plan(read_push_params(params, context.data_dir)).summary()
    who = "only you and whom you permit" if summary["private"] else "everybody"
    context.answer(
        summary,
        f"{summary['files']} files, {summary['size_bytes'] / 1e6:.1f} MB, to {summary['url']}; "
        f"{who} may read them",
    )


def _named(context: Context, dataset: str, *, hub: bool = False) -> dict[str, Any]:
    """A dataset of the data directory by its name, any other by its folder."""
    here = {each.repo_id for each in find_datasets(context.data_dir)}
    if hub:
        return {"repo_id": dataset, "hub": True}
    if dataset not in here and Path(dataset).expanduser().is_dir():
        return {"path": str(Path(dataset).expanduser().absolute())}
    return {"repo_id": dataset}
