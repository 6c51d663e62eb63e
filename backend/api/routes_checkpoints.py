"""`/api/checkpoints`: what training made, where it came from, and what to do with it.

A checkpoint's id is `run/step`, so it is two parts of the path.
"""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query
from sqlalchemy import select
from sqlalchemy.orm import Session

from backend import checkpoints
from backend.api.checkpoint_replies import (
    Checkpoint,
    CheckpointDetails,
    CheckpointList,
    DeleteBody,
    ExportBody,
    ExportedCheckpoint,
)
from backend.api.errors import ApiError, NotFoundError, responses
from backend.api.live import Live
from backend.api.routes_session import Caller
from backend.checkpoints import CheckpointError, CheckpointNotFoundError
from backend.db.checkpoint_queries import (
    CheckpointLineage,
    lineage,
    list_checkpoints,
    promoted_checkpoint,
)
from backend.db.engine import Database
from backend.db.models import CheckpointRow, JobRow
from backend.db.pages import MAX_LIMIT, InvalidPageError
from backend.domain import Role
from backend.jobs.video_params import critic_video_path

EXPORTS_DIR = "exports"
NOT_THERE = "/api/checkpoints lists what there is."


def checkpoints_router(live: Live, database: Database, data_dir: Path) -> APIRouter:
    router = APIRouter(prefix="/api/checkpoints", tags=["checkpoints"])

    def found(db: Session, checkpoint_id: str) -> CheckpointLineage:
        row = db.get(CheckpointRow, checkpoint_id)
        if row is None:
            raise NotFoundError("checkpoint", checkpoint_id, hint=NOT_THERE)
        return lineage(db, row)

    def shown(checkpoint: CheckpointLineage) -> Checkpoint:
        return Checkpoint.of(checkpoint, num_videos=_num_videos(data_dir, checkpoint.row.id))

    @router.get("", summary="List checkpoints", responses=responses(400))
    def list_all(
        *,
        with_deleted: Annotated[bool, Query(description="also those whose files are gone")] = False,
        limit: Annotated[int, Query(ge=1, le=MAX_LIMIT, description="items a page")] = 50,
        cursor: Annotated[str | None, Query(description="`next_cursor` of the page before")] = None,
    ) -> CheckpointList:
        """One page of checkpoints with their lineage, newest first.

        Folders that were copied into the data directory are found by asking for the first page.
        """
        if cursor is None:
            _take_in(database, data_dir)
        try:
            with database.read() as db:
                page = list_checkpoints(db, limit=limit, cursor=cursor, with_deleted=with_deleted)
        except InvalidPageError as error:
            raise ApiError(400, "page", str(error)) from error
        return CheckpointList(
            items=[shown(checkpoint) for checkpoint in page.items],
            total=page.total,
            next_cursor=page.next_cursor,
        )

    @router.get("/{run}/{step}", summary="Show a checkpoint", responses=responses(404))
    def show(run: str, step: str) -> CheckpointDetails:
        """One checkpoint with its run's config and sources."""
        checkpoint_id = f"{run}/{step}"
        with database.read() as db:
            checkpoint = found(db, checkpoint_id)
            job = db.get(JobRow, checkpoint.row.job_id) if checkpoint.row.job_id else None
        folder = checkpoints.checkpoint_path(data_dir, checkpoint_id)
        return CheckpointDetails.with_run(
            checkpoint,
            num_videos=_num_videos(data_dir, checkpoint_id),
            folder=str(folder / checkpoints.PRETRAINED_DIR),
            run=_run_note(folder.parent),
            job=job,
        )

    @router.post(
        "/{run}/{step}/promote", summary="Promote a checkpoint", responses=responses(404, 409)
    )
    async def promote(run: str, step: str, user: Caller) -> Checkpoint:
        """Let the robot drive this checkpoint from its next episode on."""
        user.require(Role.OPERATOR, "promote a checkpoint")
        checkpoint_id = f"{run}/{step}"

        def note() -> Checkpoint:
            now_s = live.clock.wall_s()
            with database.write() as db:
                row = _doing(lambda: checkpoints.promote(db, data_dir, checkpoint_id, now_s=now_s))
                return shown(lineage(db, row))

        promoted = await asyncio.to_thread(note)
        offer_promoted(live, database, data_dir)
        live.notify("info", "promoted", f"{user.name} promoted {checkpoint_id}")
        return promoted

    @router.post(
        "/{run}/{step}/delete", summary="Delete a checkpoint", responses=responses(404, 409)
    )
    def delete(run: str, step: str, body: DeleteBody, user: Caller) -> Checkpoint:
        """Delete a checkpoint's files and its scores; its row stays for the lineage."""
        user.require(Role.ADMIN, "delete a checkpoint")
        checkpoint_id = f"{run}/{step}"
        with database.write() as db:
            _doing(lambda: checkpoints.delete(db, data_dir, checkpoint_id, force=body.force))
            return shown(found(db, checkpoint_id))

    @router.post(
        "/{run}/{step}/export", summary="Export a checkpoint", responses=responses(404, 409)
    )
    def export(run: str, step: str, body: ExportBody, user: Caller) -> ExportedCheckpoint:
        """Copy what LeRobot loads to a plain folder in the data directory's `exports`."""
        user.require(Role.OPERATOR, "export a checkpoint")
        name = body.name or f"{run}-{step}"
        if not checkpoints.RUN_NAME.fullmatch(name):
            raise ApiError(
                422,
                "name",
                f"name is made of letters, digits, '.', '_' and '-', got {name!r}",
                hint="Leave it empty for one.",
            )
        out = data_dir / EXPORTS_DIR / name
        folder = _doing(lambda: checkpoints.export_checkpoint(data_dir, f"{run}/{step}", out))
        return ExportedCheckpoint(
            checkpoint_id=f"{run}/{step}",
            folder=str(folder),
            size_bytes=sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()),
        )

    return router


