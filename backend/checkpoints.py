"""Checkpoints as the server knows them: rows, lineage, promotion, removal, copies. No torch.

    checkpoints/<run>/run.json             who made the run, from what; written by its train job
    checkpoints/<run>/<step>/              written by `learning.checkpoints`, finished or not at all

A row says where a checkpoint comes from and stays for good, because episodes, scores and later
checkpoints point to it; `size_bytes` 0 means that its files are gone. A train job deletes old
checkpoints by the rule in `jobs.checkpoint_rules`; people delete here.
"""

import json
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.db.checkpoint_queries import DROVE, protected_checkpoints
from backend.db.models import CheckpointRow, JobRow, ScoreRow
from backend.episodes.scores import SCORES_DIR

CHECKPOINTS_DIR = "checkpoints"
RUN_FILE = "run.json"
# What LeRobot loads; beside it is what resuming needs.
PRETRAINED_DIR = "pretrained_model"
CRITIC_FILE = "critic.safetensors"
RUN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
CHECKPOINT_ID = re.compile(rf"(?P<run>{RUN_NAME.pattern})/(?P<step>\d{{6,}})")

# In a job's orders: the newest checkpoint of that training when the job begins.
PROMISED = re.compile(r"job:(?P<job>[0-9a-f]{32})")


class CheckpointError(ValueError):
    """Something that cannot be done with a checkpoint. Says which, why, and what would help."""


class CheckpointNotFoundError(LookupError):
    """There is no checkpoint of that id, or its files are gone."""


def checkpoint_path(data_dir: Path, checkpoint_id: str) -> Path:
    """Where the checkpoint `run/step` is, whether it is there or not.

    Raises:
        CheckpointError: That is no checkpoint's id.
    """
    if not CHECKPOINT_ID.fullmatch(checkpoint_id):
        raise CheckpointError(
            f"a checkpoint is named run/step, like touch/000500, got {checkpoint_id!r}"
        )
    return data_dir / CHECKPOINTS_DIR / checkpoint_id


def present_path(data_dir: Path, checkpoint_id: str) -> Path:
    """Where the checkpoint `run/step` is.

    Raises:
        CheckpointError: That is no checkpoint's id.
        CheckpointNotFoundError: There is none.
    """
    path = checkpoint_path(data_dir, checkpoint_id)
    if not (path / PRETRAINED_DIR).is_dir():
        raise CheckpointNotFoundError(
            f"there is no checkpoint {checkpoint_id} in {data_dir / CHECKPOINTS_DIR}"
        )
    return path


def has_critic(data_dir: Path, checkpoint_id: str) -> bool:
    """Whether the checkpoint is there and can score episodes."""
    path = checkpoint_path(data_dir, checkpoint_id)
    return (path / PRETRAINED_DIR / CRITIC_FILE).is_file()


