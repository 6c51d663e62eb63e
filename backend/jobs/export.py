"""Job `export`: episodes with the labels in force become a LeRobot v3 dataset, with proof.

The dataset is written aside, read back with LeRobot's own loader and compared with the episodes,
and only then renamed into `datasets/<repo_id>`. A dataset it replaces is kept until that moment.
`manifest.json` in it says which episodes are in it, which are not and why, and what labels it saw.
"""

import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any

from backend.db.engine import open_database
from backend.episodes.files import write_json
from backend.jobs.child import JobChild, JobFailedError, run_child
from backend.jobs.export_params import (
    ExportParamsError,
    aside_path,
    dataset_path,
    put_into_place,
    read_params,
    remove_leftovers,
)
from backend.jobs.export_plan import ExportPlan, make_plan

MANIFEST_FILE = "manifest.json"
# Tables and metadata come on top of the copied videos.
SPARE_BYTES = 64 * 1024 * 1024


def export(child: JobChild) -> dict[str, Any]:
    """Carry out the orders; return the manifest.

    Raises:
        JobFailedError: The orders cannot be obeyed, or the dataset failed its check.
    """
    child.report(0.0, "choosing episodes")
    plan = _plan(child)
    final = dataset_path(child.data_dir, plan.params.repo_id)
    aside = aside_path(child.data_dir, child.job_id, "new")
    remove_leftovers(child.data_dir, child.job_id)
    aside.parent.mkdir(parents=True, exist_ok=True)
    _check_disk(aside.parent, plan.num_bytes)
    try:
        _write(child, plan, aside)
        manifest = _manifest(child, plan, aside)
        write_json(aside / MANIFEST_FILE, manifest)
        child.report(0.99, "putting it into place")
        put_into_place(aside, final, job_id=child.job_id)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    child.report(1.0, f"{manifest['episodes']} episodes, {manifest['frames']} frames")
    return manifest


def _plan(child: JobChild) -> ExportPlan:
    database = open_database(child.database_url)
    try:
        with database.read() as db:
            plan = make_plan(db, child.data_dir, read_params(child.params))
    except ExportParamsError as error:
        raise JobFailedError(str(error)) from error
    finally:
        database.close()
    if not plan.episodes:
        reasons = "; ".join(f"{id} {why}" for id, why in list(plan.skipped.items())[:3])
        raise JobFailedError(
            "there is no episode to export"
            + (f" ({reasons})" if reasons else ": record one, or widen the filter")
        )
    final = dataset_path(child.data_dir, plan.params.repo_id)
    if final.exists() and not plan.params.overwrite:
        raise JobFailedError(
            f"dataset {plan.params.repo_id} exists already: choose another name, or say "
            '"overwrite": true to replace it'
        )
    return plan


def _write(child: JobChild, plan: ExportPlan, aside: Path) -> None:
    child.report(0.02, "loading LeRobot")
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["HF_DATASETS_DISABLE_PROGRESS_BARS"] = "1"
    # Here, because it takes ten seconds: orders that cannot be obeyed fail at once.
    from backend.episodes.lerobot_check import DatasetCheckError, check_dataset  # noqa: PLC0415
    from backend.episodes.lerobot_io import EpisodeToWrite, write_dataset  # noqa: PLC0415

    episodes = [
        EpisodeToWrite(
            folder=planned.folder,
            header=planned.header,
            outcome=planned.labels.outcome,
            num_steps=planned.num_steps,
            num_recorded=planned.num_recorded,
            ranges=planned.labels.ranges,
        )
        for planned in plan.episodes
    ]
    count = len(episodes)
    repo_id, columns = plan.params.repo_id, plan.columns
    child.report(0.1, "copying videos")
    write_dataset(
        aside,
        repo_id,
        episodes,
        columns=columns,
        on_episode=lambda n: child.report(0.1 + 0.5 * n / count, f"wrote {n} of {count} episodes"),
    )
    try:
        check_dataset(
            aside,
            repo_id,
            episodes,
            columns=columns,
            on_episode=lambda n: child.report(
                0.6 + 0.38 * n / count, f"verified {n} of {count} episodes"
            ),
        )
    except DatasetCheckError as error:
        raise JobFailedError(
            f"the dataset was written and failed its check, so it was not kept: {error}"
        ) from error


def _manifest(child: JobChild, plan: ExportPlan, aside: Path) -> dict[str, Any]:
    return {
        **plan.summary(),
        "path": str(dataset_path(child.data_dir, plan.params.repo_id)),
        "job_id": child.job_id,
        "created_s": time.time(),
        "size_bytes": sum(f.stat().st_size for f in aside.rglob("*") if f.is_file()),
        "verified": True,
        # In the order of `episode_index`.
        "episode_ids": [planned.header.id for planned in plan.episodes],
        "episode_outcomes": [planned.labels.outcome.value for planned in plan.episodes],
        "episode_ranges": [
            [each.to_dict() for each in planned.labels.ranges] for planned in plan.episodes
        ],
        # Recorded steps that are left out, because people moved the end to the success.
        "episode_steps_behind": [
            planned.num_recorded - planned.num_steps for planned in plan.episodes
        ],
    }


def _check_disk(folder: Path, num_bytes: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < num_bytes + SPARE_BYTES:
        raise JobFailedError(
            f"the dataset needs about {(num_bytes + SPARE_BYTES) / 1e9:.1f} GB and the disk of "
            f"{folder} has {free / 1e9:.1f} GB left: free some, or export fewer episodes"
        )


if __name__ == "__main__":
    sys.exit(run_child(export))
