"""`/api/jobs`: start background work, follow it, stop it, start it again."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Header, Query, Response
from sqlalchemy import func, select

from backend.api.errors import ApiError, NotFoundError, responses
from backend.api.file_ranges import file_response
from backend.api.job_replies import ExportPreview, Job, JobBody, JobList, Metric, MetricList
from backend.api.routes_session import Caller
from backend.db.engine import Database
from backend.db.models import JobRow, MetricRow
from backend.db.pages import MAX_LIMIT, InvalidPageError
from backend.db.queries import job_metrics, list_jobs
from backend.domain import JobKind, JobState, Role
from backend.jobs.export_params import ExportParamsError, check, read_params
from backend.jobs.export_plan import make_plan
from backend.jobs.kinds import JobParamsError, role_to_order
from backend.jobs.orders import Order
from backend.jobs.runner import JobNotFoundError, JobRunner, JobStateError

NOT_THERE = "/api/jobs lists what there is."
TEXT = "text/plain; charset=utf-8"


def jobs_router(runner: JobRunner, database: Database, data_dir: Path) -> APIRouter:
    router = APIRouter(prefix="/api/jobs", tags=["jobs"])

    def row_of(job_id: str) -> JobRow:
        with database.read() as db:
            row = db.get(JobRow, job_id)
        if row is None:
            raise NotFoundError("job", job_id, hint=NOT_THERE)
        return row

    @router.get("", summary="List jobs", responses=responses(400))
    def list_all(
        kind: Annotated[JobKind | None, Query(description="only of this kind")] = None,
        state: Annotated[list[JobState] | None, Query(description="only in these states")] = None,
        limit: Annotated[int, Query(ge=1, le=MAX_LIMIT, description="items a page")] = 50,
        cursor: Annotated[str | None, Query(description="`next_cursor` of the page before")] = None,
    ) -> JobList:
        """One page of jobs, newest first."""
        states = tuple(state) if state else tuple(JobState)
        try:
            with database.read() as db:
                page = list_jobs(db, kind=kind, states=states, limit=limit, cursor=cursor)
        except InvalidPageError as error:
            raise ApiError(400, "page", str(error)) from error
        return JobList(
            items=[Job.of(row) for row in page.items],
            total=page.total,
            next_cursor=page.next_cursor,
        )

    @router.post("", summary="Start a job", responses=responses())
    def start(body: JobBody, user: Caller) -> Job:
        """Queue a job, and those that follow it; it begins when nothing before it is left to do."""
        orders = [Order(kind=order.kind, params=order.params) for order in (body, *body.then)]
        try:
            for order in orders:
                role = role_to_order(order.kind, order.params)
                user.require(role, f"start this {order.kind} job")
            return Job.of(runner.submit_chain(orders, user.name, after=body.after)[0])
        except JobParamsError as error:
            raise ApiError(422, "params", str(error)) from error

    @router.post("/dry-run", summary="Preview an export", responses=responses())
    def preview(body: JobBody) -> ExportPreview:
        """What an export with these params would write and skip; writes nothing."""
        if body.kind is not JobKind.EXPORT:
            raise ApiError(422, "params", f"only exports can be previewed, got {body.kind}")
        try:
            check(body.params, data_dir)
            with database.read() as db:
                plan = make_plan(db, data_dir, read_params(body.params))
        except ExportParamsError as error:
            raise ApiError(422, "params", str(error)) from error
        return ExportPreview.model_validate(plan.summary())

    @router.get("/{job_id}", summary="Show a job", responses=responses(404))
    def show(job_id: str) -> Job:
        """State, progress, and what came of it."""
        return Job.of(row_of(job_id))

    @router.get("/{job_id}/metrics", summary="Read a job's numbers", responses=responses(400, 404))
    def read_metrics(
        job_id: str,
        limit: Annotated[int, Query(ge=1, le=10_000, description="numbers a page")] = 1000,
        cursor: Annotated[str | None, Query(description="a cursor of the page before")] = None,
    ) -> MetricList:
        """Everything the job measured, by name and step, in the order in which it came."""
        row_of(job_id)
        if cursor is not None and not cursor.isdecimal():
            raise ApiError(400, "page", f"{cursor!r} is no cursor of this list")
        with database.read() as db:
            rows = job_metrics(db, job_id, after_id=int(cursor or 0), limit=limit + 1)
            counted = select(func.count()).where(MetricRow.job_id == job_id)
            total = db.scalar(counted.select_from(MetricRow)) or 0
        return MetricList(
            items=[Metric.of(row) for row in rows[:limit]],
            total=total,
            next_cursor=str(rows[limit - 1].id) if len(rows) > limit else None,
            end_cursor=str(rows[:limit][-1].id) if rows else cursor or "0",
        )

    @router.get(
        "/{job_id}/log",
        summary="Read a job's log",
        response_class=Response,
        responses={
            **responses(404, 416),
            200: {"content": {"text/plain": {}}, "description": "Everything it printed"},
            206: {"content": {"text/plain": {}}, "description": "The part asked for with Range"},
        },
    )
    def read_log(
        job_id: str,
        range: Annotated[
            str | None, Header(description="bytes=first-last, or bytes=-n for the last n")
        ] = None,
    ) -> Response:
        """Everything the job printed so far, as text; empty before it began."""
        row_of(job_id)
        path = runner.log_path(job_id)
        if not path.is_file() or path.stat().st_size == 0:
            return Response("", media_type=TEXT)
        return file_response(path, media_type=TEXT, range_header=range, changes=True)

    @router.post("/{job_id}/cancel", summary="Cancel a job", responses=responses(404, 409))
    def cancel(
        *,
        job_id: str,
        user: Caller,
        force: Annotated[
            bool, Query(description="end it at once; a training loses what it has not saved")
        ] = False,
    ) -> Job:
        """Ask the job to stop, which lets a training save; what does not obey is ended by force.

        That happens after ten seconds, for a training after three minutes.
        """
        user.require(Role.OPERATOR, "cancel a job")
        return changed(lambda: runner.cancel(job_id, force=force))

    @router.post("/{job_id}/resume", summary="Resume a job", responses=responses(404, 409))
    def resume(job_id: str, user: Caller) -> Job:
        """Queue a failed or cancelled job again with the same params."""
        user.require(Role.LABELER, "resume a job")
        row = row_of(job_id)
        user.require(role_to_order(JobKind(row.kind), row.params), f"resume this {row.kind} job")
        return changed(lambda: runner.resume(job_id))

    def changed(work: Callable[[], JobRow]) -> Job:
        try:
            return Job.of(work())
        except JobNotFoundError as error:
            raise ApiError(404, "not_found", str(error), hint=NOT_THERE) from error
        except JobStateError as error:
            raise ApiError(409, "state", str(error)) from error

    return router
