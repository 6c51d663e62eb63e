"""What scoring may be asked for, and what the server notes of it. Needs no torch.

{"checkpoint": "run/000500" | "job:<id>", "episodes": "all" | [ids] | {filter}, "again": false,
 "device": "auto", "batch_size": 64}
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from backend import checkpoints
from backend.db.models import JobRow
from backend.db.queries import EpisodeFilter
from backend.jobs.export_params import ExportParamsError, read_episodes
from backend.review import record_score

CPU_LANE = "score on the CPU"
WORDS = ("checkpoint", "episodes", "again", "device", "batch_size")


class ScoreParamsError(ValueError):
    """A scoring nobody could carry out. Says which word, why, and what is possible."""


@dataclass(frozen=True, kw_only=True)
class ScoreParams:
    """What was asked for."""

    checkpoint_id: str
    wanted: EpisodeFilter
    # Also episodes that this checkpoint has scored.
    again: bool
    device: str
    # Steps of one forward pass.
    batch_size: int


def read_score_params(params: Mapping[str, Any], data_dir: Path) -> ScoreParams:
    """Check what was asked for.

    Raises:
        ScoreParamsError: Naming the word and what is possible.
    """
    unknown = sorted(params.keys() - set(WORDS))
    if unknown:
        raise ScoreParamsError(f"scoring takes {', '.join(WORDS)}; got {', '.join(unknown)} too")
    again, device = params.get("again", False), params.get("device", "auto")
    batch_size = params.get("batch_size", 64)
    if not isinstance(again, bool):
        raise ScoreParamsError(f"again is true or false, got {again!r}")
    if not isinstance(device, str) or not device:
        raise ScoreParamsError(f"device is auto, cpu, cuda, …, got {device!r}")
    if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
        raise ScoreParamsError(f"batch_size is a whole number above 0, got {batch_size!r}")
    try:
        checkpoint_id = str(params.get("checkpoint"))
        if not checkpoints.PROMISED.fullmatch(checkpoint_id):
            checkpoints.present_path(data_dir, checkpoint_id)
        wanted = read_episodes(params.get("episodes", "all"))
    except (
        ExportParamsError,
        checkpoints.CheckpointError,
        checkpoints.CheckpointNotFoundError,
    ) as error:
        raise ScoreParamsError(str(error)) from error
    return ScoreParams(
        checkpoint_id=checkpoint_id,
        wanted=wanted,
        again=again,
        device=device,
        batch_size=batch_size,
    )


def check(params: Mapping[str, Any], data_dir: Path) -> None:
    """Refuse a scoring that could not be carried out, before it is queued.

    Raises:
        ScoreParamsError: See `read_score_params`.
    """
    read_score_params(params, data_dir)


def beside(params: Mapping[str, Any]) -> str | None:
    """The lane of a scoring that leaves the GPU alone: it does not wait for a training."""
    return CPU_LANE if params.get("device") == "cpu" else None


def take_news(db: Session, _job: JobRow, news: Mapping[str, Any]) -> None:
    """Note the checkpoint that scores, and each episode it has scored."""
    if "checkpoint" in news:
        checkpoints.record(db, news["checkpoint"])
    if "score" in news:
        record_score(db, **news["score"])
    db.flush()
