import io

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, OperationalError

from backend.db.engine import MIGRATIONS, migrate, sqlite_url
from backend.db.models import Base, CommandRow
from tests.db.database_fixtures import episode_row, label_row

TRIGGERS = {
    "label_events_no_update",
    "label_events_no_delete",
    "commands_no_delete",
    "commands_identity",
    "commands_answered_once",
}


@pytest.fixture
def filled(database):
    with database.write() as db:
        db.add(episode_row())
        db.flush()
        db.add(label_row())
        db.add(
            CommandRow(
                command_id="c1",
                command="success",
                params={},
                author="ana",
                source="key",
                created_s=1.0,
                accepted=None,
                phase=None,
                error=None,
            )
        )
    return database


def test_the_migrations_make_exactly_what_the_models_say(database):
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_migrating_twice_changes_nothing(filled, tmp_path):
    migrate(sqlite_url(tmp_path))

    with filled.read() as db:
        assert db.scalar(text("SELECT count(*) FROM label_events")) == 1


def test_all_triggers_are_there(database):
    with database.read() as db:
        found = db.scalars(text("SELECT name FROM sqlite_master WHERE type = 'trigger'"))
        assert set(found) == TRIGGERS


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("UPDATE label_events SET author = 'eve'", "append-only"),
        ("DELETE FROM label_events", "append-only"),
        (
            "INSERT OR REPLACE INTO label_events (id, event_id, episode_id, created_s, author, "
            "kind, start_step, end_step, old, new, source, target_id) "
            "SELECT id, event_id, episode_id, created_s, 'eve', kind, start_step, end_step, old, "
            "new, source, target_id FROM label_events",
            "append-only",
        ),
        ("DELETE FROM commands", "kept for good"),
        ("UPDATE commands SET author = 'eve'", "may never change"),
        ("UPDATE commands SET params = '{}'", "may never change"),
    ],
)
def test_the_database_itself_refuses_to_rewrite_what_happened(filled, statement, why):
    with pytest.raises(IntegrityError, match=why), filled.write() as db:
        db.execute(text(statement))


def test_a_command_is_answered_once(filled):
    with filled.write() as db:
        db.execute(text("UPDATE commands SET accepted = 1, phase = 'ended'"))

    with pytest.raises(IntegrityError, match="answered once"), filled.write() as db:
        db.execute(text("UPDATE commands SET accepted = 0"))


@pytest.mark.parametrize(
    "changes",
    [
        {"state": "gone"},
        {"outcome": "maybe"},
        {"num_human_steps": 101},
    ],
)
def test_episodes_that_contradict_themselves_are_refused(database, changes):
    with pytest.raises(IntegrityError, match="CHECK"), database.write() as db:
        db.add(episode_row(**changes))


def test_a_failed_migration_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setattr("alembic.op.execute", _fail)
    with pytest.raises(OperationalError):
        migrate(sqlite_url(tmp_path))
    monkeypatch.undo()

    migrate(sqlite_url(tmp_path))


def _fail(statement):
    raise OperationalError(str(statement), {}, Exception("disk full"))


def test_the_schema_can_be_written_for_postgresql_too():
    written = io.StringIO()
    config = Config(output_buffer=written)
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("sqlalchemy.url", "postgresql://host/handrail")

    command.upgrade(config, "head", sql=True)

    assert "CREATE TRIGGER label_events_append_only" in written.getvalue()
