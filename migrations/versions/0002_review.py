"""What the review needs at hand: ranges, bulks, and what lists show, beside the episode itself.

Columns are added in place, so the triggers that keep `label_events` append-only stay. What was said
so far is folded into the new columns; highest values and disagreements of episodes that were scored
before are read from their score files when the server starts.
"""

import json
from collections import defaultdict

import sqlalchemy as sa
from alembic import context, op

from backend.episodes.labels import LabelEvent, LabelKind, fold

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def _episode_columns() -> list[sa.Column]:
    return [
        sa.Column("excluded", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("exclude_reason", sa.String(), nullable=False, server_default=""),
        sa.Column("note", sa.String(), nullable=False, server_default=""),
        sa.Column("terminal_step", sa.Integer(), nullable=True),
        sa.Column("num_mistakes", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("score_checkpoint_id", sa.String(), nullable=True),
        sa.Column("mean_value", sa.Double(), nullable=True),
        sa.Column("last_value", sa.Double(), nullable=True),
        sa.Column("max_value", sa.Double(), nullable=True),
        sa.Column("disagreement", sa.Double(), nullable=True),
    ]


def _score_columns() -> list[sa.Column]:
    return [
        sa.Column("max_value", sa.Double(), nullable=True),
        sa.Column("lowest", sa.Double(), nullable=True),
        sa.Column("highest", sa.Double(), nullable=True),
        sa.Column("disagreement", sa.Double(), nullable=True),
    ]


def upgrade() -> None:
    for column in _episode_columns():
        op.add_column("episodes", column)
    for column in _score_columns():
        op.add_column("scores", column)
    op.add_column("label_events", sa.Column("bulk_id", sa.String(), nullable=True))
    op.create_index("ix_label_events_author", "label_events", ["author"], unique=False)
    op.create_index("ix_scores_episode_id", "scores", ["episode_id"], unique=False)
    if not context.is_offline_mode():
        _fold_labels()
    op.execute(
        """
        UPDATE episodes SET (score_checkpoint_id, mean_value, last_value) = (
            SELECT checkpoint_id, mean_value, last_value FROM scores
            WHERE scores.episode_id = episodes.id
            ORDER BY created_s DESC, checkpoint_id DESC LIMIT 1
        )
        """
    )


def downgrade() -> None:
    op.drop_index("ix_scores_episode_id", "scores")
    op.drop_index("ix_label_events_author", "label_events")
    op.drop_column("label_events", "bulk_id")
    for column in _score_columns():
        op.drop_column("scores", column.name)
    for column in _episode_columns():
        op.drop_column("episodes", column.name)


def _fold_labels() -> None:
    """Copy exclusions and notes in force into the episodes."""
    connection = op.get_bind()
    logs = defaultdict(list)
    rows = connection.execute(
        sa.text("SELECT id, episode_id, author, kind, new, target_id FROM label_events ORDER BY id")
    )
    for row in rows:
        # SQLite gives JSON as text, PostgreSQL as what it means.
        new = json.loads(row.new) if isinstance(row.new, str) else row.new
        logs[row.episode_id].append(
            LabelEvent(
                id=row.id,
                episode_id=row.episode_id,
                author=row.author,
                kind=LabelKind(row.kind),
                new=new,
                target_id=row.target_id,
            )
        )
    for episode_id, log in logs.items():
        labels = fold(log)
        connection.execute(
            sa.text(
                "UPDATE episodes SET excluded = :excluded, exclude_reason = :reason, note = :note "
                "WHERE id = :id"
            ),
            {
                "excluded": labels.excluded,
                "reason": labels.exclude_reason,
                "note": labels.note,
                "id": episode_id,
            },
        )
