"""What a training needs before it begins: a folder of its own, and datasets on this disk."""

import json
from collections.abc import Sequence
from pathlib import Path

from backend.checkpoints import CHECKPOINTS_DIR, RUN_FILE
from backend.episodes.files import write_json
from backend.jobs.child import JobChild, JobFailedError
from backend.jobs.train_params import DatasetSource, Source, TrainParams
from backend.jobs.train_plan import TrainPlan
from backend.learning.config_files import config_to_dict


def claim_run(child: JobChild, params: TrainParams, plan: TrainPlan | None, *, run: str) -> None:
    """Make the run's folder, or find that it is this job's own.

    Args:
        child: Whose run.
        params: What was asked for.
        plan: What is learned from; None where that changes while the run goes on.
        run: Its name.

    Raises:
        JobFailedError: Another job made it.
    """
    folder = child.data_dir / CHECKPOINTS_DIR / run
    if (folder / RUN_FILE).is_file():
        owner = json.loads((folder / RUN_FILE).read_text(encoding="utf-8")).get("job_id")
        if owner != child.job_id:
            raise JobFailedError(
                f"run {run} was made by job {owner}: choose another name, or resume that job"
            )
        return
    if folder.exists():
        raise JobFailedError(f"run {run} exists already: choose another name")
    folder.mkdir(parents=True)
    write_json(
        folder / RUN_FILE,
        {
            "job_id": child.job_id,
            "parent_id": params.parent_id,
            "preset": params.preset,
            "label_revision": 0 if plan is None else plan.label_revision,
            "episode_ids": [] if plan is None else [episode.id for episode in plan.episodes],
            "config": config_to_dict(params.config),
        },
    )


def dataset_roots(child: JobChild, sources: Sequence[Source]) -> dict[str, Path]:
    """Fetch the datasets that the user named by their Hub ids; return where they are.

    Raises:
        JobFailedError: One cannot be had.
    """
    return {
        source.repo_id: _download(child, source.repo_id)
        for source in sources
        if isinstance(source, DatasetSource) and source.root is None
    }


def _download(child: JobChild, repo_id: str) -> Path:
    """Fetch a dataset that the user named by its Hub id."""
    from huggingface_hub import snapshot_download  # noqa: PLC0415 - for who asked for it only

    child.report(0.0, f"downloading {repo_id}")
    try:
        return Path(snapshot_download(repo_id, repo_type="dataset"))
    except Exception as error:  # the Hub's client raises many kinds
        raise JobFailedError(
            f"dataset {repo_id} is neither in the data directory nor can it be had from the Hub: "
            f"{error}"
        ) from error
