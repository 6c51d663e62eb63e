"""`/api/datasets`: what lies in the data directory, where it came from, the trash, and previews.

Importing, exporting, checking and pushing themselves are jobs: `POST /api/jobs`.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from fastapi import APIRouter
from sqlalchemy import select

from backend.api.dataset_replies import (
    Dataset,
    DatasetDetail,
    DatasetList,
    ImportPreview,
    Moved,
    ParamsBody,
    PushPreview,
    Trashed,
    TrashList,
)
from backend.api.errors import ApiError, responses
from backend.api.job_replies import Job
from backend.api.routes_session import Caller
from backend.db.engine import Database
from backend.db.models import DatasetRow, JobRow
from backend.domain import JobKind, JobState, Role
from backend.episodes.lerobot_folder import DatasetFolderError
from backend.jobs import importing_params, push_params
from backend.jobs.datasets import Dataset as FoundDataset
from backend.jobs.datasets import (
    DatasetNotFoundError,
    DatasetTakenError,
    find_dataset,
    find_datasets,
    read_manifest,
    restore_dataset,
    trash_dataset,
    trashed_datasets,
)
from backend.jobs.importing_params import ImportParamsError, read_import_params
from backend.jobs.importing_plan import make_import_plan
from backend.jobs.push_params import PushParamsError, make_push_plan, read_push_params

LINEAGE_KINDS = (JobKind.IMPORT, JobKind.HEALTH, JobKind.PUSH, JobKind.TRAIN)
NOT_THERE = "/api/datasets lists what there is."


def datasets_router(
    database: Database, data_dir: Path, *, wall_s: Callable[[], float]
) -> APIRouter:
    router = APIRouter(prefix="/api/datasets", tags=["datasets"])

    def with_lineage(found: Sequence[FoundDataset]) -> list[Dataset]:
        kinds = [kind.value for kind in LINEAGE_KINDS]
        with database.read() as db:
            newest_first = select(JobRow).order_by(JobRow.created_s.desc())
            jobs = db.scalars(newest_first.where(JobRow.kind.in_(kinds))).all()
            rows = db.scalars(select(DatasetRow).where(DatasetRow.job_id.is_not(None))).all()
            origins = {row.repo_id: db.get(JobRow, row.job_id) for row in rows}
        by_dataset = _by_dataset(jobs)
        return [
            Dataset.of(each, **_lineage(by_dataset[each.repo_id], origins.get(each.repo_id)))
            for each in found
        ]

    @router.get("", summary="List datasets", responses=responses())
    def list_all(user: Caller) -> DatasetList:
        """Every dataset in the data directory, with its lineage and its newest health check."""
        items = with_lineage(find_datasets(data_dir))
        return DatasetList(items=items, total=len(items), role=user.role)

    @router.get("/trash", summary="List trashed datasets", responses=responses())
    def list_trash() -> TrashList:
        """What was moved to the trash; nothing of it is deleted."""
        items = [Trashed.of(found) for found in trashed_datasets(data_dir)]
        return TrashList(items=items, total=len(items))

    @router.post("/trash/{trash_id}/restore", summary="Restore", responses=responses(404, 409))
    def restore(trash_id: str, user: Caller) -> Moved:
        """Bring a dataset back from the trash under its old name."""
        user.require(Role.OPERATOR, "restore a dataset")
        try:
            return Moved(repo_id=restore_dataset(data_dir, trash_id), trash_id="")
        except DatasetNotFoundError as error:
            raise ApiError(
                404, "not_found", str(error), hint="/api/datasets/trash lists it."
            ) from error
        except DatasetTakenError as error:
            raise ApiError(409, "taken", str(error)) from error

    @router.post("/import-preview", summary="Preview an import", responses=responses())
    def preview_import(body: ParamsBody, user: Caller) -> ImportPreview:
        """What an import with these params would bring in; writes and downloads nothing."""
        user.require(importing_params.role(body.params), "look into a folder of the server")
        try:
            importing_params.check(body.params, data_dir)
            wanted = read_import_params(body.params, data_dir)
            if wanted.hub:
                raise ImportParamsError(
                    f"{wanted.repo_id} is on the Hub: what is in it is known once it is downloaded"
                )
            with database.read() as db:
                plan = make_import_plan(db, data_dir, wanted)
        except (ImportParamsError, DatasetFolderError, OSError, KeyError, ValueError) as error:
            raise ApiError(422, "params", str(error)) from error
        return ImportPreview.model_validate(plan.summary())

    @router.post("/push-preview", summary="Preview a push", responses=responses())
    def preview_push(body: ParamsBody) -> PushPreview:
        """What a push with these params would upload, and where; asks nobody outside."""
        try:
            plan = make_push_plan(read_push_params(body.params, data_dir))
        except PushParamsError as error:
            raise ApiError(422, "params", str(error)) from error
        return PushPreview(**plan.summary(), has_token=push_params.has_token())

    @router.get("/{owner}/{name}", summary="Show a dataset", responses=responses(404))
    def show(owner: str, name: str) -> DatasetDetail:
        """One dataset, its lineage and its manifest."""
        found = _found(data_dir, f"{owner}/{name}")
        return DatasetDetail(dataset=with_lineage([found])[0], manifest=read_manifest(found))

    @router.post(
        "/{owner}/{name}/trash", summary="Move to the trash", responses=responses(404, 409)
    )
    def trash(owner: str, name: str, user: Caller) -> Moved:
        """Move a dataset to the trash, from where it can be restored."""
        user.require(Role.OPERATOR, "move a dataset to the trash")
        repo_id = _found(data_dir, f"{owner}/{name}").repo_id
        with database.read() as db:
            over = [state.value for state in JobState if state.is_over]
            active = db.scalars(select(JobRow).where(JobRow.state.not_in(over))).all()
        busy = [job for job in active if repo_id in _datasets_of(job)]
        if busy:
            raise ApiError(
                409,
                "busy",
                f"{repo_id} is in use by a {busy[0].kind} job",
                hint="Wait for its end, or cancel it.",
            )
        return Moved(repo_id=repo_id, trash_id=trash_dataset(data_dir, repo_id, now_s=wall_s()))

    return router


def _found(data_dir: Path, repo_id: str) -> FoundDataset:
    try:
        return find_dataset(data_dir, repo_id)
    except DatasetNotFoundError as error:
        raise ApiError(404, "not_found", str(error), hint=NOT_THERE) from error


def _by_dataset(jobs: Iterable[JobRow]) -> dict[str, list[JobRow]]:
    found: dict[str, list[JobRow]] = defaultdict(list)
    for job in jobs:
        for repo_id in _datasets_of(job):
            found[repo_id].append(job)
    return found


def _datasets_of(job: JobRow) -> set[str]:
    """Names of the datasets that a job was told of."""
    if job.kind == JobKind.TRAIN:
        sources = job.params.get("sources") or []
        return {s["repo_id"] for s in sources if isinstance(s, dict) and s.get("repo_id")}
    return {str(job.params["repo_id"])} if job.params.get("repo_id") else set()


def _lineage(jobs: Sequence[JobRow], origin: JobRow | None) -> dict[str, object]:
    done = [Job.of(job) for job in jobs if job.state == JobState.DONE]
    of_kind = {kind: [job for job in done if job.kind is kind] for kind in LINEAGE_KINDS}
    checks = of_kind[JobKind.HEALTH]
    return {
        "origin": Job.of(origin) if origin is not None else None,
        "health": checks[0] if checks else None,
        "imports": [j for j in of_kind[JobKind.IMPORT] if "path" not in j.params],
        "trainings": [Job.of(j) for j in jobs if j.kind == JobKind.TRAIN],
        "pushes": of_kind[JobKind.PUSH],
    }
