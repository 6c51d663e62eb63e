"""`episodes`, `recover`, `sessions`."""

import argparse
from typing import Any

from backend.api.episode_replies import Episode, EpisodeList, Take, TakeList
from backend.cli.context import Context, UsageError, table, when
from backend.db.episode_queries import (
    EpisodeFilter,
    EpisodeFlag,
    EpisodeOrder,
    list_episodes,
    scores_by,
)
from backend.db.models import EpisodeRow
from backend.db.queries import list_sessions
from backend.domain import Outcome
from backend.episodes.labels import LabelKind
from backend.intake import discard_take, reconcile, recover_take, unfinished_takes
from backend.review import current_labels


def add_parsers(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add these commands to the command line."""
    episodes = commands.add_parser("episodes", parents=[common], help="list or show episodes")
    episodes.add_argument("id", nargs="?", help="show this one (the beginning of its id is enough)")
    add_filter(episodes)
    episodes.add_argument("--order", choices=[o.value for o in EpisodeOrder], default="newest")
    episodes.add_argument("--limit", type=int, default=50)
    episodes.add_argument("--cursor", help="next_cursor of the page before")
    episodes.set_defaults(run=show_episodes)

    recover = commands.add_parser(
        "recover", parents=[common], help="list unfinished takes, recover or discard them"
    )
    recover.add_argument("id", nargs="*", help="recover these")
    recover.add_argument("--all", action="store_true", help="recover all that hold a whole step")
    recover.add_argument("--discard", action="store_true", help="put the named takes aside instead")
    recover.set_defaults(run=recover_takes)

    sessions = commands.add_parser("sessions", parents=[common], help="list sessions")
    sessions.add_argument("--limit", type=int, default=50)
    sessions.set_defaults(run=show_sessions)


def add_filter(parser: argparse.ArgumentParser) -> None:
    """Add the words that choose episodes."""
    parser.add_argument("--outcome", choices=[o.value for o in Outcome])
    parser.add_argument("--q", default="", help="part of a task, robot or operator, or of an id")
    parser.add_argument("--task", help="of this task, whole and exact")
    parser.add_argument("--robot", help="of the robot config of this name")
    parser.add_argument("--operator", help="by this operator")
    parser.add_argument("--checkpoint", help="driven by this checkpoint")
    parser.add_argument("--flag", choices=[flag.value for flag in EpisodeFlag])
    parser.add_argument("--scored-by", help="checkpoint whose scores tell disagreement")


def read_filter(flags: argparse.Namespace) -> EpisodeFilter:
    """The filter that those words mean."""
    return EpisodeFilter(
        outcome=Outcome(flags.outcome) if flags.outcome else None,
        q=flags.q,
        task=flags.task,
        robot=flags.robot,
        operator=flags.operator,
        checkpoint_id=flags.checkpoint,
        flag=EpisodeFlag(flags.flag) if flags.flag else None,
        scored_by=flags.scored_by,
    )


def show_episodes(context: Context, flags: argparse.Namespace) -> None:
    """List episodes, or show one with its labels."""
    reconcile(context.database, context.data_dir)
    if flags.id:
        _show_episode(context, context.episode_id(flags.id))
        return
    wanted = read_filter(flags)
    with context.database.read() as db:
        page = list_episodes(
            db, wanted, order=EpisodeOrder(flags.order), limit=flags.limit, cursor=flags.cursor
        )
        scores = (
            scores_by(db, flags.scored_by, [row.id for row in page.items])
            if flags.scored_by
            else {}
        )
    items = [
        Episode.of(row, scored_by=flags.scored_by, score=scores.get(row.id)) for row in page.items
    ]
    rows = [
        (
            item.id[:12],
            item.outcome,
            f"{item.num_steps / item.fps:.1f} s",
            f"{item.num_human_steps / max(item.num_steps, 1):.0%}",
            when(item.started_s),
            item.policy,
            item.state,
            " ".join(item.flags),
            item.task,
        )
        for item in items
    ]
    heads = ("id", "outcome", "length", "human", "started", "policy", "state", "flags", "task")
    more = f"\n{len(items)} of {page.total}; next page: --cursor {page.next_cursor}"
    context.answer(
        EpisodeList(items=items, total=page.total, next_cursor=page.next_cursor),
        table(heads, rows, "no episodes") + (more if page.next_cursor else ""),
    )


def recover_takes(context: Context, flags: argparse.Namespace) -> None:
    """List unfinished takes; recover or discard the named ones."""
    reconcile(context.database, context.data_dir)
    takes = {take.id: take for take in unfinished_takes(context.data_dir)}
    if flags.all and flags.discard:
        raise UsageError("--all recovers; name the takes that should be discarded")
    names = [context.episode_id(name) if name not in takes else name for name in flags.id]
    if flags.all:
        names = [id for id, take in takes.items() if take.num_steps]
    if not names:
        listing = TakeList(items=[Take.of(take) for take in takes.values()], total=len(takes))
        rows = [
            (t.id[:12], t.num_steps, f"{t.duration_s:.1f} s", when(t.started_s), t.task)
            for t in listing.items
        ]
        heads = ("id", "steps", "length", "started", "task")
        context.answer(listing, table(heads, rows, "no unfinished takes"))
        return
    done = []
    for id in names:
        if flags.discard:
            folder = discard_take(context.database, context.data_dir, id)
            context.say(f"{id}: moved to {folder}")
            done.append({"id": id, "folder": str(folder)})
        else:
            row = recover_take(context.database, context.data_dir, id)
            context.say(f"{id}: recovered {row.num_steps} steps")
            done.append(Episode.of(row).model_dump(mode="json"))
    if context.as_json:
        context.answer(done)


def show_sessions(context: Context, flags: argparse.Namespace) -> None:
    """List sessions, newest first."""
    with context.database.read() as db:
        page = list_sessions(db, limit=flags.limit)
    items = [{c.key: getattr(row, c.key) for c in row.__table__.columns} for row in page.items]
    heads = ("id", "opened", "closed", "robot", "policy", "operator")
    rows = [
        (r.id[:12], when(r.opened_s), when(r.closed_s), r.robot, r.policy, r.operator)
        for r in page.items
    ]
    context.answer({"items": items, "total": page.total}, table(heads, rows, "no sessions"))


def _show_episode(context: Context, id: str) -> None:
    with context.database.read() as db:
        row = db.get_one(EpisodeRow, id)
        labels = current_labels(db, id).labels
    item = Episode.of(row)
    said = labels.said(LabelKind.REVERT)
    facts = {**item.model_dump(mode="json"), "labels": said}
    lines = [f"{name:16} {value}" for name, value in facts.items() if name != "labels"]
    lines += [f"{name:16} {value}" for name, value in said.items() if name != "outcome"]
    context.answer(facts, "\n".join(lines))
