"""`episodes`, `label`, `recover`, `sessions`."""

import argparse
from typing import Any

from backend.api.episode_replies import Episode, EpisodeList, Take, TakeList
from backend.cli.context import Context, UsageError, table, when
from backend.db.models import EpisodeRow, LabelEventRow
from backend.db.queries import EpisodeFilter, EpisodeOrder, list_episodes, list_sessions
from backend.domain import Outcome
from backend.episodes.labels import LabelKind
from backend.intake import discard_take, reconcile, recover_take, unfinished_takes
from backend.review import EpisodeLabels, add_label, current_labels, history, redo, revert, undo

SOURCE = "cli"


def add_parsers(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add these commands to the command line."""
    episodes = commands.add_parser("episodes", parents=[common], help="list or show episodes")
    episodes.add_argument("id", nargs="?", help="show this one (the beginning of its id is enough)")
    episodes.add_argument("--outcome", choices=[o.value for o in Outcome])
    episodes.add_argument("--q", default="", help="part of a task, robot or operator, or of an id")
    episodes.add_argument("--order", choices=[o.value for o in EpisodeOrder], default="newest")
    episodes.add_argument("--limit", type=int, default=50)
    episodes.add_argument("--cursor", help="next_cursor of the page before")
    episodes.set_defaults(run=show_episodes)

    label = commands.add_parser("label", parents=[common], help="say something of an episode")
    verbs = label.add_subparsers(required=True, metavar="WHAT")
    for outcome in Outcome:
        verb = _on_episode(verbs, common, outcome.value, f"its outcome is {outcome.value}")
        verb.set_defaults(run=_labels(LabelKind.OUTCOME, outcome=outcome.value))
    note = _on_episode(verbs, common, "note", "a remark for people; empty takes it away")
    note.add_argument("text")
    note.set_defaults(run=write_note)
    exclude = _on_episode(verbs, common, "exclude", "leave it out of exports and training")
    exclude.add_argument("reason", nargs="?", default="")
    exclude.set_defaults(run=exclude_episode)
    include = _on_episode(verbs, common, "include", "take it back in")
    include.set_defaults(run=_labels(LabelKind.EXCLUDE, excluded=False))
    for name, act in (("undo", undo), ("redo", redo)):
        verb = verbs.add_parser(name, parents=[common], help=f"{name} your last label")
        verb.add_argument("--episode", help="in this episode only")
        verb.set_defaults(run=_switches(act))
    back = _on_episode(verbs, common, "revert", "back to what held after an event of its history")
    back.add_argument("revision", type=int, help="the event's number; 0: before the first")
    back.set_defaults(run=revert_episode)
    said = _on_episode(verbs, common, "history", "everything that was said of it")
    said.set_defaults(run=show_history)

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


def show_episodes(context: Context, flags: argparse.Namespace) -> None:
    """List episodes, or show one with its labels."""
    reconcile(context.database, context.data_dir)
    if flags.id:
        _show_episode(context, context.episode_id(flags.id))
        return
    wanted = EpisodeFilter(outcome=Outcome(flags.outcome) if flags.outcome else None, q=flags.q)
    with context.database.read() as db:
        page = list_episodes(
            db, wanted, order=EpisodeOrder(flags.order), limit=flags.limit, cursor=flags.cursor
        )
    items = [Episode.of(row) for row in page.items]
    rows = [
        (
            item.id[:12],
            item.outcome,
            f"{item.num_steps / item.fps:.1f} s",
            f"{item.num_human_steps / max(item.num_steps, 1):.0%}",
            when(item.started_s),
            item.policy,
            item.state,
            item.task,
        )
        for item in items
    ]
    heads = ("id", "outcome", "length", "human", "started", "policy", "state", "task")
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


def write_note(context: Context, flags: argparse.Namespace) -> None:
    """Write a remark."""
    _label(context, flags.id, LabelKind.NOTE, {"note": flags.text})


def exclude_episode(context: Context, flags: argparse.Namespace) -> None:
    """Leave an episode out."""
    _label(context, flags.id, LabelKind.EXCLUDE, {"excluded": True, "reason": flags.reason})


def revert_episode(context: Context, flags: argparse.Namespace) -> None:
    """Go back in an episode's history."""
    id = context.episode_id(flags.id)
    with context.database.write() as db:
        labelled = revert(db, episode_id=id, revision=flags.revision, **_whose(context))
    _answer_labels(context, labelled)


def show_history(context: Context, flags: argparse.Namespace) -> None:
    """List an episode's label events."""
    with context.database.read() as db:
        events = history(db, context.episode_id(flags.id))
    rows = [
        (e.id, when(e.created_s), e.author, e.source, e.kind, _words(e.old), "→", _words(e.new))
        for e in events
    ]
    heads = ("event", "when", "who", "whence", "kind", "old", "", "new")
    context.answer([_event(e) for e in events], table(heads, rows, "nobody has said anything yet"))


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


def _labels(kind: LabelKind, **new: Any) -> Any:
    return lambda context, flags: _label(context, flags.id, kind, new)


def _switches(act: Any) -> Any:
    def run(context: Context, flags: argparse.Namespace) -> None:
        id = context.episode_id(flags.episode) if flags.episode else None
        with context.database.write() as db:
            labelled = act(db, episode_id=id, **_whose(context))
        _answer_labels(context, labelled)

    return run


def _label(context: Context, id: str, kind: LabelKind, new: dict[str, Any]) -> None:
    id = context.episode_id(id)
    with context.database.write() as db:
        labelled = add_label(db, episode_id=id, kind=kind, new=new, **_whose(context))
    _answer_labels(context, labelled)


def _whose(context: Context) -> dict[str, Any]:
    return {
        "author": context.author,
        "source": SOURCE,
        "created_s": context.now_s(),
        "event_id": context.new_id(),
    }


def _answer_labels(context: Context, labelled: EpisodeLabels) -> None:
    said = labelled.labels.said(LabelKind.REVERT)
    context.answer(
        {"episode_id": labelled.episode_id, "revision": labelled.revision, **said},
        f"{labelled.episode_id}: {_words(said)}",
    )


def _words(said: dict[str, Any]) -> str:
    return (
        ", ".join(f"{name} {value}" for name, value in said.items() if value not in ("", False))
        or "nothing"
    )


def _event(row: LabelEventRow) -> dict[str, Any]:
    return {column.key: getattr(row, column.key) for column in row.__table__.columns}


def _on_episode(
    verbs: Any, common: argparse.ArgumentParser, name: str, help: str
) -> argparse.ArgumentParser:
    verb: argparse.ArgumentParser = verbs.add_parser(name, parents=[common], help=help)
    verb.add_argument("id", help="the episode; the beginning of its id is enough")
    return verb
