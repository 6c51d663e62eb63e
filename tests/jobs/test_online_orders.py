"""What the server does for an online learner: which policy drives, exports, critic videos."""

import pytest

from backend.db.engine import migrate, open_database, sqlite_url
from backend.db.models import CheckpointRow, EpisodeRow, JobRow, SessionRow
from backend.domain import JobKind, JobState
from backend.intake import reconcile
from backend.jobs.online_orders import AUTHOR, LearnerOrders, offered_policy
from backend.jobs.orders import JobOrders
from backend.jobs.video_rule import change_rule, rule_in_force
from backend.learning.published_files import NOTE_FILE, weights_folder
from tests.jobs.test_online import job_row
from tests.jobs.train_fixtures import record_graded


@pytest.fixture
def database(tmp_path):
    migrate(sqlite_url(tmp_path))
    database = open_database(sqlite_url(tmp_path))
    yield database
    database.close()


def publish(tmp_path, version: int) -> dict:
    """Weights as the learner tells of them; only the note's place matters here."""
    folder = weights_folder(tmp_path / "checkpoints/live", version)
    folder.mkdir(parents=True)
    (folder / NOTE_FILE).write_text("{}")
    return {"published": {"id": f"live@{version:06d}", "created_s": 1000.0 + version}}


def add_learner(database, result: dict, **params: object) -> None:
    with database.write() as db:
        row = job_row("live", params)
        row.created_s, row.started_s = 500.0, 510.0
        row.result = {"run": "live", **result}
        db.add(row)


def promote(database, promoted_s: float) -> None:
    with database.write() as db:
        row = db.get(CheckpointRow, "old/000100") or CheckpointRow(
            id="old/000100",
            job_id=None,
            parent_id=None,
            step=100,
            created_s=0.0,
            size_bytes=1,
            label_revision=0,
            probes={},
        )
        row.promoted_s = promoted_s
        db.add(row)


def offered(database, tmp_path) -> str | None:
    with database.read() as db:
        offer = offered_policy(db, tmp_path)
    return None if offer is None else offer.id


def test_the_last_thing_a_person_decided_about_driving_holds(database, tmp_path):
    assert offered(database, tmp_path) is None
    promote(database, 400.0)
    assert offered(database, tmp_path) == "old/000100"

    add_learner(database, publish(tmp_path, 7))
    assert offered(database, tmp_path) == "live@000007", "the learner was started after that"

    promote(database, 600.0)
    assert offered(database, tmp_path) == "old/000100", "promoted while it learns"
    with database.write() as db:
        db.get_one(JobRow, "live").started_s = 700.0
    assert offered(database, tmp_path) == "live@000007", "resumed after that"


def test_weights_that_are_gone_or_not_meant_to_drive_are_not_offered(database, tmp_path):
    promote(database, 400.0)
    add_learner(database, {"published": {"id": "live@000007", "created_s": 1007.0}})
    assert offered(database, tmp_path) == "old/000100"

    with database.write() as db:
        row = db.get_one(JobRow, "live")
        row.result = {"run": "live", **publish(tmp_path, 8)}
        row.params = {"promote": False}
    assert offered(database, tmp_path) == "old/000100"


def test_every_so_many_episodes_all_online_ones_are_exported_over_the_last_export(
    database, tmp_path
):
    orders = JobOrders(database, tmp_path, clock=lambda: 2000.0)
    learner = LearnerOrders(database, orders)
    assert learner.look() is None
    add_learner(database, {}, session_id="s1", dataset_every_episodes=2)
    with database.write() as db:
        db.add(
            SessionRow(id="s1", robot="r", policy="p", operator="o", opened_s=0.0, closed_s=None)
        )
    ids = record_graded(tmp_path, 3, num_steps=2)
    reconcile(database, tmp_path)

    first = learner.look()
    with database.write() as db:
        export = db.get_one(JobRow, first)
        assert (export.kind, export.author) == (JobKind.EXPORT, AUTHOR)
        assert export.params == {
            "repo_id": "local/live-online",
            "episodes": ids,
            "overwrite": True,
        }
    assert learner.look() is None, "one at a time"
    with database.write() as db:
        db.get_one(JobRow, first).state = JobState.DONE.value
        # One more than were exported, which is one too few.
        db.get_one(JobRow, first).params = {**export.params, "episodes": ids[:2]}
    assert learner.look() is None
    with database.write() as db:
        db.get_one(JobRow, first).params = {**export.params, "episodes": ids[:1]}

    assert learner.look() not in (None, first)


def test_an_export_that_failed_is_tried_again_with_the_next_episode(database, tmp_path):
    learner = LearnerOrders(database, JobOrders(database, tmp_path, clock=lambda: 2000.0))
    add_learner(database, {}, session_id="s1", dataset_every_episodes=2)
    with database.write() as db:
        db.add(
            SessionRow(id="s1", robot="r", policy="p", operator="o", opened_s=0.0, closed_s=None)
        )
    ids = record_graded(tmp_path, 3, num_steps=2)
    reconcile(database, tmp_path)
    first = learner.look()
    with database.write() as db:
        db.get_one(JobRow, first).state = JobState.FAILED.value
    assert learner.look() is None, "it would fail again at once"

    with database.write() as db:
        row = db.get_one(JobRow, first)
        row.params = {**row.params, "episodes": ids[:2]}
    again = learner.look()
    with database.read() as db:
        assert db.get_one(JobRow, again).params["episodes"] == ids


def test_imported_episodes_are_not_online(database, tmp_path):
    add_learner(database, {}, dataset_every_episodes=1)
    record_graded(tmp_path, 1, num_steps=2)
    reconcile(database, tmp_path)

    with database.read() as db:
        assert db.query(EpisodeRow).one().session_id is None
    assert LearnerOrders(database, JobOrders(database, tmp_path, clock=lambda: 0.0)).look() is None


def test_critic_videos_are_made_as_the_learner_was_told_until_somebody_changes_that(
    database, tmp_path
):
    learner = LearnerOrders(database, JobOrders(database, tmp_path, clock=lambda: 0.0))
    add_learner(database, {}, video_every_episodes=4)

    learner.look()
    with database.write() as db:
        rule = rule_in_force(db, tmp_path)
        assert (rule.every, rule.author) == (4, "ana")
        change_rule(db, 9, author="bo", now_s=600.0)
    learner.look()

    with database.read() as db:
        assert rule_in_force(db, tmp_path).every == 9
