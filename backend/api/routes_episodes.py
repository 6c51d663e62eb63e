"""`/api/episodes`: recorded attempts, their steps and videos, and takes that wait for a
decision."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

import pyarrow as pa
from fastapi import APIRouter, Header, Query, Response

from backend.api.episode_replies import (
    Discarded,
    Episode,
    EpisodeList,
    Facets,
    FacetWords,
    ListWords,
    Steps,
    Take,
    TakeList,
)
from backend.api.errors import ApiError, NotFoundError, responses
from backend.api.file_ranges import file_response
from backend.api.records import SessionRecords
from backend.api.routes_session import Caller
from backend.db.engine import Database
from backend.db.episode_queries import FINAL_STATES, count_facets, list_episodes, scores_by
from backend.db.models import EpisodeRow
from backend.db.pages import InvalidPageError
from backend.domain import EpisodeState, Role
from backend.episodes.columns import steps_from_table
from backend.episodes.format import EPISODES_DIR
from backend.episodes.recovery import DISCARDED_DIR, RecoveryError
from backend.episodes.store import (
    EpisodeFormatError,
    read_header,
    read_table,
    video_path,
)
from backend.intake import discard_take, recover_take, unfinished_takes
from backend.review import EpisodeNotFoundError

ARROW = "application/vnd.apache.arrow.stream"
VIDEO = "video/mp4"
NOT_THERE = "/api/episodes lists what there is."


def episodes_router(database: Database, data_dir: Path, records: SessionRecords) -> APIRouter:
    router = APIRouter(prefix="/api/episodes", tags=["episodes"])

    def row_of(episode_id: str) -> EpisodeRow:
        with database.read() as db:
            row = db.get(EpisodeRow, episode_id)
        if row is None:
            raise NotFoundError("episode", episode_id, hint=NOT_THERE)
        return row

    def folder_of(row: EpisodeRow) -> Path:
        parent = DISCARDED_DIR if row.state == EpisodeState.DISCARDED else EPISODES_DIR
        return data_dir / parent / row.id

    @router.get("", summary="List episodes", responses=responses(400))
    def list_all(words: ListWords) -> EpisodeList:
        """One page of episodes, by the labels in force."""
        try:
            with database.read() as db:
                page = list_episodes(
                    db,
                    words.to_filter(),
                    order=words.order,
                    limit=words.limit,
                    cursor=words.cursor,
                )
                ids = [row.id for row in page.items]
                scores = scores_by(db, words.scored_by, ids) if words.scored_by else {}
        except InvalidPageError as error:
            raise ApiError(400, "page", str(error)) from error
        return EpisodeList(
            items=[
                Episode.of(row, scored_by=words.scored_by, score=scores.get(row.id))
                for row in page.items
            ],
            total=page.total,
            next_cursor=page.next_cursor,
        )

    @router.get("/facets", summary="Count episodes", responses=responses())
    def count(words: FacetWords) -> Facets:
        """How many episodes of a filter have which outcome, task, robot, checkpoint, operator and
        flag: what one can filter by further, and how far that goes."""
        with database.read() as db:
            return Facets.of(count_facets(db, words.to_filter()))

    @router.get("/unfinished", summary="List unfinished takes", responses=responses())
    def list_unfinished() -> TakeList:
        """Recordings whose recorder died, oldest first: recover or discard each."""
        takes = [Take.of(take) for take in unfinished_takes(data_dir)]
        return TakeList(items=takes, total=len(takes))

    @router.get("/{episode_id}", summary="Show an episode", responses=responses(404))
    def show(episode_id: str) -> Episode:
        """One episode's facts and the outcome in force."""
        return Episode.of(row_of(episode_id))

    @router.get(
        "/{episode_id}/steps",
        summary="Read an episode's steps",
        response_model=Steps,
        responses={
            **responses(404, 409),
            200: {"content": {ARROW: {}}, "description": "Columns as JSON or Arrow IPC stream"},
        },
    )
    def read_steps(
        episode_id: str,
        format: Annotated[
            Literal["json", "arrow"] | None, Query(description="overrides the Accept header")
        ] = None,
        accept: Annotated[str, Header(include_in_schema=False)] = "",
    ) -> Response:
        """All steps as columns: JSON, or an Arrow IPC stream when `Accept` or `format` says so.

        Of a recording under way: what is on the disk so far.
        """
        folder = folder_of(row_of(episode_id))
        try:
            header, table = read_header(folder), read_table(folder)
        except EpisodeFormatError as error:
            raise ApiError(409, "no_steps", str(error)) from error
        if format == "arrow" or (format is None and ARROW in accept):
            return Response(_arrow(table), media_type=ARROW)
        steps = Steps.of(
            steps_from_table(table),
            episode_id=episode_id,
            fps=header.fps,
            state_names=header.state_names,
            action_names=header.action_names,
        )
        return Response(steps.model_dump_json(), media_type="application/json")

    @router.api_route(
        "/{episode_id}/video/{camera}.mp4",
        methods=["GET"],
        summary="Play a camera",
        response_class=Response,
        responses={
            **responses(404, 416),
            200: {"content": {VIDEO: {}}, "description": "H.264 video"},
            206: {"content": {VIDEO: {}}, "description": "The part asked for with Range"},
        },
    )
    def play(
        episode_id: str,
        camera: str,
        range: Annotated[str | None, Header(description="bytes=first-last")] = None,
    ) -> Response:
        """One camera's video, one frame a step; a recording plays as far as it has come."""
        row = row_of(episode_id)
        if camera not in row.cameras:
            raise NotFoundError("camera", camera, hint=f"It has {', '.join(row.cameras)}.")
        path = video_path(folder_of(row), camera)
        if not path.is_file():
            raise NotFoundError("video of camera", camera, hint="Its file is gone or not begun.")
        return file_response(
            path,
            media_type=VIDEO,
            range_header=range,
            changes=row.state not in FINAL_STATES,
        )

    @router.post(
        "/{episode_id}/recover",
        summary="Recover a take",
        responses=responses(404, 409),
    )
    async def recover(episode_id: str, user: Caller) -> Episode:
        """Keep an unfinished take with all its whole steps; it has no outcome until graded."""
        user.require(Role.OPERATOR, "recover a take")
        row = await records.decide_take(
            lambda: _taking(lambda: recover_take(database, data_dir, episode_id))
        )
        return Episode.of(row)

    @router.post(
        "/{episode_id}/discard",
        summary="Discard a take",
        responses=responses(404, 409),
    )
    async def discard(episode_id: str, user: Caller) -> Discarded:
        """Move an unfinished take to the trash folder; nothing is deleted."""
        user.require(Role.OPERATOR, "discard a take")
        folder = await records.decide_take(
            lambda: _taking(lambda: discard_take(database, data_dir, episode_id))
        )
        return Discarded(id=episode_id, folder=str(folder.relative_to(data_dir)))

    return router


def _taking[Found](work: Callable[[], Found]) -> Found:
    try:
        return work()
    except EpisodeNotFoundError as error:
        raise ApiError(
            404, "not_found", str(error), hint="/api/episodes/unfinished lists takes."
        ) from error
    except RecoveryError as error:
        raise ApiError(409, "refused", str(error)) from error


def _arrow(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return bytes(sink.getvalue().to_pybytes())
