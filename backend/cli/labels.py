"""`label`: what people say of episodes, of one or of all that a filter lets through."""

import argparse
from typing import Any

from backend.api.label_replies import BulkAnswer
from backend.cli.context import Context, UsageError, table, when
from backend.cli.episodes import add_filter, read_filter
from backend.db.models import LabelEventRow
from backend.domain import Outcome
from backend.episodes.label_ranges import RangeKind
from backend.episodes.labels import LabelKind
from backend.intake import reconcile
from backend.review import (
    BulkConflictError,
    EpisodeLabels,
    add_label,
    apply_bulk,
    history,
    plan_bulk,
    redo,
    revert,
    undo,
)

SOURCE = "cli"
# What can be said of many at once, and how.
SAYINGS: dict[str, tuple[LabelKind, dict[str, Any]]] = {
    **{o.value: (LabelKind.OUTCOME, {"outcome": o.value}) for o in Outcome},
    "exclude": (LabelKind.EXCLUDE, {"excluded": True}),
    "include": (LabelKind.EXCLUDE, {"excluded": False}),
}


def add_parsers(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add these commands to the command line."""
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
    end = _on_episode(verbs, common, "end", "the success was here: it ends after this step")
    end.add_argument("step", nargs="?", type=int, help="without: where the recording ends")
    end.set_defaults(run=move_end)
    for kind in RangeKind:
        steps = _on_episode(verbs, common, kind.value, f"steps START up to END are a {kind}")
        steps.add_argument("start", type=int)
        steps.add_argument("end", type=int, help="the step behind the last one")
        named = kind is RangeKind.SUBTASK
        steps.add_argument("text", nargs=None if named else "?", default="")
        steps.set_defaults(run=label_range, kind=LabelKind(kind.value))
    erase = _on_episode(verbs, common, "erase", "take a range away")
    erase.add_argument("event", type=int, help="number of the event that made it, see history")
    erase.set_defaults(run=erase_range)
    many = verbs.add_parser("matching", parents=[common], help="all episodes of a filter at once")
    many.add_argument("say", choices=list(SAYINGS))
    add_filter(many)
    many.add_argument("--reason", default="", help="why they are excluded")
    many.add_argument("--yes", action="store_true", help="do it; else only tell what it would do")
    many.set_defaults(run=label_matching)
    for name, act in (("undo", undo), ("redo", redo)):
        verb = verbs.add_parser(name, parents=[common], help=f"{name} your last label")
        verb.add_argument("--episode", help="in this episode only")
        verb.set_defaults(run=_switches(act))
    back = _on_episode(verbs, common, "revert", "back to what held after an event of its history")
    back.add_argument("revision", type=int, help="the event's number; 0: before the first")
    back.set_defaults(run=revert_episode)
    said = _on_episode(verbs, common, "history", "everything that was said of it")
    said.set_defaults(run=show_history)


def write_note(context: Context, flags: argparse.Namespace) -> None:
    """Write a remark."""
    _label(context, flags.id, LabelKind.NOTE, {"note": flags.text})


def exclude_episode(context: Context, flags: argparse.Namespace) -> None:
    """Leave an episode out."""
    _label(context, flags.id, LabelKind.EXCLUDE, {"excluded": True, "reason": flags.reason})


def move_end(context: Context, flags: argparse.Namespace) -> None:
    """Say where an episode ended."""
    _label(context, flags.id, LabelKind.TERMINAL, {"step": flags.step})


def label_range(context: Context, flags: argparse.Namespace) -> None:
    """Give a range of steps a kind."""
    new = {"text": flags.text}
    _label(context, flags.id, flags.kind, new, start_step=flags.start, end_step=flags.end)


def erase_range(context: Context, flags: argparse.Namespace) -> None:
    """Take a range away, whoever made it."""
    _label(context, flags.id, LabelKind.ERASE, {}, target_id=flags.event)


def label_matching(context: Context, flags: argparse.Namespace) -> None:
    """Say the same of all episodes of a filter; without `--yes` only tell what it would do."""
    reconcile(context.database, context.data_dir)
    kind, new = SAYINGS[flags.say]
    if flags.say == "exclude":
        new = {**new, "reason": flags.reason}
    wanted = read_filter(flags)
    with context.database.read() as db:
        plan = plan_bulk(db, wanted, kind=kind, new=new)
    if flags.yes:
        try:
            with context.database.write() as db:
                apply_bulk(
                    db,
                    wanted,
                    kind=kind,
                    new=new,
                    expected_count=len(plan.matched),
                    expected_newest=plan.newest,
                    **_whose(context),
                )
        except BulkConflictError as error:
            raise UsageError(f"{error}: look again") from error
    answer = BulkAnswer.of(plan, done=flags.yes)
    before = ", ".join(f"{count} {outcome}" for outcome, count in answer.outcomes.items())
    text = (
        f"{answer.matched} episodes match ({before or 'none'}), {answer.already} are so already\n"
        f"{answer.would_change} {'changed' if flags.yes else 'would change; do it with --yes'}"
    )
    context.answer(answer, text)


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
        (
            e.id,
            when(e.created_s),
            e.author,
            e.source,
            e.kind,
            "" if e.start_step is None else f"{e.start_step}–{e.end_step}",
            _words(e.old),
            "→",
            _words(e.new),
        )
        for e in events
    ]
    heads = ("event", "when", "who", "whence", "kind", "steps", "old", "", "new")
    context.answer([_event(e) for e in events], table(heads, rows, "nobody has said anything yet"))


def _labels(kind: LabelKind, **new: Any) -> Any:
    return lambda context, flags: _label(context, flags.id, kind, new)


def _switches(act: Any) -> Any:
    def run(context: Context, flags: argparse.Namespace) -> None:
        id = context.episode_id(flags.episode) if flags.episode else None
        with context.database.write() as db:
            labelled = act(db, episode_id=id, **_whose(context))
        _answer_labels(context, labelled)

    return run


def _label(context: Context, id: str, kind: LabelKind, new: dict[str, Any], **where: Any) -> None:
    id = context.episode_id(id)
    with context.database.write() as db:
        labelled = add_label(db, episode_id=id, kind=kind, new=new, **where, **_whose(context))
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
    others = len(labelled.changed) - 1
    context.answer(
        {
            "episode_id": labelled.episode_id,
            "revision": labelled.revision,
            "changed": list(labelled.changed),
            **said,
        },
        f"{labelled.episode_id}: {_words(said)}"
        + (f"\nand {others} other episodes" if others > 0 else ""),
    )


def _words(said: dict[str, Any]) -> str:
    ranges = [
        f"{r['kind']} {r['start_step']}–{r['end_step']} {r['text']}".rstrip()
        for r in said.get("ranges", ())
    ]
    plain = {name: value for name, value in said.items() if name != "ranges"}
    words = [f"{n} {v}" for n, v in plain.items() if v is not None and v not in ("", False)]
    return ", ".join([*words, *ranges]) or "nothing"


def _event(row: LabelEventRow) -> dict[str, Any]:
    return {column.key: getattr(row, column.key) for column in row.__table__.columns}


def _on_episode(
    verbs: Any, common: argparse.ArgumentParser, name: str, help: str
) -> argparse.ArgumentParser:
    verb: argparse.ArgumentParser = verbs.add_parser(name, parents=[common], help=help)
    verb.add_argument("id", help="the episode; the beginning of its id is enough")
    return verb
