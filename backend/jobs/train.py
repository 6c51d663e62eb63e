"""Job `train`: the offline learner, from recorded episodes and LeRobot datasets to checkpoints.

    python -m backend.jobs.train --data-dir DIR --job-id ID

The runner starts it, with Accelerate's launcher in front when several processes were asked for
(`train_params.launcher`). What the run learns from is decided once and kept as `plan.json` in the
job's folder, so a resumed job goes on from its last checkpoint with the same episodes and labels.

Orders that cannot be obeyed fail here, before torch is imported; the run itself is `train_run.py`.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

from backend.db.engine import open_database
from backend.episodes.files import write_json
from backend.episodes.lerobot_folder import DatasetFolderError
from backend.jobs.child import JobChild, JobFailedError, run_child
from backend.jobs.train_claim import claim_run, dataset_roots
from backend.jobs.train_config import TrainParamsError
from backend.jobs.train_params import TrainParams, read_train_params
from backend.jobs.train_plan import TrainPlan, make_train_plan
from backend.learning.config_files import config_to_dict

PLAN_FILE = "plan.json"


def train(child: JobChild) -> dict[str, Any]:
    """Carry out the orders; return what was made.

    Raises:
        JobFailedError: They cannot be obeyed, or the run diverged.
        JobCancelledError: After a checkpoint was written.
    """
    first = _rank() == 0
    try:
        params = read_train_params(child.params, child.data_dir)
    except TrainParamsError as error:
        raise JobFailedError(str(error)) from error
    if not params.needs_hub:
        os.environ["HF_HUB_OFFLINE"] = "1"
    run = params.run or f"{params.preset}-{child.job_id[:8]}"
    if first:
        child.report(0.0, "choosing episodes")
        plan = _plan(child, params)
        claim_run(child, params, plan, run=run)
        learns = params.config.critic.learn_from == "monte_carlo"
        summary = plan.summary(learns_from_returns=learns)
        for warning in summary["warnings"]:
            _log(f"warning: {warning}")
        child.announce(begun={"run": run, "config": config_to_dict(params.config), "plan": summary})
        child.report(0.0, "loading torch")
    # Here, because it takes ten seconds: orders that cannot be obeyed fail at once.
    from backend.jobs.ranks import Ranks  # noqa: PLC0415
    from backend.jobs.train_run import TrainingRun  # noqa: PLC0415

    ranks = Ranks(params.device)
    try:
        ranks.wait()
        plan = read_plan(child.folder)
        return TrainingRun(child, params, plan, run=run, ranks=ranks).carry_out()
    finally:
        ranks.close()


def read_plan(folder: Path) -> TrainPlan:
    """What the run of this job's folder learns from."""
    return TrainPlan.from_dict(json.loads((folder / PLAN_FILE).read_text(encoding="utf-8")))


def _plan(child: JobChild, params: TrainParams) -> TrainPlan:
    """The plan that was made when the job first began, else a new one."""
    if (child.folder / PLAN_FILE).is_file():
        return read_plan(child.folder)
    try:
        roots = dataset_roots(child, params.sources)
        database = open_database(child.database_url)
        try:
            with database.read() as db:
                plan = make_train_plan(db, params.sources, roots=roots)
        finally:
            database.close()
    except (TrainParamsError, DatasetFolderError) as error:
        raise JobFailedError(str(error)) from error
    write_json(child.folder / PLAN_FILE, plan.to_dict())
    return plan


def _rank() -> int:
    return int(os.environ.get("RANK", "0"))


def _log(text: str) -> None:
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    sys.exit(run_child(train, mute=_rank() != 0))
