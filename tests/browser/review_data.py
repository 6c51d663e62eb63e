"""Many recorded episodes from one drawing, for tests and measurements of the Review page.

One take is drawn and recorded as always; the others share its videos and steps as hard links and
have their own ids, outcomes and times. A critic's scores are written beside them.
"""

import json
import os
import random
import uuid
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from sqlalchemy import select

from backend.db.engine import Database
from backend.db.models import CheckpointRow, EpisodeRow, ScoreRow
from backend.domain import Driver, EndReason, Outcome
from backend.episodes.labels import LabelsInForce
from backend.episodes.scores import EpisodeScores, write_scores
from backend.review.rows import follow_labels
from tests.browser.drawn_take import CAMERAS, DrawnTake, Scene

TASK = "Touch the red cube"
FIRST_STARTED_S = 1_790_000_000.0


def drawn_episode(episodes_dir: Path, *, num_steps: int, fps: float, human: range) -> Path:
    """Record one take in which a person drives the steps of `human`; return its folder."""
    take = DrawnTake(
        episodes_dir, session_id="s1", number=1, robot="so101_sim_touch", task=TASK, fps=fps
    )
    scene = Scene()
    for step in range(num_steps):
        driver = Driver.HUMAN if step in human else Driver.POLICY
        scene.move(driver, ["ArrowRight"])
        take.add(driver, scene.state, [scene.picture(camera) for camera in range(len(CAMERAS))])
    take.finish(EndReason.TIMEOUT, Outcome.NONE, command_id="c1", author="")
    return episodes_dir / take.header.id


def copies(folder: Path, outcomes: Sequence[Outcome]) -> list[str]:
    """Make an episode for each outcome beside `folder`, oldest first; return their ids.

    The ids are the same in every run.
    """
    rng = random.Random(7)
    header = json.loads((folder / "header.json").read_text("utf-8"))
    final = json.loads((folder / "episode.json").read_text("utf-8"))
    ids = []
    for number, outcome in enumerate(outcomes, start=2):
        id = str(uuid.UUID(int=rng.getrandbits(128), version=4))
        copy = folder.parent / id
        copy.mkdir()
        for file in [*folder.glob("*.mp4"), folder / "steps.arrow"]:
            os.link(file, copy / file.name)
        facts = {"id": id, "number": number, "started_s": FIRST_STARTED_S + 60 * number}
        end = {
            "outcome": outcome.value,
            "end_reason": "timeout" if outcome is Outcome.NONE else outcome.value,
            "command_id": f"command {number}",
            "ended_s": FIRST_STARTED_S + 60 * number + 20,
            "author": "Ana",
        }
        (copy / "header.json").write_text(json.dumps(header | facts), "utf-8")
        whole = {"header": final["header"] | facts, "end": final["end"] | end}
        (copy / "episode.json").write_text(json.dumps(whole), "utf-8")
        ids.append(id)
    return ids


def make_checkpoint_row(database: Database, checkpoint_id: str) -> None:
    """Note a checkpoint; it has no weights."""
    with database.write() as db:
        db.add(
            CheckpointRow(
                id=checkpoint_id,
                job_id=None,
                parent_id=None,
                step=int(checkpoint_id.split("/")[1]),
                created_s=FIRST_STARTED_S,
                size_bytes=0,
                label_revision=0,
                probes={},
                promoted_s=None,
            )
        )


def score(
    database: Database,
    data_dir: Path,
    checkpoint_id: str,
    hopes: dict[str, float],
    *,
    created_s: float = FIRST_STARTED_S,
) -> None:
    """Score episodes: values climb, fall in the middle, and end at `hopes` - 1."""
    chosen = select(EpisodeRow).where(EpisodeRow.id.in_(hopes))
    with database.read() as db:
        rows = db.scalars(chosen).all()
    values = {row.id: _values(row.num_steps, hopes[row.id]) for row in rows}
    for row in rows:
        value = values[row.id]
        advantage = np.gradient(value).astype(np.float32)
        write_scores(
            data_dir,
            EpisodeScores(
                checkpoint_id=checkpoint_id,
                episode_id=row.id,
                value=value,
                spread=np.full(len(value), 0.05, np.float32),
                advantage=advantage,
                word=np.where(advantage > 0, "positive", "negative"),
                label_revision=row.label_revision,
                outcome=Outcome(row.outcome),
                value_range=(-1.0, 0.0),
                thresholds={row.task: 0.0},
                has_own_thresholds=True,
                created_s=created_s,
            ),
        )
    with database.write() as db:
        scores: dict[str, list[ScoreRow]] = {id: [] for id in hopes}
        for known in db.scalars(select(ScoreRow).where(ScoreRow.episode_id.in_(hopes))):
            scores[known.episode_id].append(known)
        for row in db.scalars(chosen):
            value = values[row.id]
            scores[row.id].append(
                ScoreRow(
                    checkpoint_id=checkpoint_id,
                    episode_id=row.id,
                    created_s=created_s,
                    mean_value=float(value.mean()),
                    last_value=float(value[-1]),
                    max_value=float(value.max()),
                    lowest=-1.0,
                    highest=0.0,
                )
            )
            db.add(scores[row.id][-1])
            # Nothing but an outcome was said of any of them.
            labels = LabelsInForce(outcome=Outcome(row.outcome))
            follow_labels(row, labels, row.label_revision, scores[row.id])


def _values(num_steps: int, hope: float) -> np.ndarray:
    """float32 [num_steps]"""
    share = np.linspace(0, 1, num_steps)
    dip = 0.5 * np.exp(-(((share - 0.5) / 0.06) ** 2))
    value: np.ndarray = np.clip(-0.9 + (hope - 0.1) * share - dip, -1, 0).astype(np.float32)
    return value
