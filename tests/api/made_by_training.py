"""What training, scoring and video jobs leave behind, put there by hand and in no time."""

import json
from pathlib import Path

import numpy as np

from backend.db.models import CheckpointRow, JobRow
from backend.domain import Outcome
from backend.episodes.scores import EpisodeScores, write_scores
from backend.jobs.video_params import critic_video_path
from backend.review import record_score


def make_checkpoint(server, id="touch/000500", **changes):
    """Folder and row of a checkpoint; its weights are a few bytes."""
    folder = server.backend.settings.data_dir / "checkpoints" / id
    (folder / "pretrained_model").mkdir(parents=True)
    (folder / "pretrained_model" / "model.safetensors").write_bytes(b"weights")
    fields = {
        "id": id,
        "job_id": None,
        "parent_id": None,
        "step": int(folder.name),
        "created_s": 1_000.0 + int(folder.name),
        "size_bytes": 7,
        "label_revision": 3,
        "probes": {"probe/auc": 0.9},
        "promoted_s": None,
    }
    with server.backend.database.write() as db:
        db.add(CheckpointRow(**{**fields, **changes}))
    return folder


def make_train_job(server, id="job1", **changes):
    """The row of a finished training."""
    fields = {
        "id": id,
        "kind": "train",
        "params": {"preset": "debug"},
        "state": "done",
        "progress": 1.0,
        "message": "",
        "command": ["python", "-m", "backend.jobs.train"],
        "author": "Ana",
        "label_revision": 3,
        "created_s": 900.0,
        "started_s": 901.0,
        "ended_s": 999.0,
        "pid": None,
        "pid_started_s": None,
        "inbox_offset": 0,
        "result": {},
    }
    with server.backend.database.write() as db:
        db.add(JobRow(**{**fields, **changes}))
    folder = server.backend.settings.data_dir / "jobs" / id
    folder.mkdir(parents=True)
    return folder


def make_scores(server, episode_id, checkpoint_id, values, *, spread=np.nan, created_s=2_000.0):
    """File and row of one scored episode."""
    value = np.asarray(values, dtype=np.float32)
    write_scores(
        server.backend.settings.data_dir,
        EpisodeScores(
            checkpoint_id=checkpoint_id,
            episode_id=episode_id,
            value=value,
            spread=np.full(len(value), spread, np.float32),
            advantage=np.linspace(-0.1, 0.1, len(value)).astype(np.float32),
            word=np.array(["negative"] * (len(value) - 1) + ["positive"]),
            label_revision=1,
            outcome=Outcome.SUCCESS,
            value_range=(-1.0, 0.0),
            thresholds={"Touch the red cube": 0.05},
            has_own_thresholds=True,
            created_s=created_s,
        ),
    )
    with server.backend.database.write() as db:
        record_score(
            db,
            checkpoint_id=checkpoint_id,
            episode_id=episode_id,
            created_s=created_s,
            mean_value=float(value.mean()),
            last_value=float(value[-1]),
            max_value=float(value.max()),
            lowest=-1.0,
            highest=0.0,
        )


def make_video(data_dir: Path, episode_id, checkpoint_id, *, content=b"a video", **shows):
    """A file where a critic video belongs, and the note beside it."""
    path = critic_video_path(data_dir, checkpoint_id, episode_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.with_suffix(".json").write_text(json.dumps(shows))
    return path
