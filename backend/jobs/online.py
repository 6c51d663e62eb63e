"""Job `online`: learns from episodes as they are recorded, and publishes weights for the robot.

    python -m backend.jobs.online --data-dir DIR --job-id ID

A job like `train`, with a run of its own below `checkpoints`; it goes on until it is stopped. What
it learns from is not decided once: `online_plan.py` looks again and again. A job that was killed or
stopped is resumed from its last checkpoint and catches up with what was recorded meanwhile.

Orders that cannot be obeyed fail here, before torch is imported; the run itself is `online_run.py`.
"""

import os
import sys
from typing import Any

from backend.db.engine import Database, open_database
from backend.db.models import JobRow
from backend.episodes.frames import FrameCache, free_bytes
from backend.episodes.lerobot_folder import DatasetFolderError
from backend.jobs.child import JobChild, JobFailedError, run_child
from backend.jobs.online_buffer import OnlineBuffer
from backend.jobs.online_params import OnlineParams, read_online_params
from backend.jobs.online_plan import OnlinePlanner
from backend.jobs.train_claim import claim_run, dataset_roots
from backend.jobs.train_config import TrainParamsError
from backend.jobs.train_data import EpisodeLoader
from backend.learning.config_files import config_to_dict


def learn_online(child: JobChild) -> dict[str, Any]:
    """Carry out the orders; return what was made.

    Raises:
        JobFailedError: They cannot be obeyed, or the run diverged.
        JobCancelledError: Somebody stopped it.
    """
    try:
        params = read_online_params(child.params, child.data_dir)
    except TrainParamsError as error:
        raise JobFailedError(str(error)) from error
    if not params.train.needs_hub:
        os.environ["HF_HUB_OFFLINE"] = "1"
    run = params.train.run or f"{params.train.preset}-{child.job_id[:8]}"
    claim_run(child, params.train, None, run=run)
    child.announce(begun={"run": run, "config": config_to_dict(params.train.config), "plan": {}})
    database = open_database(child.database_url)
    try:
        planner = OnlinePlanner(
            database,
            params,
            since_s=_ordered_s(child, database),
            roots=dataset_roots(child, params.train.sources),
        )
        return _run(child, params, planner, run)
    except (TrainParamsError, DatasetFolderError) as error:
        raise JobFailedError(str(error)) from error
    finally:
        database.close()


def _run(child: JobChild, params: OnlineParams, planner: OnlinePlanner, run: str) -> dict[str, Any]:
    child.report(0.0, "loading torch")
    # Here, because it takes ten seconds: orders that cannot be obeyed fail at once.
    from backend.jobs.online_run import OnlineRun  # noqa: PLC0415
    from backend.jobs.ranks import Ranks  # noqa: PLC0415
    from backend.learning.pi05_rl.sizes import SIZES  # noqa: PLC0415

    ranks = Ranks(params.train.device)
    cache = FrameCache(child.data_dir, owner=child.job_id, free_bytes=free_bytes)
    size_px = SIZES[params.train.config.model.size].image_size
    loader = EpisodeLoader(child.data_dir, cache, size_px=size_px)
    try:
        return OnlineRun(
            child, params, planner, OnlineBuffer(loader), run=run, device=ranks.device
        ).carry_out()
    finally:
        ranks.close()


def _ordered_s(child: JobChild, database: Database) -> float:
    """When the learner was asked for: what began later is online, also after a resume."""
    with database.read() as db:
        row = db.get(JobRow, child.job_id)
    if row is None:
        raise JobFailedError(f"job {child.job_id} is not in the database: start it from a server")
    return row.created_s


if __name__ == "__main__":
    sys.exit(run_child(learn_online))
