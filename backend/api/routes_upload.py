"""`/api/actor/episodes`: how the spool of an actor on another computer comes here.

The files are `episode_inbox.py`'s; the row follows by the server's one writer. Bodies are bytes.
"""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request
from pydantic import ValidationError
from starlette.requests import ClientDisconnect

from backend.api.actor_files import actor_api
from backend.api.episode_inbox import EpisodeInbox
from backend.api.errors import ApiError, explain
from backend.api.live import Live
from backend.api.records import SessionRecords
from backend.wire import DIGEST_HEADER, MAX_PART_BYTES, UploadPlan, UploadState


def upload_router(
    inbox: EpisodeInbox, live: Live, records: SessionRecords, *, token: str
) -> APIRouter:
    router = actor_api(token)

    @router.post("/episodes/{episode_id}")
    async def begin(episode_id: str, request: Request) -> UploadState:
        """Say what an episode consists of, and hear what is here already."""
        plan = await _plan(request)
        try:
            state = await asyncio.to_thread(inbox.begin, episode_id, plan)
        finally:
            # Also that it was refused.
            live.changed()
        if state.state == "stored":
            # The server may have died between the folder and its row.
            await records.arrived(episode_id)
        return state

    @router.put("/episodes/{episode_id}/{name}")
    async def append(
        episode_id: str,
        name: str,
        request: Request,
        offset: Annotated[int, Query(ge=0)],
        sha256: Annotated[str, Header(alias=DIGEST_HEADER, min_length=64, max_length=64)],
    ) -> UploadState:
        """Send one part of one file."""
        part = await _body(request)
        state = await asyncio.to_thread(
            lambda: inbox.append(episode_id, name, offset=offset, part=part, sha256=sha256)
        )
        live.changed()
        return state

    @router.post("/episodes/{episode_id}/finish")
    async def finish(episode_id: str, request: Request) -> UploadState:
        """Have it verified and made an episode. `stored` is the word that frees the spool."""
        plan = await _plan(request)
        try:
            state = await asyncio.to_thread(inbox.finish, episode_id, plan)
        finally:
            live.changed()
        await records.arrived(episode_id)
        return state

    return router


async def _plan(request: Request) -> UploadPlan:
    """Read after the token was looked at, unlike what FastAPI parses."""
    try:
        return UploadPlan.model_validate_json(await _body(request))
    except ValidationError as error:
        raise ApiError(422, "invalid", explain(error.errors())) from error


async def _body(request: Request) -> bytes:
    part = bytearray()
    try:
        async for chunk in request.stream():
            part += chunk
            if len(part) > MAX_PART_BYTES:
                raise ApiError(
                    413,
                    "too_big",
                    f"a part may hold {MAX_PART_BYTES} bytes",
                    hint="Send smaller ones.",
                )
    except ClientDisconnect as error:
        # Nobody reads this answer; whoever sent it comes again.
        raise ApiError(400, "broken_off", "the line broke in the midst of a part") from error
    return bytes(part)
