import sqlite3
import threading
from pathlib import Path

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError

from backend.db.engine import (
    DATABASE_FILE,
    DatabaseRefusedError,
    Mount,
    migrate,
    network_filesystem,
    open_database,
    sqlite_url,
)
from backend.db.models import SessionRow
from tests.db.database_fixtures import episode_row, session_row


def test_a_write_is_kept_and_a_failed_one_is_not(database):
    with database.write() as db:
        db.add(session_row("kept"))
    with pytest.raises(IntegrityError), database.write() as db:
        db.add_all([session_row("undone"), episode_row(session_id="nobody")])

    with database.read() as db:
        assert db.scalars(select(SessionRow.id)).all() == ["kept"]


def test_a_read_goes_on_while_a_write_is_open_and_sees_one_moment(database):
    with database.write() as db:
        db.add(session_row("s1"))
    with database.read() as reading:
        assert reading.scalar(select(func.count()).select_from(SessionRow)) == 1
        with database.write() as writing:
            writing.add(session_row("s2"))
            writing.flush()
            assert reading.scalar(select(func.count()).select_from(SessionRow)) == 1
        assert reading.scalar(select(func.count()).select_from(SessionRow)) == 1
    with database.read() as reading:
        assert reading.scalar(select(func.count()).select_from(SessionRow)) == 2


def test_rows_changed_in_a_read_session_are_refused(database):
    with pytest.raises(RuntimeError, match=r"use database.write\(\)"), database.read() as db:
        db.add(session_row())


def test_writers_of_many_threads_take_turns(database):
    def write(name: str) -> None:
        for n in range(10):
            with database.write() as db:
                present = db.scalar(select(func.count()).select_from(SessionRow))
                db.add(session_row(f"{name}-{n}", policy=str(present)))

    threads = [threading.Thread(target=write, args=(f"t{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    with database.read() as db:
        counts = [int(row.policy) for row in db.scalars(select(SessionRow))]
    assert sorted(counts) == list(range(40))


@pytest.mark.parametrize(
    ("pragma", "value"),
    [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1), ("busy_timeout", 10000)],
)
def test_every_connection_is_durable_and_checks_references(database, pragma, value):
    with database.read() as db:
        assert db.scalar(text(f"PRAGMA {pragma}")) == value


def test_a_reference_to_nothing_is_refused(database):
    with pytest.raises(IntegrityError, match="FOREIGN KEY"), database.write() as db:
        db.add(episode_row(session_id="nobody"))


def test_a_database_in_memory_is_refused():
    with pytest.raises(DatabaseRefusedError, match="forget every label"):
        migrate("sqlite://")


def test_a_database_without_the_schema_is_refused_with_the_remedy(tmp_path):
    sqlite3.connect(tmp_path / DATABASE_FILE).close()

    with pytest.raises(DatabaseRefusedError, match=r"schema none.*alembic upgrade head"):
        open_database(sqlite_url(tmp_path))


def test_a_database_of_a_newer_version_is_left_alone(tmp_path):
    url = sqlite_url(tmp_path)
    migrate(url)
    with sqlite3.connect(tmp_path / DATABASE_FILE) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()

    with pytest.raises(DatabaseRefusedError, match="made by a newer version"):
        migrate(url)


def test_network_disks_are_told_from_local_ones():
    mounts = [Mount("/", "ext4"), Mount("/mnt/lab", "nfs4"), Mount("/mnt/lab/scratch", "xfs")]

    assert network_filesystem(Path("/mnt/lab/data/handrail.db"), mounts) == "nfs4"
    assert network_filesystem(Path("/mnt/lab/scratch/handrail.db"), mounts) is None
    assert network_filesystem(Path("/home/ana/handrail.db"), mounts) is None
    assert network_filesystem(Path("/mnt/laboratory/handrail.db"), mounts) is None