def describe(data_dir: Path, checkpoint_id: str) -> dict[str, Any]:
    """What `record` needs to know of a checkpoint, read from its folder and its run's."""
    path = present_path(data_dir, checkpoint_id)
    try:
        run = json.loads((path.parent / RUN_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        run = {}
    return {
        "id": checkpoint_id,
        "job_id": run.get("job_id"),
        "parent_id": run.get("parent_id"),
        "step": int(path.name),
        "created_s": path.stat().st_mtime,
        "size_bytes": sum(f.stat().st_size for f in path.rglob("*") if f.is_file()),
        "label_revision": int(run.get("label_revision", 0)),
        "probes": {},
    }


def record(db: Session, described: Mapping[str, Any]) -> CheckpointRow:
    """Enter a checkpoint, or bring its row up to date; probes are added to those it has."""
    row = db.get(CheckpointRow, described["id"])
    if row is None:
        row = CheckpointRow(**{**described, "probes": {}}, promoted_s=None)
        # Runs outlive the jobs table when their folder was copied from elsewhere.
        if row.job_id is not None and db.get(JobRow, row.job_id) is None:
            row.job_id = None
        if row.parent_id is not None and db.get(CheckpointRow, row.parent_id) is None:
            row.parent_id = None
        db.add(row)
    row.size_bytes = described["size_bytes"]
    row.probes = {**row.probes, **described["probes"]}
    db.flush()
    return row


def take_in(db: Session, data_dir: Path) -> list[str]:
    """Enter checkpoints that are on the disk and in no row; mark rows whose files are gone.

    Returns:
        Ids of the new ones.
    """
    root = data_dir / CHECKPOINTS_DIR
    present = {
        f"{path.parent.parent.name}/{path.parent.name}"
        for path in root.glob(f"*/*/{PRETRAINED_DIR}")
        if CHECKPOINT_ID.fullmatch(f"{path.parent.parent.name}/{path.parent.name}")
    }
    rows = {row.id: row for row in db.scalars(select(CheckpointRow))}
    for id, row in rows.items():
        if id not in present and row.size_bytes:
            forget_files(db, id)
    described = {id: describe(data_dir, id) for id in present - rows.keys()}
    # Parents first, so that children may point to them.
    new = sorted(described, key=lambda id: described[id]["created_s"])
    for id in new:
        record(db, described[id])
    return new


def promote(db: Session, data_dir: Path, checkpoint_id: str, *, now_s: float) -> CheckpointRow:
    """Make this checkpoint the one the actor drives; the one before steps back.

    Raises:
        CheckpointNotFoundError: No such row, or its files are gone.
    """
    row = _row(db, checkpoint_id)
    present_path(data_dir, checkpoint_id)
    for other in db.scalars(select(CheckpointRow).where(CheckpointRow.promoted_s.is_not(None))):
        other.promoted_s = None
    row.promoted_s = now_s
    db.flush()
    return row


def delete(db: Session, data_dir: Path, checkpoint_id: str, *, force: bool = False) -> None:
    """Delete a checkpoint's files and its scores; its row stays for the lineage.

    Args:
        db: A session of `Database.write()`.
        data_dir: The data directory.
        checkpoint_id: Which.
        force: Also one that drove episodes.

    Raises:
        CheckpointNotFoundError: No such row.
        CheckpointError: It is promoted, in use, or drove episodes.
    """
    row = _row(db, checkpoint_id)
    why = protected_checkpoints(db).get(checkpoint_id)
    if row.promoted_s is not None:
        raise CheckpointError(f"checkpoint {checkpoint_id} is promoted: promote another one first")
    if why is not None and not (force and why == DROVE):
        remedy = "delete it with force" if why == DROVE else "cancel that first"
        raise CheckpointError(f"checkpoint {checkpoint_id} cannot go, {why}: {remedy}")
    for score in db.scalars(select(ScoreRow).where(ScoreRow.checkpoint_id == checkpoint_id)):
        db.delete(score)
    forget_files(db, checkpoint_id)
    remove_folder(checkpoint_path(data_dir, checkpoint_id))
    shutil.rmtree(data_dir / SCORES_DIR / checkpoint_id, ignore_errors=True)


def forget_files(db: Session, checkpoint_id: str) -> None:
    """Note that a checkpoint's files are gone."""
    row = db.get(CheckpointRow, checkpoint_id)
    if row is not None:
        row.size_bytes = 0
        row.promoted_s = None
        db.flush()


def remove_folder(folder: Path) -> None:
    """Remove a checkpoint folder so that no reader meets half of it; harmless when repeated."""
    if folder.is_dir():
        aside = folder.with_name(f".{folder.name}.deleted")
        shutil.rmtree(aside, ignore_errors=True)
        os.replace(folder, aside)
        shutil.rmtree(aside)


def export_checkpoint(data_dir: Path, checkpoint_id: str, out: Path) -> Path:
    """Copy what LeRobot loads to a plain folder `out`, which must not exist; return it.

    Raises:
        CheckpointNotFoundError: No such files.
        CheckpointError: `out` exists.
    """
    source = present_path(data_dir, checkpoint_id) / PRETRAINED_DIR
    if out.exists():
        raise CheckpointError(f"{out} exists already: choose another folder")
    out.parent.mkdir(parents=True, exist_ok=True)
    aside = out.with_name(f".{out.name}.writing")
    shutil.rmtree(aside, ignore_errors=True)
    shutil.copytree(source, aside)
    os.replace(aside, out)
    return out


def _row(db: Session, checkpoint_id: str) -> CheckpointRow:
    row = db.get(CheckpointRow, checkpoint_id)
    if row is None:
        raise CheckpointNotFoundError(f"there is no checkpoint {checkpoint_id}")
    return row
