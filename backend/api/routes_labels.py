"""What people say of episodes: labels for one or many, the log, undo, redo, revert, the news."""

import asyncio
import uuid
from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Query
from sqlalchemy.orm import Session

from backend.api.clock import Clock
from backend.api.errors import ApiError, responses
from backend.api.label_replies import (
    BulkAnswer,
    BulkBody,
    Conflict,
    LabelBody,
    LabelEvent,
    LabelEventList,
    LabelNews,
    LabelNewsList,
    Labels,
    RevertBody,
    UndoBody,
)
from backend.api.records import SessionRecords
from backend.api.routes_session import Caller
from backend.db.engine import Database
from backend.db.queries import (
    count_final_episodes,
    label_events_after,
    newest_label_revision,
)
from backend.domain import Outcome, Role
from backend.episodes.labels import LabelError, LabelKind
from backend.review import (
    BulkConflictError,
    EpisodeLabels,
    EpisodeNotFoundError,
    LabelConflictError,
    NothingToUndoError,
    add_label,
    apply_bulk,
    current_labels,
    history,
    plan_bulk,
    redo,
    revert,
    undo,
)

SOURCE = "api"
MOST_NEWS = 1000
NOT_THERE = "/api/episodes lists what there is."
LOOK_AGAIN = "Look at what holds now, then label again."


def labels_router(database: Database, clock: Clock, records: SessionRecords) -> APIRouter:
    router = APIRouter(prefix="/api", tags=["labels"])

    def write(work: Callable[[Session], EpisodeLabels]) -> Labels:
        try:
            with database.write() as db:
                try:
                    return Labels.of(work(db))
                except LabelConflictError as error:
                    # Here, because rows cannot be read any more once the session is over.
                    details = _both_versions(error)
                    raise ApiError(
                        409, "conflict", str(error), hint=LOOK_AGAIN, details=details
                    ) from error
        except EpisodeNotFoundError as error:
            raise ApiError(404, "not_found", str(error), hint=NOT_THERE) from error
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
        older version than the newest is refused with 409, code `conflict`; `details` then has what
        the caller saw (`expected`), what holds (`present`) and the `newest` event.
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
                    start_step=body.start_step,
                    end_step=body.end_step,
                    target_id=body.target_id,
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
            raise ApiError(404, "not_found", str(error), hint=NOT_THERE) from error
        return LabelEventList(items=events, total=len(events), in_force=in_force)

    @router.post(
        "/episodes/{episode_id}/labels/revert",
        summary="Revert an episode's labels",
        responses=responses(404),
    )
    async def go_back(episode_id: str, body: RevertBody, user: Caller) -> Labels:
        """Bring the episode back to what held after an event of its log. An act like any other: it
        is in the log and can be undone."""
        user.require(Role.LABELER, "change labels")
        return await records.decide(
            lambda: write(
                lambda db: revert(
                    db,
                    episode_id=episode_id,
                    revision=body.revision,
                    author=user.name,
                    source=SOURCE,
                    created_s=clock.wall_s(),
                    event_id=body.event_id or uuid.uuid4().hex,
                )
            )
        )

    @router.get("/labels/events", summary="Follow what is said", responses=responses())
    def follow(
        after: Annotated[
            int | None, Query(ge=0, description="only events behind this id; the newest if none")
        ] = None,
        limit: Annotated[int, Query(ge=1, le=MOST_NEWS, description="events at most")] = 50,
    ) -> LabelNewsList:
        """What was said of all episodes, for pages that follow each other. Cheap to ask often."""
        with database.read() as db:
            newest = newest_label_revision(db)
            num_episodes = count_final_episodes(db)
            rows = [] if after == newest else label_events_after(db, after, limit=limit)
        return LabelNewsList(
            items=[
                LabelNews(
                    id=row.id,
                    episode_id=row.episode_id,
                    author=row.author,
                    kind=LabelKind(row.kind),
                    created_s=row.created_s,
                    outcome=Outcome(outcome),
                    bulk_id=row.bulk_id,
                )
                for row, outcome in rows
            ],
            newest=newest,
            num_episodes=num_episodes,
        )

    @router.post("/labels/bulk", summary="Label many episodes", responses=responses(409))
    async def label_many(body: BulkBody, user: Caller) -> BulkAnswer:
        """Say the same of all episodes of a filter: all of it or nothing, and only what the dry run
        has shown. One undo takes the whole bulk back."""
        user.require(Role.LABELER, "label episodes")
        if body.dry_run:
            return await asyncio.to_thread(preview, body)
        if body.expected is None:
            raise ApiError(
                422,
                "label",
                "a bulk needs `expected`, the count and newest label event it was decided on",
                hint='Ask with "dry_run": true first.',
            )
        return await records.decide(lambda: carry_out(body, user.name))

    def preview(body: BulkBody) -> BulkAnswer:
        try:
            with database.read() as db:
                plan = plan_bulk(db, body.filter.to_filter(), kind=body.kind, new=body.new)
        except LabelError as error:
            raise ApiError(422, "label", str(error)) from error
        return BulkAnswer.of(plan, done=False)

    def carry_out(body: BulkBody, author: str) -> BulkAnswer:
        assert body.expected is not None
        try:
            with database.write() as db:
                plan = apply_bulk(
                    db,
                    body.filter.to_filter(),
                    kind=body.kind,
                    new=body.new,
                    expected_count=body.expected.count,
                    expected_newest=body.expected.newest,
                    author=author,
                    source=SOURCE,
                    created_s=clock.wall_s(),
                    event_id=body.event_id or uuid.uuid4().hex,
                )
        except BulkConflictError as error:
            details = BulkAnswer.of(error.plan, done=False)
            raise ApiError(409, "conflict", str(error), hint=LOOK_AGAIN, details=details) from error
        except LabelError as error:
            raise ApiError(422, "label", str(error)) from error
        return BulkAnswer.of(plan, done=True)

    @router.post("/labels/undo", summary="Undo a label", responses=responses(404, 409))
    async def take_back(user: Caller, body: UndoBody | None = None) -> Labels:
        """Take back what the caller said last, in one episode or anywhere. What was said in bulk
        is taken back in bulk, unless one episode is named."""
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


def _both_versions(error: LabelConflictError) -> Conflict:
    present = error.present
    return Conflict(
        expected=Labels.at(present.episode_id, error.expected, revision=error.expected_revision),
        present=Labels.of(present),
        newest=LabelEvent.of(present.newest) if present.newest else None,
    )
