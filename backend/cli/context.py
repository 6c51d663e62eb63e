"""What every command is given: the data directory's database, and how to answer.

Commands work beside a running server and without one: both use the same functions on the same
database, whose locks keep them apart.
"""

import argparse
import getpass
import json
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.db.engine import Database, migrate, open_database, sqlite_url
from backend.db.models import EpisodeRow, JobRow
from backend.db.queries import rows_beginning_with
from backend.wire import Message


class UsageError(Exception):
    """A command that cannot be obeyed as it was given. Says why and what to do."""


@dataclass(frozen=True, kw_only=True)
class Terminal:
    """How to answer."""

    as_json: bool

    def say(self, text: str) -> None:
        """A line for people; nothing when programs read."""
        if not self.as_json:
            sys.stdout.write(text + "\n")

    def answer(self, message: Message | dict[str, Any] | list[Any], text: str = "") -> None:
        """The answer itself: the API's JSON for programs, `text` for people."""
        content = message.model_dump(mode="json") if isinstance(message, Message) else message
        written = json.dumps(content, indent=2, ensure_ascii=False) if self.as_json else text
        sys.stdout.write(written + "\n")

    def progress(self, text: str) -> None:
        """A line that the next one replaces, on a terminal only."""
        if not self.as_json and sys.stdout.isatty():
            sys.stdout.write(f"\r\x1b[K{text}")
            sys.stdout.flush()


@dataclass(frozen=True, kw_only=True)
class Context(Terminal):
    """One run of a command that needs the data directory."""

    database: Database
    data_dir: Path
    author: str
    now_s: Callable[[], float] = time.time
    new_id: Callable[[], str] = lambda: uuid.uuid4().hex

    def find[Row: (EpisodeRow, JobRow)](self, rows: type[Row], what: str, beginning: str) -> Row:
        """The one row whose id begins so.

        Raises:
            UsageError: There is none, or there are several.
        """
        with self.database.read() as db:
            exact = db.get(rows, beginning)
            found = [exact] if exact else rows_beginning_with(db, rows, beginning)
        if not found:
            raise UsageError(f"there is no {what} {beginning}")
        if len(found) > 1:
            several = ", ".join(row.id[:12] for row in found)
            raise UsageError(f"several {what}s begin with {beginning} ({several}): say more")
        return found[0]

    def episode_id(self, beginning: str) -> str:
        """Id of the one episode whose id begins so; see `find`."""
        return self.find(EpisodeRow, "episode", beginning).id


@contextmanager
def opened(flags: argparse.Namespace) -> Iterator[Context]:
    """The context that the command line names.

    Raises:
        UsageError: There is no such data directory.
        DatabaseRefusedError: Its database cannot be used.
    """
    data_dir = flags.data_dir.expanduser().absolute()
    if not data_dir.is_dir():
        raise UsageError(
            f"there is no data directory at {data_dir}: name it with --data-dir, or start the "
            "server once, which makes it"
        )
    url = flags.database_url or sqlite_url(data_dir)
    migrate(url)
    database = open_database(url)
    try:
        yield Context(
            database=database,
            data_dir=data_dir,
            author=flags.author or getpass.getuser(),
            as_json=flags.json,
        )
    finally:
        database.close()


def table(head: Sequence[str], rows: Sequence[Sequence[object]], empty: str) -> str:
    """Rows under their heads, columns aligned; `empty` when there are none."""
    if not rows:
        return empty
    cells = [list(head), *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    )


def when(time_s: float | None) -> str:
    """A moment in this machine's time zone, to the minute."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(time_s)) if time_s is not None else "–"
