"""Episodes may be on their way from another computer: one more state.

SQLite would copy the whole table to change a CHECK, with every row that points to it. Its own
manual names the other way for a constraint that only grows: rewrite the table's definition.
"""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

BEFORE = "state IN ('recording', 'unfinished', 'finished', 'recovered', 'discarded')"
AFTER = "state IN ('recording', 'uploading', 'unfinished', 'finished', 'recovered', 'discarded')"


def upgrade() -> None:
    _replace(BEFORE, AFTER)


def downgrade() -> None:
    op.execute("UPDATE episodes SET state = 'unfinished' WHERE state = 'uploading'")
    _replace(AFTER, BEFORE)


def _replace(old: str, new: str) -> None:
    if op.get_context().dialect.name != "sqlite":
        op.drop_constraint("state_known", "episodes", type_="check")
        op.create_check_constraint("state_known", "episodes", new)
        return
    quoted = [text.replace("'", "''") for text in (old, new)]
    op.execute("PRAGMA writable_schema = ON")
    op.execute(
        f"UPDATE sqlite_master SET sql = replace(sql, '{quoted[0]}', '{quoted[1]}') "
        "WHERE type = 'table' AND name = 'episodes'"
    )
    # Reads the schema anew; this connection would go on with the old one.
    op.execute("PRAGMA writable_schema = RESET")
