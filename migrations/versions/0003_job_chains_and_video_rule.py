"""Jobs that wait for other jobs, and how often a critic video is made of what is recorded."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("after", sa.JSON(), nullable=False, server_default="[]"))
    op.create_table(
        "video_rules",
        sa.Column("id", sa.Integer(), nullable=False, primary_key=True),
        sa.Column("every", sa.Integer(), nullable=False),
        sa.Column("since_s", sa.Double(), nullable=False),
        sa.Column("author", sa.String(), nullable=False),
        sa.Column("changed_s", sa.Double(), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("video_rules")
    op.drop_column("jobs", "after")
