"""`/api/actor/files`: an actor on another computer fetches the checkpoints that it should drive.

Only folders of `checkpoints/` are given, without what only resuming a training needs. Checksums of
large files are kept for as long as the files do not change.
"""

import hashlib
import threading
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Request, Response

from backend.api.actor_token import shows_token
from backend.api.errors import ApiError, NotFoundError
from backend.api.file_ranges import file_response
from backend.checkpoints import CHECKPOINTS_DIR
from backend.learning.published_files import (
    WeightsError,
    base_checkpoint,
    is_weights_folder,
    read_note,
)
from backend.wire import ACTOR_API, FetchPlan, FileFacts

# What resuming needs and driving does not.
LEFT_OUT = "training_state"
BINARY = "application/octet-stream"


def actor_api(token: str) -> APIRouter:
    """A router that only an actor may use: it shows a token of its own, see `actor_token.py`."""

    def check(request: Request) -> None:
        if not shows_token(request, token):
            raise ApiError(
                401,
                "token",
                "the actor's token is missing or wrong",
                hint="It is in <data_dir>/actor.token; give it with --token.",
            )

    return APIRouter(prefix=ACTOR_API, include_in_schema=False, dependencies=[Depends(check)])


def actor_files_router(data_dir: Path, *, token: str) -> APIRouter:
    router = actor_api(token)
    digests = _Digests()

    def folder_of(path: str) -> Path:
        root = (data_dir / CHECKPOINTS_DIR).resolve()
        folder = (data_dir / path).resolve()
        if root not in folder.parents or not folder.is_dir():
            raise NotFoundError("checkpoint", path, hint="/api/checkpoints lists what there is.")
        return folder

    @router.get("/files")
    def list_files(path: Annotated[str, Query()]) -> FetchPlan:
        """What a checkpoint's folder consists of; the first time takes as long as reading it."""
        folder = folder_of(path)
        files = [
            FileFacts(
                name=file.relative_to(folder).as_posix(),
                size=file.stat().st_size,
                sha256=digests.of(file),
            )
            for file in sorted(folder.rglob("*"))
            if file.is_file() and LEFT_OUT not in file.relative_to(folder).parts
        ]
        return FetchPlan(
            relative=str(folder.relative_to(data_dir.resolve())),
            files=files,
            needs=_needs(folder, data_dir.resolve()),
        )

    @router.get("/file", response_class=Response)
    def send_file(
        path: Annotated[str, Query()],
        name: Annotated[str, Query()],
        range: Annotated[str | None, Header()] = None,
    ) -> Response:
        """One of those files, from anywhere on."""
        folder = folder_of(path)
        file = (folder / name).resolve()
        if folder not in file.parents or not file.is_file():
            raise NotFoundError("file", name, hint="It was deleted meanwhile; ask for the list.")
        return file_response(file, media_type=BINARY, range_header=range, changes=False)

    return router


def _needs(folder: Path, data_dir: Path) -> list[str]:
    """Published weights go over a whole checkpoint of their run."""
    if not is_weights_folder(folder):
        return []
    try:
        base = base_checkpoint(folder, read_note(folder))
    except WeightsError as error:
        raise ApiError(409, "refused", str(error)) from error
    return [str(base.resolve().relative_to(data_dir))]


class _Digests:
    """Checksums of files that are written once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[tuple[Path, int, int], str] = {}

    def of(self, path: Path) -> str:
        status = path.stat()
        key = (path, status.st_size, status.st_mtime_ns)
        with self._lock:
            if key not in self._known:
                with path.open("rb") as file:
                    self._known[key] = hashlib.file_digest(file, "sha256").hexdigest()
            return self._known[key]
