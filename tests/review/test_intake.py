import shutil

import pytest

from backend.db.models import CommandRow, EpisodeRow
from backend.domain import EndReason, EpisodeState, Outcome
from backend.episodes.recovery import RecoveryError
from backend.episodes.store import EpisodeFormatError, EpisodeWriter
from backend.intake import (
    discard_take,
    ingest_finished,
    ingest_started,
    reconcile,
    recover_take,
    unfinished_takes,
)
from backend.review import EpisodeNotFoundError, current_labels, history
from tests.db.database_fixtures import session_row
from tests.episodes.episode_fixtures import make_header, make_step, record
from tests.episodes.test_recovery import leave_unfinished


def row_of(database, id="e1"):
    with database.read() as db:
        return db.get(EpisodeRow, id)


def test_an_episode_gets_its_row_when_it_starts_and_its_grade_when_it_ends(database, tmp_path):
    header = make_header()
    with database.write() as db:
        db.add(session_row("s1"))
        db.add(
            CommandRow(
                command_id="c1",
                command="success",
                params={},
                author="ana",
                source="button",
                created_s=1.0,
            )
        )
    writer = EpisodeWriter.create(tmp_path, header)
    with database.write() as db:
        ingest_started(db, writer.folder)
    writer.close()

    assert row_of(database).state == EpisodeState.RECORDING
    assert row_of(database).session_id == "s1"
    assert row_of(database).cameras == ["overhead", "wrist"]

    shutil.rmtree(writer.folder)
    folder = record(tmp_path, header, num_steps=25, human=range(5))
    for _ in range(2):
        with database.write() as db:
            ingest_finished(db, folder)

    row = row_of(database)
    assert (row.state, row.outcome) == (EpisodeState.FINISHED, Outcome.SUCCESS)
    assert (row.num_steps, row.num_human_steps) == (25, 5)
    with database.read() as db:
        (grade,) = history(db, "e1")
    assert (grade.event_id, grade.author, grade.source) == ("command-e1", "ana", "key")
    assert row.label_revision == grade.id


def test_the_grade_keeps_the_source_of_its_command(database, tmp_path):
    with database.write() as db:
        db.add(
            CommandRow(
                command_id="command-e1",
                command="success",
                params={},
                author="ana",
                source="button",
                created_s=1.0,
            )
        )
        ingest_finished(db, record(tmp_path))

    with database.read() as db:
        assert history(db, "e1")[0].source == "button"


def test_an_episode_of_an_unknown_session_is_taken_in_without_one(database, tmp_path):
    with database.write() as db:
        ingest_finished(db, record(tmp_path))

    assert row_of(database).session_id is None


def test_a_timeout_gives_no_label(database, tmp_path):
    folder = record(tmp_path, outcome=Outcome.NONE, end_reason=EndReason.TIMEOUT)
    with database.write() as db:
        ingest_finished(db, folder)

    assert row_of(database).label_revision == 0
    assert row_of(database).outcome == Outcome.NONE


def test_an_unfinished_take_is_not_ingested_as_finished(database, tmp_path):
    folder = leave_unfinished(tmp_path)

    with pytest.raises(EpisodeFormatError, match="not finished"), database.write() as db:
        ingest_finished(db, folder)


def test_a_take_is_recovered_into_the_database(database, tmp_path):
    leave_unfinished(tmp_path / "episodes")
    reconcile(database, tmp_path)
    assert [take.id for take in unfinished_takes(tmp_path)] == ["e1"]

    recover_take(database, tmp_path, "e1")

    assert row_of(database).state == EpisodeState.RECOVERED
    assert row_of(database).num_steps == 25
    assert unfinished_takes(tmp_path) == []


def test_a_take_is_discarded_to_the_trash_folder(database, tmp_path):
    leave_unfinished(tmp_path / "episodes")
    reconcile(database, tmp_path)

    moved = discard_take(database, tmp_path, "e1")

    assert moved == tmp_path / "discarded" / "e1"
    assert (moved / "steps.arrow").is_file()
    assert row_of(database).state == EpisodeState.DISCARDED


@pytest.mark.parametrize("id", ["nobody", "", "..", "../episodes/e1", "/etc"])
def test_a_take_is_named_by_its_id_and_nothing_else(database, tmp_path, id):
    leave_unfinished(tmp_path / "episodes")

    with pytest.raises(EpisodeNotFoundError):
        discard_take(database, tmp_path, id)


def test_a_finished_episode_cannot_be_discarded(database, tmp_path):
    record(tmp_path / "episodes")

    with pytest.raises(RecoveryError, match="exclude"):
        discard_take(database, tmp_path, "e1")


def test_at_start_the_database_learns_what_the_folders_hold(database, tmp_path):
    episodes = tmp_path / "episodes"
    record(episodes, make_header("done"))
    record(episodes, make_header("gone"))
    leave_unfinished(episodes, "torn")
    leave_unfinished(episodes, "vanished")
    (episodes / "hollow").mkdir()
    running = EpisodeWriter.create(episodes, make_header("running"))
    running.add(make_step(0, running.header))

    first = reconcile(database, tmp_path)
    shutil.rmtree(episodes / "gone")
    shutil.rmtree(episodes / "vanished")
    second = reconcile(database, tmp_path)
    running.close()

    assert first.ingested == ["done", "gone"]
    assert first.recording == ["running"]
    assert first.unfinished == ["hollow", "torn", "vanished"]
    assert first.damaged.keys() == {"hollow"}
    assert second.ingested == []
    assert second.missing == ["gone"]
    assert row_of(database, "gone").state == EpisodeState.FINISHED
    assert row_of(database, "vanished").state == EpisodeState.DISCARDED
    assert row_of(database, "torn").state == EpisodeState.UNFINISHED
    assert row_of(database, "running").state == EpisodeState.RECORDING
    with database.read() as db:
        assert current_labels(db, "done").labels.outcome is Outcome.SUCCESS
