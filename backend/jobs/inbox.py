"""Reads what a job wrote to its inbox into its row and its metrics, each line once.

Lines are `{"progress": 0.4, "message": "…"}` or `{"step": 10, "metrics": {"loss": 0.3}, "t_s": …}`.
A line that is still being written waits for the next reading.
"""

import json
import logging
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from backend.db.models import JobRow, MetricRow

logger = logging.getLogger(__name__)


def read_inbox(db: Session, row: JobRow, inbox: Path) -> int:
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
            _apply(db, row, json.loads(line))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
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
        )
