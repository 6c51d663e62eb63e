"""Lists in pieces: keyset cursors, so that a page costs the same wherever it begins.

A cursor names the last row that was given, by its place in the order and its id. Rows that come or
go in between neither repeat nor hide others.
"""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select, tuple_
from sqlalchemy.orm import Session

MAX_LIMIT = 1000


class InvalidPageError(ValueError):
    """A limit or cursor that cannot be obeyed. Says which and why."""


@dataclass(frozen=True, kw_only=True)
class Page[Row]:
    """Some rows of a list."""

    items: Sequence[Row]
    # Rows of the whole list.
    total: int
    # Where the next page begins; None at the end.
    next_cursor: str | None


def read_page[Row](
    db: Session,
    statement: Select[Row],
    *,
    order_by: ColumnElement[Any] | Sequence[ColumnElement[Any]],
    id_column: Any,
    descending: bool,
    limit: int,
    cursor: str | None,
) -> Page[Row]:
    """Run `statement` for one page.

    Args:
        db: The database session.
        statement: Selects the rows, filtered and not ordered.
        order_by: What the list is ordered by, the most important first; rows that are alike in
            all of it follow their ids.
        id_column: The unique column that decides between rows that are alike.
        descending: Largest first.
        limit: Rows wanted, 1 to `MAX_LIMIT`.
        cursor: `next_cursor` of the page before.

    Raises:
        InvalidPageError: The limit is out of range or the cursor is not one of this list.
    """
    if not 1 <= limit <= MAX_LIMIT:
        raise InvalidPageError(f"limit is a number from 1 to {MAX_LIMIT}, got {limit}")
    counted = statement.with_only_columns(id_column).subquery()
    total = db.scalar(select(func.count()).select_from(counted)) or 0
    keys = [*(order_by if isinstance(order_by, Sequence) else [order_by]), id_column]
    if cursor is not None:
        place, last = tuple_(*keys), tuple_(*_unpack(cursor, len(keys)))
        statement = statement.where(place < last if descending else place > last)
    ends = [key.desc() if descending else key for key in keys]
    found = db.execute(statement.add_columns(*keys).order_by(*ends).limit(limit + 1))
    rows = found.all()
    more = len(rows) > limit
    rows = rows[:limit]
    return Page(
        items=[row[0] for row in rows],
        total=total,
        next_cursor=_pack(list(rows[-1])[1:]) if more else None,
    )


def _pack(place: list[Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


def _unpack(cursor: str, length: int) -> list[Any]:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        place = json.loads(base64.urlsafe_b64decode(padded.encode("ascii")))
    except (TypeError, ValueError) as error:
        raise InvalidPageError(
            f"{cursor!r} is no cursor: use next_cursor of the page before, or none"
        ) from error
    if not (
        isinstance(place, list)
        and len(place) == length
        and all(isinstance(value, int | float | str) for value in place)
    ):
        raise InvalidPageError(f"{cursor!r} is no cursor of this list")
    return place
