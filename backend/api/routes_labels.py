"""What people say of episodes: give a label, read the log, undo and redo."""

import uuid
from collections.abc import Callable

from fastapi import APIRouter
from sqlalchemy.orm import Session

from backend.api.clock import Clock
from backend.api.episode_replies import LabelBody, LabelEvent, LabelEventList, Labels, UndoBody
from backend.api.errors import ApiError, responses
from backend.api.records import SessionRecords
from backend.api.routes_session import Caller
from backend.db.engine import Database
from backend.domain import Role
from backend.episodes.labels import LabelError
from backend.review import (
    EpisodeLabels,
    EpisodeNotFoundError,
    LabelConflictError,
    NothingToUndoError,
    add_label,
    current_labels,
    history,
    redo,
    undo,
)

SOURCE = "api"


def labels_router(database: Database, clock: Clock, records: SessionRecords) -> APIRouter:
    router = APIRouter(prefix="/api", tags=["labels"])

    def write(work: Callable[[Session], EpisodeLabels]) -> Labels:
        try:
            with database.write() as db:
                return Labels.of(work(db))
        except EpisodeNotFoundError as error:
            hint = "/api/episodes lists what there is."
            raise ApiError(404, "not_found", str(error), hint=hint) from error
        except LabelConflictError as error:
            raise ApiError(
                409, "conflict", str(error), hint="Look at what holds now, then label again."
            ) from error
        except NothingToUndoError as error:
            raise ApiError(409, "nothing", str(error)) from error
        except LabelError as error:
            raise ApiError(422, "label", str(error)) from error

    @router.post(
        "/episodes/{episode_id}/labels",
        summary="Label an episode",
        responses=responses(404, 409),
    )
    async def label(episode_id: str, body: LabelBody, user: Caller) -> Labels:
        """Append one label event and return what holds then.

        A repeat of the same `event_id` does nothing. With `expected_revision`, a label made on an
        older version than the newest is refused with 409, code `conflict`.
        """
        user.require(Role.LABELER, "label an episode")
        return await records.decide(
            lambda: write(
                lambda db: add_label(
                    db,
                    episode_id=episode_id,
                    kind=body.kind,
                    new=body.new,
                    author=user.name,
                    source=SOURCE,
                    created_s=clock.wall_s(),
                    event_id=body.event_id or uuid.uuid4().hex,
                    expected_revision=body.expected_revision,
                )
            )
        )

    @router.get(
        "/episodes/{episode_id}/labels",
        summary="Read an episode's label log",
        responses=responses(404),
    )
    def read_log(episode_id: str) -> LabelEventList:
        """Everything that was ever said of the episode, oldest first, and what holds now."""
        try:
            with database.read() as db:
                events = [LabelEvent.of(row) for row in history(db, episode_id)]
                in_force = Labels.of(current_labels(db, episode_id))
        except EpisodeNotFoundError as error:
            hint = "/api/episodes lists what there is."
            raise ApiError(404, "not_found", str(error), hint=hint) from error
        return LabelEventList(items=events, total=len(events), in_force=in_force)

    @router.post("/labels/undo", summary="Undo a label", responses=responses(404, 409))
    async def take_back(user: Caller, body: UndoBody | None = None) -> Labels:
        """Take back what the caller said last, in one episode or anywhere."""
        return await switch(undo, user, body)

    @router.post("/labels/redo", summary="Redo a label", responses=responses(404, 409))
    async def say_again(user: Caller, body: UndoBody | None = None) -> Labels:
        """Say again what the caller took back last."""
        return await switch(redo, user, body)

    async def switch(
        act: Callable[..., EpisodeLabels], user: Caller, body: UndoBody | None
    ) -> Labels:
        user.require(Role.LABELER, "change labels")
        asked = body or UndoBody()
        return await records.decide(
            lambda: write(
                lambda db: act(
                    db,
                    author=user.name,
                    source=SOURCE,
                    created_s=clock.wall_s(),
                    event_id=asked.event_id or uuid.uuid4().hex,
                    episode_id=asked.episode_id,
                )
            )
        )

    return router
