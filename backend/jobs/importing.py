"""Job `import`: a LeRobot v3 dataset becomes episodes of the store.

Steps, pictures, tasks, who drove and how it ended are kept; the outcome becomes a label event with
the source `import`, so people can correct it like any other. Each episode is in the store as soon
as it is whole: an import that is cancelled or killed keeps what it has, and the next one goes on
from there. A dataset on the Hub is downloaded into `datasets/` first, for who asked for that.
"""

import sys
import uuid
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.db.engine import open_database
from backend.db.models import DatasetRow, JobRow
from backend.domain import EndReason, Outcome
from backend.episodes.format import EPISODES_DIR, CameraSize, EpisodeEnd, EpisodeHeader
from backend.episodes.frames import FramesError
from backend.episodes.imported import (
    IMPORTED_POLICY,
    ImportedEpisode,
    camera_size,
    write_imported,
)
from backend.episodes.labels import LabelKind
from backend.episodes.lerobot_folder import DatasetFolderError
from backend.intake import ingest_finished
from backend.jobs.child import JobChild, JobFailedError, run_child
from backend.jobs.hub_download import DOWNLOAD_SHARE, download
from backend.jobs.importing_params import INFO_FILE, ImportParamsError, read_import_params
from backend.jobs.importing_plan import ImportPlan, PlannedImport, make_import_plan
from backend.review import add_label

# Seconds between two episodes of a dataset, which does not know when they were recorded.
PAUSE_S = 1.0


def import_dataset(child: JobChild) -> dict[str, Any]:
    """Carry out the orders; return what came in.

    Raises:
        JobFailedError: The orders cannot be obeyed, or nothing of the dataset can be read.
    """
    try:
        params = read_import_params(child.params, child.data_dir)
    except ImportParamsError as error:
        raise JobFailedError(str(error)) from error
    # A job that goes on may have downloaded it before.
    if params.hub and not (params.root / INFO_FILE).is_file():
        download(child, params.repo_id, params.root)
    begin = DOWNLOAD_SHARE if params.hub else 0.0
    child.report(begin, "reading the tables")
    database = open_database(child.database_url)
    try:
        with database.read() as db:
            plan = make_import_plan(db, child.data_dir, params)
    except (DatasetFolderError, OSError, KeyError, ValueError) as error:
        raise JobFailedError(f"{params.repo_id} cannot be read: {error}") from error
    finally:
        database.close()
    return _bring_in(child, plan, begin)


def _bring_in(child: JobChild, plan: ImportPlan, begin: float) -> dict[str, Any]:
    episodes_dir = child.data_dir / EPISODES_DIR
    imported: list[str] = []
    failed: dict[int, str] = {}
    copied = 0
    count = len(plan.episodes)
    for number, planned in enumerate(plan.episodes, start=1):
        try:
            episode = _episode(plan, planned)
            copied += write_imported(episodes_dir, episode, owner=child.job_id)
        except (FramesError, ValueError, FileExistsError) as error:
            failed[planned.index] = str(error)
        else:
            imported.append(planned.id)
            subtasks = _runs(plan.folder.subtasks(planned.index))
            child.announce(imported=str(episodes_dir / planned.id), subtasks=subtasks)
        share = begin + (0.99 - begin) * number / count
        child.report(share, f"{number} of {count} episodes")
    if failed and not imported:
        index, why = next(iter(failed.items()))
        raise JobFailedError(f"no episode could be imported; episode {index}: {why}")
    left_out = {**plan.skipped, **failed}
    message = f"{len(imported)} episodes imported"
    child.report(1.0, f"{message}, {len(left_out)} left out" if left_out else message)
    by_id = {planned.id: planned for planned in plan.episodes}
    return {
        **plan.summary(),
        "episodes": len(imported),
        "frames": sum(by_id[id].num_steps for id in imported),
        "episode_ids": imported,
        "videos_copied": copied,
        "videos_encoded_again": len(imported) * len(plan.folder.cameras) - copied,
        "skipped": [{"index": index, "reason": why} for index, why in sorted(left_out.items())],
        "size_bytes": sum(f.stat().st_size for f in plan.params.root.rglob("*") if f.is_file()),
        "downloaded": plan.params.hub,
        "dataset_episodes": len(plan.folder.episodes),
        "dataset_frames": sum(episode.num_steps for episode in plan.folder.episodes),
    }


