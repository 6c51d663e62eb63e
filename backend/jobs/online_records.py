"""What the server notes while an online learner runs, besides what it notes of every training.

`result` of the job also holds `published` (the newest weights and their folder) and `buffer` (how
much it learns from), which outlive a resume: what drives now was published before it.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from backend.db.models import JobRow
from backend.jobs import train_records

KEPT = ("published", "buffer")


def take_news(db: Session, job: JobRow, news: Mapping[str, Any]) -> None:
    """Note what an online learner announced."""
    kept = {name: job.result[name] for name in KEPT if name in job.result}
    train_records.take_news(db, job, news)
    told = {name: news[name] for name in (*KEPT, "plan") if name in news}
    job.result = {**kept, **job.result, **told}
    db.flush()
