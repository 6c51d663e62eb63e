"""Reads what a job wrote to its inbox into its row and its metrics, each line once.

Lines are `{"progress": 0.4, "message": "…"}`, `{"step": 10, "metrics": {"loss": 0.3}, "t_s": …}` or
`{"news": {…}}`, which each kind of job takes in its own way. A line that is still being written
waits for the next reading. Numbers that are not finite are left out: no database column holds them.
"""

import json
import logging
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from backend.db.models import JobRow, MetricRow

logger = logging.getLogger(__name__)


def read_inbox(
    db: Session,
    row: JobRow,
    inbox: Path,
    *,
    take_news: Callable[[Session, JobRow, Mapping[str, Any]], None],
) -> int:
    """Apply what is new; return how many bytes of the inbox are read now."""
    try:
        with inbox.open("rb") as file:
            file.seek(row.inbox_offset)
            news = file.read()
    except FileNotFoundError:
        return row.inbox_offset
    whole = news[: news.rfind(b"\n") + 1]
    for line in whole.splitlines():
        try:
            said = json.loads(line)
            with db.begin_nested():
                _apply(db, row, said)
                if "news" in said:
                    take_news(db, row, said["news"])
        except (ValueError, KeyError, TypeError, AttributeError, SQLAlchemyError) as error:
            logger.warning("job %s wrote a line nobody understands: %r (%s)", row.id, line, error)
    return row.inbox_offset + len(whole)


def _apply(db: Session, row: JobRow, line: dict[str, Any]) -> None:
    if "progress" in line:
        row.progress = min(1.0, max(0.0, float(line["progress"])))
        row.message = str(line["message"])
    if "metrics" in line:
        db.add_all(
            MetricRow(
                job_id=row.id,
                name=str(name),
                step=int(line["step"]),
                value=float(value),
                t_s=float(line["t_s"]),
            )
            for name, value in line["metrics"].items()
            if math.isfinite(float(value))
        )