def _episode(plan: ImportPlan, planned: PlannedImport) -> ImportedEpisode:
    folder, index = plan.folder, planned.index
    pictures = {camera: folder.pictures(index, camera) for camera in folder.cameras}
    sizes = {camera: camera_size(where) for camera, where in pictures.items()}
    # The dataset's age stands for the recording's, and keeps its episodes in order.
    before = sum(e.num_steps for e in folder.episodes if e.index < index) / folder.fps
    began_s = (folder.root / INFO_FILE).stat().st_mtime + before + PAUSE_S * index
    is_human = folder.is_human(index)
    if plan.counts_as_human:
        is_human[:] = True
    robot_type = folder.robot_type or "unknown"
    header = EpisodeHeader(
        id=planned.id,
        session_id=str(uuid.uuid5(uuid.NAMESPACE_URL, plan.params.repo_id)),
        number=index + 1,
        robot=robot_type,
        robot_type=robot_type,
        task=planned.task,
        fps=folder.fps,
        state_names=folder.state_names,
        action_names=folder.action_names,
        cameras={name: CameraSize(width=w, height=h) for name, (w, h) in sizes.items()},
        policy=IMPORTED_POLICY,
        checkpoint_id=None,
        started_s=began_s,
        # Whence it comes: the page finds it by that.
        operator=plan.params.repo_id,
    )
    end = EpisodeEnd(
        end_reason=_end_reason(planned.outcome),
        outcome=planned.outcome,
        ended_s=began_s + planned.num_steps / folder.fps,
        num_steps=planned.num_steps,
        num_human_steps=planned.num_human_steps,
        author=plan.params.repo_id,
    )
    return ImportedEpisode(
        header=header,
        end=end,
        state=folder.states(index),
        action=folder.actions(index),
        is_human=is_human,
        pictures=pictures,
    )


def _end_reason(outcome: Outcome) -> EndReason:
    return EndReason.TIMEOUT if outcome is Outcome.NONE else EndReason(outcome.value)


def _runs(texts: Sequence[str]) -> list[tuple[int, int, str]]:
    """First step, step behind the last, and text of each stretch with the same subtask."""
    runs = []
    for text, steps in groupby(range(len(texts)), key=texts.__getitem__):
        first, *others = steps
        if text:
            runs.append((first, first + len(others) + 1, text))
    return runs


def take_news(db: Session, _job: JobRow, news: Mapping[str, Any]) -> None:
    """Take in an episode that is whole, with the subtasks that its dataset names."""
    if "imported" not in news:
        return
    row = ingest_finished(db, Path(news["imported"]))
    for start_step, end_step, text in news["subtasks"]:
        add_label(
            db,
            episode_id=row.id,
            kind=LabelKind.SUBTASK,
            new={"text": text},
            author=row.operator,
            source="import",
            created_s=row.ended_s or row.started_s,
            event_id=f"{row.id}:subtask:{start_step}",
            start_step=start_step,
            end_step=end_step,
        )


def record(db: Session, job: JobRow) -> None:
    """Enter a downloaded dataset into the table of datasets."""
    result = job.result
    if not result["downloaded"]:
        return
    row = db.scalars(select(DatasetRow).where(DatasetRow.repo_id == result["repo_id"])).first()
    if row is None:
        row = DatasetRow(id=uuid.uuid4().hex, repo_id=result["repo_id"])
        db.add(row)
    row.job_id = job.id
    row.created_s = job.started_s or job.created_s
    row.num_episodes = result["dataset_episodes"]
    row.num_frames = result["dataset_frames"]
    row.size_bytes = result["size_bytes"]
    row.label_revision = 0
    row.manifest = result


if __name__ == "__main__":
    sys.exit(run_child(import_dataset))
