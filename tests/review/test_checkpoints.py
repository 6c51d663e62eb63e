"""Checkpoints in the database: lineage, promotion, removal, copies."""

import json

import pytest

from backend import checkpoints
from backend.checkpoints import CheckpointError, CheckpointNotFoundError
from backend.db.checkpoint_queries import lineage, list_checkpoints, promoted_checkpoint
from backend.db.models import CheckpointRow, ScoreRow
from tests.db.database_fixtures import episode_row


def make(data_dir, id, *, parent_id=None):
    folder = data_dir / "checkpoints" / id
    (folder / "pretrained_model").mkdir(parents=True)
    (folder / "pretrained_model/model.safetensors").write_bytes(b"weights")
    run = {"job_id": "a job of long ago", "parent_id": parent_id, "label_revision": 3}
    (folder.parent / "run.json").write_text(json.dumps(run))
    return folder


@pytest.fixture
def world(database, tmp_path):
    """Two runs, the second of which started from the first, and what the first one drove."""
    make(tmp_path, "one/000100")
    make(tmp_path, "one/000200")
    make(tmp_path, "two/000100", parent_id="one/000200")
    with database.write() as db:
        for id in ("one/000100", "one/000200", "two/000100"):
            checkpoints.record(db, checkpoints.describe(tmp_path, id))
        for number, outcome in enumerate(("success", "success", "failure", "none")):
            id = f"e{number}"
            db.add(episode_row(id, checkpoint_id="one/000200", outcome=outcome, number=number))
        db.flush()
        db.add(
            ScoreRow(
                checkpoint_id="one/000100",
                episode_id="e0",
                created_s=1.0,
                mean_value=-0.5,
                last_value=0.0,
            )
        )
    return database, tmp_path


def ids(database, **kwargs):
    with database.read() as db:
        return sorted(found.row.id for found in list_checkpoints(db, **kwargs).items)


def test_a_checkpoint_shows_whence_it_comes_and_what_became_of_it(world):
    with world[0].read() as db:
        found = lineage(db, db.get(CheckpointRow, "one/000200"))
        child = lineage(db, db.get(CheckpointRow, "two/000100"))

    assert (found.num_successes, found.num_failures, found.num_unjudged) == (2, 1, 1)
    assert found.children == ["two/000100"]
    assert child.row.parent_id == "one/000200"
    assert child.row.label_revision == 3


def test_one_checkpoint_is_promoted_at_a_time(world):
    database, data_dir = world
    with database.write() as db:
        checkpoints.promote(db, data_dir, "one/000100", now_s=5.0)
    with database.write() as db:
        checkpoints.promote(db, data_dir, "two/000100", now_s=6.0)

    with database.read() as db:
        assert promoted_checkpoint(db).id == "two/000100"
        assert db.get(CheckpointRow, "one/000100").promoted_s is None


def test_a_checkpoint_without_files_cannot_be_promoted(world):
    database, data_dir = world
    checkpoints.remove_folder(data_dir / "checkpoints/one/000100")

    with database.write() as db, pytest.raises(CheckpointNotFoundError, match="one/000100"):
        checkpoints.promote(db, data_dir, "one/000100", now_s=5.0)


def test_deleting_removes_files_and_scores_and_keeps_the_lineage(world):
    database, data_dir = world
    (data_dir / "scores/one/000100").mkdir(parents=True)
    with database.write() as db:
        checkpoints.delete(db, data_dir, "one/000100")

    assert "one/000100" not in ids(database)
    assert "one/000100" in ids(database, with_deleted=True)
    assert not (data_dir / "scores/one/000100").exists()
    assert sorted(p.name for p in (data_dir / "checkpoints/one").iterdir()) == [
        "000200",
        "run.json",
    ]
    with database.read() as db:
        assert db.query(ScoreRow).count() == 0


def test_what_drove_episodes_is_deleted_by_force_only_and_the_promoted_one_never(world):
    database, data_dir = world
    with database.write() as db, pytest.raises(CheckpointError, match="it drove an episode"):
        checkpoints.delete(db, data_dir, "one/000200")
    with database.write() as db:
        checkpoints.promote(db, data_dir, "one/000100", now_s=5.0)
        checkpoints.delete(db, data_dir, "one/000200", force=True)
    with database.write() as db, pytest.raises(CheckpointError, match="promote another one first"):
        checkpoints.delete(db, data_dir, "one/000100", force=True)

    assert ids(database) == ["one/000100", "two/000100"]


def test_folders_and_rows_are_brought_together(world):
    database, data_dir = world
    make(data_dir, "copied/000300", parent_id="nobody/000001")
    checkpoints.remove_folder(data_dir / "checkpoints/two/000100")

    with database.write() as db:
        new = checkpoints.take_in(db, data_dir)

    assert new == ["copied/000300"]
    assert ids(database) == ["copied/000300", "one/000100", "one/000200"]
    with database.write() as db:
        assert checkpoints.take_in(db, data_dir) == []


def test_a_plain_folder_holds_what_lerobot_loads_and_nothing_else(world, tmp_path):
    out = checkpoints.export_checkpoint(world[1], "one/000100", tmp_path / "out/plain")

    assert [p.name for p in out.iterdir()] == ["model.safetensors"]
    with pytest.raises(CheckpointError, match="choose another folder"):
        checkpoints.export_checkpoint(world[1], "one/000100", out)


@pytest.mark.parametrize("id", ["one", "../../etc", "one/100", "/one/000100", "one/000100/x"])
def test_ids_that_are_no_checkpoints_are_refused(tmp_path, id):
    with pytest.raises(CheckpointError, match="named run/step"):
        checkpoints.checkpoint_path(tmp_path, id)
