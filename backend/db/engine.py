"""Opens the database and brings its schema up to date.

Writes go one at a time through one lock and begin as writes, so nobody meets "database is locked"
half way; reads run beside them on their own connections (SQLite in WAL mode). A commit is on the
disk when it returns, because a label that a person has seen acknowledged must outlive a power cut.

A PostgreSQL address works the same way and needs its driver installed.
"""

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import psutil
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.orm import Session

DATABASE_FILE = "handrail.db"
MIGRATIONS = Path(__file__).parents[2] / "migrations"
WRITES = "handrail_writes"
# WAL keeps its index in shared memory, which these cannot share between machines.
NETWORK_FILESYSTEMS = frozenset(
    (
        *("nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "ceph", "lustre", "glusterfs", "beegfs"),
        *("fuse.sshfs", "fuse.glusterfs", "fuse.ceph-fuse"),
    )
)


class DatabaseRefusedError(Exception):
    """A database that cannot be used where or as it is. Says why and what to do."""


class Mount(NamedTuple):
    """One mounted disk."""

    mountpoint: str
    fstype: str


class Database:
    """Connections to one database. Safe to use from any thread; `close()` may be repeated."""

    def __init__(self, engine: Engine) -> None:
        """Use `open_database`."""
        self.engine = engine
        self._writer = engine.execution_options(**{WRITES: True})
        self._write_lock = threading.Lock()

    @property
    def url(self) -> str:
        """Where it is; holds the password, if any."""
        return self.engine.url.render_as_string(hide_password=False)

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A session whose changes are committed at the end, or undone when the block raises."""
        with self._write_lock, Session(self._writer, expire_on_commit=False) as db, db.begin():
            yield db

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session that sees one moment of the database. Changes made in it are refused."""
        with Session(self.engine, expire_on_commit=False, autoflush=False) as db:
            yield db
            if db.new or db.dirty or db.deleted:
                raise RuntimeError("rows were changed in a read session: use database.write()")

    def close(self) -> None:
        """Let go of all connections."""
        self.engine.dispose()


def sqlite_url(data_dir: Path) -> str:
    """Address of the database that lives in `data_dir`."""
    return f"sqlite:///{(data_dir / DATABASE_FILE).absolute()}"


def open_database(url: str) -> Database:
    """Open a database that `migrate` has prepared.

    Raises:
        DatabaseRefusedError: It lies on a network disk, or was made by another version.
    """
    database = Database(_make_engine(url))
    try:
        with database.engine.connect() as connection:
            present = MigrationContext.configure(connection).get_current_revision()
        wanted = ScriptDirectory(str(MIGRATIONS)).get_current_head()
        if present != wanted:
            raise DatabaseRefusedError(
                f"the database at {url} has schema {present or 'none'}, this Handrail needs "
                f"{wanted}: run `alembic upgrade head`, or start with ./run, which does it"
            )
    except BaseException:
        database.close()
        raise
    return database


def migrate(url: str) -> None:
    """Bring the schema to its newest form; does nothing when it is there already.

    Raises:
        DatabaseRefusedError: It lies on a network disk, or was made by a newer version.
    """
    engine = _make_engine(url)
    try:
        with engine.execution_options(**{WRITES: True}).begin() as connection:
            present = MigrationContext.configure(connection).get_current_revision()
            script = ScriptDirectory(str(MIGRATIONS))
            if present is not None and present not in {r.revision for r in script.walk_revisions()}:
                raise DatabaseRefusedError(
                    f"the database at {url} has schema {present}, which this Handrail does not "
                    "know: it was made by a newer version; update, or use another data directory"
                )
            config = Config()
            config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    finally:
        engine.dispose()


def network_filesystem(path: Path, mounts: Iterable[Mount]) -> str | None:
    """Type of the network file system that holds `path`; None for a local disk."""
    path = path.resolve()
    holding = [m for m in mounts if path.is_relative_to(m.mountpoint)]
    nearest = max(holding, key=lambda m: len(m.mountpoint), default=None)
    return nearest.fstype if nearest and nearest.fstype in NETWORK_FILESYSTEMS else None


def _make_engine(url: str) -> Engine:
    address = make_url(url)
    if address.get_backend_name() != "sqlite":
        return create_engine(url, pool_pre_ping=True)
    if not address.database or address.database == ":memory:":
        raise DatabaseRefusedError(
            "an in-memory database would forget every label: give a file, sqlite:///path/to/file"
        )
    path = Path(address.database)
    mounts = (Mount(p.mountpoint, p.fstype) for p in psutil.disk_partitions(all=True))
    fstype = network_filesystem(path, mounts)
    if fstype:
        raise DatabaseRefusedError(
            f"{path} lies on a network disk ({fstype}), where SQLite loses data: put the data "
            "directory on a local disk, or use a PostgreSQL address"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url, connect_args={"timeout": 10, "check_same_thread": False})
    event.listen(engine, "connect", _configure_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _configure_sqlite(connection: Any, _record: Any) -> None:
    # Transactions are begun by `_begin_sqlite`; the driver's own rules would leave out DDL.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "busy_timeout=10000",
        # Lets the triggers that forbid DELETE see INSERT OR REPLACE too.
        "recursive_triggers=ON",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get(WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