def offer_promoted(live: Live, database: Database, data_dir: Path) -> None:
    """Tell the actor which checkpoint is promoted, if any; on the event loop.

    After a promotion, and when the server starts: what was promoted before still is.
    """
    with database.read() as db:
        row = promoted_checkpoint(db)
    if row is not None and row.promoted_s is not None:
        path = checkpoints.checkpoint_path(data_dir, row.id)
        live.offer_policy(row.id, path, promoted_s=row.promoted_s)


def _doing[Found](work: Callable[[], Found]) -> Found:
    try:
        return work()
    except CheckpointNotFoundError as error:
        raise ApiError(404, "not_found", str(error), hint=NOT_THERE) from error
    except CheckpointError as error:
        raise ApiError(409, "refused", str(error)) from error


def _take_in(database: Database, data_dir: Path) -> None:
    """Bring rows and folders together; writes only where they differ."""
    folders = (data_dir / checkpoints.CHECKPOINTS_DIR).glob(f"*/*/{checkpoints.PRETRAINED_DIR}")
    present = {f"{folder.parent.parent.name}/{folder.parent.name}" for folder in folders}
    present = {id for id in present if checkpoints.CHECKPOINT_ID.fullmatch(id)}
    with database.read() as db:
        known = set(db.scalars(select(CheckpointRow.id).where(CheckpointRow.size_bytes > 0)))
    if present != known:
        with database.write() as db:
            checkpoints.take_in(db, data_dir)


def _num_videos(data_dir: Path, checkpoint_id: str) -> int:
    folder = critic_video_path(data_dir, checkpoint_id, "any").parent
    return sum(not path.name.startswith(".") for path in folder.glob("*.mp4"))


def _run_note(folder: Path) -> dict[str, Any]:
    try:
        note = json.loads((folder / checkpoints.RUN_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return note if isinstance(note, dict) else {}
