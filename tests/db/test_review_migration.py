"""A database of the first schema, with labels and scores in it, becomes one of today."""

import json

import numpy as np
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, text
from sqlalchemy.exc import IntegrityError

from backend.db.engine import MIGRATIONS, migrate, open_database, sqlite_url
from backend.db.models import EpisodeRow, ScoreRow
from backend.domain import Outcome
from backend.episodes.labels import LabelKind
from backend.episodes.scores import EpisodeScores, write_scores
from backend.review import add_label, complete_scores, current_labels

EPISODE = {
    "number": 1, "state": "finished", "end_reason": "success", "robot": "r", "task": "t",
    "policy": "hold", "operator": "ana", "fps": 10.0, "num_steps": 25, "num_human_steps": 5,
    "started_s": 1.0, "ended_s": 2.0, "outcome": "failure", "label_revision": 0, "cameras": "[]",
    "joints": "[]",
}  # fmt: skip
SAID = [
    ("e1", "outcome", {"outcome": "failure"}, None),
    ("e1", "exclude", {"excluded": True, "reason": "slipped"}, None),
    ("e1", "note", {"note": "odd"}, None),
    ("e1", "note", {"note": "very odd"}, None),
    ("e1", "undo", {}, 4),
    ("e2", "exclude", {"excluded": True, "reason": ""}, None),
    ("e2", "exclude", {"excluded": False, "reason": ""}, None),
]
SCORED = [("a/000001", 1.0, -0.9), ("b/000002", 2.0, -0.2)]


@pytest.fixture
def old(tmp_path):
    """A data directory of the first schema."""
    engine = create_engine(sqlite_url(tmp_path))
    with engine.connect() as connection:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.commit()

        def insert(table, **row):
            names = ", ".join(row)
            values = ", ".join(f":{name}" for name in row)
            connection.execute(text(f"INSERT INTO {table} ({names}) VALUES ({values})"), row)

        for id in ("e1", "e2"):
            insert("episodes", id=id, **EPISODE)
        for number, (episode_id, kind, new, target_id) in enumerate(SAID):
            insert(
                "label_events", event_id=f"l{number}", episode_id=episode_id, created_s=1.0,
                author="ana", kind=kind, old="{}", new=json.dumps(new), source="key",
                target_id=target_id,
            )  # fmt: skip
        for id, created_s, last_value in SCORED:
            insert(
                "checkpoints", id=id, step=1, created_s=1.0, size_bytes=1, label_revision=0,
                probes="{}",
            )  # fmt: skip
            insert(
                "scores", checkpoint_id=id, episode_id="e1", created_s=created_s, mean_value=-0.5,
                last_value=last_value,
            )  # fmt: skip
        connection.commit()
    engine.dispose()
    return tmp_path


@pytest.fixture
def migrated(old):
    migrate(sqlite_url(old))
    database = open_database(sqlite_url(old))
    yield database
    database.close()


def test_what_was_said_is_in_the_rows_afterwards_and_nothing_is_lost(migrated):
    with migrated.read() as db:
        e1, e2 = db.get_one(EpisodeRow, "e1"), db.get_one(EpisodeRow, "e2")
        assert (e1.excluded, e1.exclude_reason, e1.note) == (True, "slipped", "odd")
        assert (e2.excluded, e2.note, e2.terminal_step, e2.num_mistakes) == (False, "", None, 0)
        # The newest scores.
        assert (e1.score_checkpoint_id, e1.last_value) == ("b/000002", -0.2)
        assert e2.score_checkpoint_id is None
        assert current_labels(db, "e1").labels.note == "odd"
        assert db.scalar(text("SELECT count(*) FROM label_events")) == len(SAID)
    with migrated.write() as db:
        after = add_label(
            db, episode_id="e1", kind=LabelKind.MISTAKE, new={}, author="ben", source="review",
            created_s=3.0, event_id="new", start_step=2, end_step=5,
        )  # fmt: skip
    assert after.revision == len(SAID) + 1


@pytest.mark.parametrize(
    "rewrite", ["UPDATE label_events SET new = '{}'", "DELETE FROM label_events"]
)
def test_the_log_is_append_only_still(migrated, rewrite):
    with pytest.raises(IntegrityError, match="append-only"), migrated.write() as db:
        db.execute(text(rewrite))


def test_what_rows_of_old_scores_lack_is_read_from_their_files_once(migrated, old):
    values = np.linspace(-1.0, -0.2, 25)
    nothing = np.full(25, np.nan)
    for id, created_s, _ in SCORED[1:]:
        write_scores(
            old,
            EpisodeScores(
                checkpoint_id=id, episode_id="e1", value=values, spread=nothing,
                advantage=nothing, word=np.full(25, ""), label_revision=1,
                outcome=Outcome.FAILURE, value_range=(-1.0, 0.0), thresholds={},
                has_own_thresholds=True, created_s=created_s,
            ),
        )  # fmt: skip

    # The file of the other checkpoint is gone.
    assert complete_scores(migrated, old) == 1
    assert complete_scores(migrated, old) == 0

    with migrated.read() as db:
        row = db.get_one(EpisodeRow, "e1")
        assert row.max_value == pytest.approx(-0.2)
        # A failure that ended high.
        assert row.disagreement == pytest.approx(0.8)
        assert db.get_one(ScoreRow, ("a/000001", "e1")).disagreement is None
