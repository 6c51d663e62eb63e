"""What the server notes while a training runs: checkpoints as rows, plan and alarms in the job.

The job announces, this writes. `result` of a running job holds `run`, `config`, `plan` (counts and
warnings), `alarms` by name and the checkpoint made last; a finished job's result has the same.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from backend import checkpoints
from backend.db.models import JobRow
from backend.episodes.frames import remove_unfinished


def take_news(db: Session, job: JobRow, news: Mapping[str, Any]) -> None:
    """Note what a training announced: see the words below."""
    result = dict(job.result)
    if "begun" in news:
        # Run, config, plan; a resumed job begins again without its old alarms.
        result = {**news["begun"], "alarms": {}}
    if "alarm" in news:
        alarm = news["alarm"]
        alarms = {n: a for n, a in result.get("alarms", {}).items() if n != alarm["name"]}
        if alarm["text"]:
            alarms[alarm["name"]] = {"step": alarm["step"], "text": alarm["text"]}
        result["alarms"] = alarms
    if "checkpoint" in news:
        result["checkpoint"] = checkpoints.record(db, news["checkpoint"]).id
    if "deleted" in news:
        checkpoints.forget_files(db, news["deleted"])
    job.result = result
    db.flush()


def record(db: Session, job: JobRow) -> None:
    """Note what a finished training made; all of it was announced before, except by accident."""
    checkpoints.record(db, job.result["last"])


def clean_up(data_dir: Path, job_id: str) -> None:
    """Remove pictures that a killed training left half decoded; its checkpoints stay."""
    remove_unfinished(data_dir, job_id)
