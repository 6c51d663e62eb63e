"""`jobs` and `export`."""

import argparse
import time
from collections.abc import Callable, Sequence
from typing import Any

from backend.api.job_replies import Job, JobList, Metric
from backend.cli.context import Context, UsageError, table, when
from backend.db.models import JobRow
from backend.db.queries import job_metrics, list_jobs
from backend.domain import JobKind, JobState, Outcome
from backend.episodes.outcomes import EXPORT_COLUMNS
from backend.intake import reconcile
from backend.jobs.export_params import check, read_params
from backend.jobs.export_plan import make_plan
from backend.jobs.orders import Order
from backend.jobs.runner import POLL_INTERVAL_S, JobRunner


class JobEndedError(Exception):
    """The job that was waited for did not succeed."""


def add_parsers(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add these commands to the command line."""
    jobs = commands.add_parser("jobs", parents=[common], help="list, follow, cancel, resume jobs")
    verbs = jobs.add_subparsers(metavar="WHAT")
    jobs.set_defaults(run=show_jobs)
    listing = verbs.add_parser("list", parents=[common], help="newest first (the default)")
    listing.set_defaults(run=show_jobs)
    for name, run, help in (
        ("show", show_job, "everything about one job"),
        ("log", show_log, "what it printed"),
        ("metrics", show_metrics, "its numbers"),
        ("cancel", cancel_job, "stop it, by force if it does not obey"),
        ("resume", resume_job, "do a failed or cancelled job again, and wait for it"),
        ("wait", wait_for_job, "follow it to its end"),
    ):
        verb = verbs.add_parser(name, parents=[common], help=help)
        verb.add_argument("id", help="the beginning of its id is enough")
        verb.set_defaults(run=run)

    export = commands.add_parser(
        "export", parents=[common], help="write episodes to a LeRobot dataset"
    )
    export.add_argument("repo_id", help="name of the dataset, like local/touch")
    add_episode_flags(export)
    export.add_argument("--columns", nargs="*", choices=list(EXPORT_COLUMNS), metavar="COLUMN")
    export.add_argument("--overwrite", action="store_true", help="replace a dataset of that name")
    export.add_argument("--dry-run", action="store_true", help="only say what would be written")
    export.add_argument("--detach", action="store_true", help="leave it to the running server")
    export.set_defaults(run=export_episodes)


def add_episode_flags(parser: argparse.ArgumentParser) -> None:
    """Let a command be told which episodes it is for."""
    parser.add_argument("--episodes", nargs="+", metavar="ID", help="these; default: all")
    parser.add_argument("--outcome", choices=[o.value for o in Outcome])
    parser.add_argument("--q", default="", help="as in `episodes`")


def wanted_episodes(context: Context, flags: argparse.Namespace) -> Any:
    """What `episodes` of a job's params should be, by the flags of `add_episode_flags`.

    Raises:
        UsageError: The flags contradict each other.
    """
    if flags.episodes and (flags.outcome or flags.q):
        raise UsageError("--episodes names them all; it cannot be combined with --outcome or --q")
    reconcile(context.database, context.data_dir)
    if flags.episodes:
        return [context.episode_id(id) for id in flags.episodes]
    if not flags.outcome and not flags.q:
        return "all"
    return {"outcome": flags.outcome, "q": flags.q}


def export_episodes(context: Context, flags: argparse.Namespace) -> None:
    """Export and wait, or only say what would be exported."""
    params: dict[str, Any] = {
        "repo_id": flags.repo_id,
        "episodes": wanted_episodes(context, flags),
        "overwrite": flags.overwrite,
    }
    if flags.columns is not None:
        params["columns"] = flags.columns
    if flags.dry_run:
        check(params, context.data_dir)
        with context.database.read() as db:
            summary = make_plan(db, context.data_dir, read_params(params)).summary()
        context.answer(summary, _plan_text(summary))
        return
    order_job(context, JobKind.EXPORT, params, detach=flags.detach)


def order_job(context: Context, kind: JobKind, params: dict[str, Any], *, detach: bool) -> None:
    """Queue a job, and wait for its end; see `order_jobs`."""
    order_jobs(context, [Order(kind=kind, params=params)], detach=detach)


def order_jobs(
    context: Context, orders: Sequence[Order], *, detach: bool, after: Sequence[str] = ()
) -> None:
    """Queue jobs that follow each other, and wait for their end unless a server is to run them.

    Raises:
        JobParamsError: Some orders make no sense.
        JobEndedError: One of them did not succeed.
    """
    runner = _runner(context)
    try:
        rows = runner.submit_chain(orders, context.author, after=after)
        for row in rows:
            context.say(f"job {row.id}" if len(rows) == 1 else f"{row.kind} job {row.id}")
        if not detach:
            _follow(context, runner, [row.id for row in rows])
        elif context.as_json:
            _answer_in_json(context, rows)
    finally:
        runner.close()


def show_jobs(context: Context, _flags: argparse.Namespace) -> None:
    """List jobs, newest first."""
    with context.database.read() as db:
        page = list_jobs(db)
    items = [Job.of(row) for row in page.items]
    heads = ("id", "kind", "state", "progress", "created", "author", "message")
    rows = [
        (j.id[:12], j.kind, j.state, f"{j.progress:.0%}", when(j.created_s), j.author, j.message)
        for j in items
    ]
    context.answer(
        JobList(items=items, total=page.total, next_cursor=page.next_cursor),
        table(heads, rows, "no jobs"),
    )


def show_job(context: Context, flags: argparse.Namespace) -> None:
    """Show one job."""
    _answer_job(context, _find(context, flags.id))


def show_log(context: Context, flags: argparse.Namespace) -> None:
    """Print what a job printed."""
    path = _runner(context).log_path(_find(context, flags.id).id)
    text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    context.answer({"log": text}, text.rstrip("\n"))


def show_metrics(context: Context, flags: argparse.Namespace) -> None:
    """List a job's numbers."""
    row = _find(context, flags.id)
    with context.database.read() as db:
        metrics = [Metric.of(metric) for metric in job_metrics(db, row.id)]
    rows = [(m.step, m.name, f"{m.value:g}") for m in metrics]
    context.answer(
        [metric.model_dump() for metric in metrics],
        table(("step", "name", "value"), rows, "no numbers"),
    )


def cancel_job(context: Context, flags: argparse.Namespace) -> None:
    """Stop a job and wait until it has stopped."""
    _with_runner(context, flags.id, lambda runner, id: runner.cancel(id), wanted=JobState.CANCELLED)


def resume_job(context: Context, flags: argparse.Namespace) -> None:
    """Do a job again and wait for it."""
    _with_runner(context, flags.id, lambda runner, id: runner.resume(id), wanted=JobState.DONE)


def wait_for_job(context: Context, flags: argparse.Namespace) -> None:
    """Follow a job to its end."""
    _with_runner(context, flags.id, lambda _runner, _id: None, wanted=JobState.DONE)


def _with_runner(
    context: Context,
    beginning: str,
    act: Callable[[JobRunner, str], object],
    *,
    wanted: JobState,
) -> None:
    runner = _runner(context)
    try:
        id = _find(context, beginning).id
        act(runner, id)
        _follow(context, runner, [id], wanted=wanted)
    finally:
        runner.close()


def _follow(
    context: Context, runner: JobRunner, ids: Sequence[str], *, wanted: JobState = JobState.DONE
) -> None:
    """Wait until these jobs are over, in this order, and tell of them; Ctrl-C cancels them."""
    waited = [_wait(context, runner, id) for id in ids]
    rows = [row for row, _ in waited]
    context.progress("")
    if context.as_json:
        _answer_in_json(context, rows)
    else:
        for row in rows:
            _answer_job(context, row)
    if any(was_interrupted for _, was_interrupted in waited):
        wanted = JobState.CANCELLED
    for row in rows:
        if row.state != wanted:
            raise JobEndedError(f"job {row.id} {row.state}: {row.message}")


def _wait(context: Context, runner: JobRunner, id: str) -> tuple[JobRow, bool]:
    """Wait for the end, doing the server's part if no server does; Ctrl-C cancels the job."""
    was_interrupted = False
    while True:
        try:
            runner.poll()
            row = _find(context, id)
            context.progress(f"{row.progress:4.0%}  {row.message}")
            if JobState(row.state).is_over:
                return row, was_interrupted
            time.sleep(POLL_INTERVAL_S)
        except KeyboardInterrupt:
            was_interrupted = True
            runner.cancel(id)


def _runner(context: Context) -> JobRunner:
    return JobRunner(context.database, context.data_dir, clock=context.now_s)


def _find(context: Context, beginning: str) -> JobRow:
    return context.find(JobRow, "job", beginning)


def _answer_in_json(context: Context, rows: Sequence[JobRow]) -> None:
    jobs = [Job.of(row) for row in rows]
    several = JobList(items=jobs, total=len(jobs), next_cursor=None)
    context.answer(jobs[0] if len(jobs) == 1 else several)


def _answer_job(context: Context, row: JobRow) -> None:
    job = Job.of(row)
    facts = job.model_dump(mode="json", exclude={"command", "params", "result"})
    lines = [f"{name:16} {value}" for name, value in facts.items()]
    lines.append(f"{'command':16} {' '.join(job.command)}")
    if job.result:
        lines.append(f"{'path':16} {job.result.get('path', '')}")
    context.answer(job, "\n".join(lines))


def _plan_text(summary: dict[str, Any]) -> str:
    lines = [
        f"{summary['repo_id']}: {summary['episodes']} episodes, {summary['frames']} frames, "
        f"about {summary['bytes'] / 1e6:.1f} MB",
        f"columns: {', '.join(summary['columns'])}",
    ]
    if summary["unlabeled"]:
        lines.append(f"without a judgement: {len(summary['unlabeled'])}")
    lines += [
        f"skipped {skipped['id'][:12]}: {skipped['reason']}" for skipped in summary["skipped"]
    ]
    return "\n".join(lines)
