"""`/api/training`: what a training can be made of, and what one would do before it is started.

The training itself is a job: `POST /api/jobs {"kind": "train", "params": …}`.
"""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fastapi import APIRouter
from sqlalchemy.orm import Session

from backend.api.advantage_histogram import advantages_of
from backend.api.checkpoint_replies import SourceCounts
from backend.api.config_fields import config_fields, presets
from backend.api.errors import ApiError, NotFoundError, responses
from backend.api.job_replies import Skipped
from backend.api.training_replies import (
    Advantages,
    PresetList,
    PreviewBody,
    TrainingPreview,
    TrainingSource,
    TrainingSourceList,
)
from backend.db.engine import Database
from backend.db.models import JobRow
from backend.db.queries import EpisodeFilter, newest_label_revision
from backend.episodes.lerobot_folder import DatasetFolderError, LeRobotFolder
from backend.jobs import train_params
from backend.jobs.export_params import DATASETS_DIR
from backend.jobs.label_file import LABELS_FILE, read_label_table
from backend.jobs.runner import JobRunner
from backend.jobs.train_config import TrainParamsError
from backend.jobs.train_params import DatasetSource, StoreSource, TrainParams
from backend.jobs.train_plan import TrainPlan, make_train_plan, recorded_episodes
from backend.learning.config_files import config_to_dict


def training_router(database: Database, data_dir: Path, runner: JobRunner) -> APIRouter:
    router = APIRouter(prefix="/api", tags=["training"])

    @router.get("/training/presets", summary="List presets", responses=responses())
    def list_presets() -> PresetList:
        """The learner configs of `configs/learners`, and what each field means."""
        items = presets()
        return PresetList(items=items, fields=config_fields(), total=len(items))

    @router.get("/training/sources", summary="List what can be learned from", responses=responses())
    def list_sources() -> TrainingSourceList:
        """The recorded episodes and the datasets in the data directory, by outcome."""
        with database.read() as db:
            recorded = _recorded(db)
        root = data_dir / DATASETS_DIR
        folders = sorted(info.parents[1] for info in root.glob("*/*/meta/info.json"))
        # Exports under way are hidden folders.
        shown = [folder for folder in folders if not folder.name.startswith(".")]
        items = [recorded, *(_dataset(folder, root) for folder in shown)]
        return TrainingSourceList(items=items, total=len(items))

    @router.post("/training/preview", summary="Preview a training", responses=responses())
    def preview(body: PreviewBody) -> TrainingPreview:
        """Successes and failures by source, warnings, and the whole config; starts nothing."""
        try:
            params = train_params.read_train_params(body.params, data_dir)
        except TrainParamsError as error:
            raise ApiError(422, "params", str(error)) from error
        with database.read() as db:
            return _preview(db, body.params, params, data_dir)

    @router.get(
        "/jobs/{job_id}/advantages",
        summary="Read a training's advantages",
        responses=responses(404, 409),
    )
    def read_advantages(job_id: str) -> Advantages:
        """Histogram, word edges and value calibration of its newest labelling."""
        with database.read() as db:
            known = db.get(JobRow, job_id) is not None
        if not known:
            raise NotFoundError("job", job_id, hint="/api/jobs lists what there is.")
        try:
            return advantages_of(read_label_table(runner.folder(job_id) / LABELS_FILE))
        except FileNotFoundError as error:
            raise ApiError(
                409,
                "not_labelled",
                f"job {job_id} has labelled nothing yet",
                hint="A training labels when its critic's stage is through.",
            ) from error

    return router


def _recorded(db: Session) -> TrainingSource:
    everything = StoreSource(wanted=EpisodeFilter(), share=None)
    episodes = recorded_episodes(db, 0, everything, {})
    return TrainingSource(
        kind="store",
        outcomes=dict(Counter(episode.outcome.value for episode in episodes)),
        num_steps=sum(episode.num_steps for episode in episodes),
    )


def _dataset(folder: Path, root: Path) -> TrainingSource:
    repo_id = folder.relative_to(root).as_posix()
    try:
        episodes = LeRobotFolder(folder).episodes
    except (DatasetFolderError, ValueError, OSError, KeyError) as error:
        return TrainingSource(kind="dataset", repo_id=repo_id, outcomes={}, problem=str(error))
    return TrainingSource(
        kind="dataset",
        repo_id=repo_id,
        outcomes=dict(Counter(episode.outcome.value for episode in episodes)),
        num_steps=sum(episode.num_steps for episode in episodes),
    )


def _preview(
    db: Session, given: Mapping[str, Any], params: TrainParams, data_dir: Path
) -> TrainingPreview:
    afar = [s.repo_id for s in params.sources if isinstance(s, DatasetSource) and s.root is None]
    at_hand = [s for s in params.sources if s.name not in afar]
    plan: TrainPlan | None = None
    problem = ""
    try:
        train_params.check(given, data_dir)
        if at_hand:
            plan = make_train_plan(db, at_hand, roots={})
    except (TrainParamsError, DatasetFolderError) as error:
        problem = str(error)
    learns = params.config.critic.learn_from == "monte_carlo"
    summary = plan.summary(learns_from_returns=learns) if plan else {}
    return TrainingPreview(
        problem=problem,
        config=config_to_dict(params.config),
        total_steps=params.config.schedule.total_steps,
        run=params.run or "",
        needs_hub=params.needs_hub,
        sources=[SourceCounts.model_validate(source) for source in summary.get("sources", [])],
        not_counted=afar,
        episodes=summary.get("episodes", 0),
        steps=summary.get("steps", 0),
        warnings=summary.get("warnings", []),
        skipped=[Skipped.model_validate(one) for one in summary.get("skipped", [])],
        label_revision=summary.get("label_revision", newest_label_revision(db)),
    )
