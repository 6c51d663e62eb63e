"""Runs migrations on the connection the program hands over, or on alembic.ini's address."""

from alembic import context
from sqlalchemy import create_engine

from backend.db.models import Base

config = context.config


def configure(**options: object) -> None:
    context.configure(
        target_metadata=Base.metadata,
        # SQLite can undo DDL, so a migration happens wholly or not at all.
        transactional_ddl=True,
        **options,
    )


if context.is_offline_mode():
    configure(url=config.get_main_option("sqlalchemy.url"), literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()
elif (connection := config.attributes.get("connection")) is not None:
    configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
else:
    engine = create_engine(config.get_main_option("sqlalchemy.url") or "")
    with engine.connect() as connection:
        configure(connection=connection)
        with context.begin_transaction():
            context.run_migrations()
    engine.dispose()
