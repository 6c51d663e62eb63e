"""First tables, and the triggers that keep what people said from being rewritten.

Words that will grow in number (kinds of labels and jobs) have no CHECK: SQLite can only change one
by copying the table, which loses its triggers.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# What a command was may never change; its answer may be filled in once.
ANSWERED = "OLD.accepted IS NOT NULL"
SQLITE_TRIGGERS = [
    *(
        f"""
        CREATE TRIGGER label_events_no_{verb} BEFORE {verb.upper()} ON label_events
        BEGIN SELECT RAISE(ABORT, 'label_events is append-only: append an event instead'); END
        """
        for verb in ("update", "delete")
    ),
    """
    CREATE TRIGGER commands_no_delete BEFORE DELETE ON commands
    BEGIN SELECT RAISE(ABORT, 'commands are kept for good'); END
    """,
    """
    CREATE TRIGGER commands_identity BEFORE UPDATE OF
        command_id, command, params, author, source, created_s ON commands
    BEGIN SELECT RAISE(ABORT, 'what a command was may never change'); END
    """,
    f"""
    CREATE TRIGGER commands_answered_once BEFORE UPDATE ON commands WHEN {ANSWERED}
    BEGIN SELECT RAISE(ABORT, 'a command is answered once'); END
    """,
]
POSTGRESQL_TRIGGERS = [
    """
    CREATE FUNCTION handrail_refuse() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION '%', TG_ARGV[0]; END $$
    """,
    """
    CREATE TRIGGER label_events_append_only BEFORE UPDATE OR DELETE ON label_events
    FOR EACH ROW EXECUTE FUNCTION
    handrail_refuse('label_events is append-only: append an event instead')
    """,
    """
    CREATE TRIGGER commands_no_delete BEFORE DELETE ON commands
    FOR EACH ROW EXECUTE FUNCTION handrail_refuse('commands are kept for good')
    """,
    """
    CREATE TRIGGER commands_identity BEFORE UPDATE OF
        command_id, command, params, author, source, created_s ON commands
    FOR EACH ROW EXECUTE FUNCTION handrail_refuse('what a command was may never change')
    """,
    f"""
    CREATE TRIGGER commands_answered_once BEFORE UPDATE ON commands
    FOR EACH ROW WHEN ({ANSWERED})
    EXECUTE FUNCTION handrail_refuse('a command is answered once')
    """,
]
TRIGGERS = {"sqlite": SQLITE_TRIGGERS, "postgresql": POSTGRESQL_TRIGGERS}


def upgrade() -> None:
    op.create_table(
        "commands",
        sa.Column("command_id", sa.String(), nullable=False),
        sa.Column("command", sa.String(), nullable=False),
        sa.Column("params", sa.JSON(), nullable=False),
        sa.Column("author", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("created_s", sa.Double(), nullable=False),
        sa.Column("accepted", sa.Boolean(), nullable=True),
        sa.Column("phase", sa.String(), nullable=True),
        sa.Column("error", sa.JSON(none_as_null=True), nullable=True),
        sa.PrimaryKeyConstraint("command_id"),
    )
    op.create_index("ix_commands_created_s", "commands", ["created_s"], unique=False)
    op.create_table(
        "jobs",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("params", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("progress", sa.Double(), nullable=False),
        sa.Column("message", sa.String(), nullable=False),
        sa.Column("command", sa.JSON(), nullable=False),
        sa.Column("author", sa.String(), nullable=False),
        sa.Column("label_revision", sa.Integer(), nullable=False),
        sa.Column("created_s", sa.Double(), nullable=False),
        sa.Column("started_s", sa.Double(), nullable=True),
        sa.Column("ended_s", sa.Double(), nullable=True),
        sa.Column("pid", sa.Integer(), nullable=True),
        sa.Column("pid_started_s", sa.Double(), nullable=True),
        sa.Column("inbox_offset", sa.Integer(), nullable=False),
        sa.Column("result", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.CheckConstraint(
            "state IN ('queued', 'running', 'done', 'failed', 'cancelled')", name="state_known"
        ),
        sa.CheckConstraint("progress BETWEEN 0 AND 1", name="progress_is_share"),
    )
    op.create_index("ix_jobs_created_s", "jobs", ["created_s"], unique=False)
    op.create_index("ix_jobs_state", "jobs", ["state"], unique=False)
    op.create_table(
        "sessions",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("robot", sa.String(), nullable=False),
        sa.Column("policy", sa.String(), nullable=False),
        sa.Column("operator", sa.String(), nullable=False),
        sa.Column("opened_s", sa.Double(), nullable=False),
        sa.Column("closed_s", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "checkpoints",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("job_id", sa.String(), nullable=True),
        sa.Column("parent_id", sa.String(), nullable=True),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("created_s", sa.Double(), nullable=False),
        sa.Column("size_bytes", sa.Integer(), nullable=False),
        sa.Column("label_revision", sa.Integer(), nullable=False),
        sa.Column("probes", sa.JSON(), nullable=False),
        sa.Column("promoted_s", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(
            ["job_id"],
            ["jobs.id"],
        ),
        sa.ForeignKeyConstraint(
            ["parent_id"],
            ["checkpoints.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "datasets",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("repo_id", sa.String(), nullable=False),
        sa.Column("job_id", sa.String(), nullable=True),
        sa.Column("created_s", sa.Double(), nullable=False),
        sa.Column("num_episodes", sa.Integer(), nullable=False),
        sa.Column("num_frames", sa.Integer(), nullable=False),
        sa.Column("size_bytes", sa.Integer(), nullable=False),
        sa.Column("label_revision", sa.Integer(), nullable=False),
        sa.Column("manifest", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["job_id"],
            ["jobs.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("repo_id"),
    )
    op.create_table(
        "episodes",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("session_id", sa.String(), nullable=True),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("end_reason", sa.String(), nullable=True),
        sa.Column("robot", sa.String(), nullable=False),
        sa.Column("task", sa.String(), nullable=False),
        sa.Column("policy", sa.String(), nullable=False),
        sa.Column("checkpoint_id", sa.String(), nullable=True),
        sa.Column("operator", sa.String(), nullable=False),
        sa.Column("fps", sa.Double(), nullable=False),
        sa.Column("num_steps", sa.Integer(), nullable=False),
        sa.Column("num_human_steps", sa.Integer(), nullable=False),
        sa.Column("started_s", sa.Double(), nullable=False),
        sa.Column("ended_s", sa.Double(), nullable=True),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("label_revision", sa.Integer(), nullable=False),
        sa.Column("cameras", sa.JSON(), nullable=False),
        sa.Column("joints", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["session_id"],
            ["sessions.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.CheckConstraint(
            "state IN ('recording', 'unfinished', 'finished', 'recovered', 'discarded')",
            name="state_known",
        ),
        sa.CheckConstraint("outcome IN ('success', 'failure', 'none')", name="outcome_known"),
        sa.CheckConstraint(
            "num_steps >= 0 AND num_human_steps BETWEEN 0 AND num_steps", name="steps_counted"
        ),
    )
    op.create_index("ix_episodes_checkpoint_id", "episodes", ["checkpoint_id"], unique=False)
    op.create_index("ix_episodes_outcome", "episodes", ["outcome"], unique=False)
    op.create_index("ix_episodes_session_id", "episodes", ["session_id"], unique=False)
    op.create_index("ix_episodes_started_s", "episodes", ["started_s"], unique=False)
    op.create_index("ix_episodes_state", "episodes", ["state"], unique=False)
    op.create_index("ix_episodes_task", "episodes", ["task"], unique=False)
    op.create_table(
        "metrics",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("job_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.Column("t_s", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["job_id"],
            ["jobs.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_metrics_job_name_step", "metrics", ["job_id", "name", "step"], unique=False)
    op.create_table(
        "label_events",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("event_id", sa.String(), nullable=False),
        sa.Column("episode_id", sa.String(), nullable=False),
        sa.Column("created_s", sa.Double(), nullable=False),
        sa.Column("author", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("start_step", sa.Integer(), nullable=True),
        sa.Column("end_step", sa.Integer(), nullable=True),
        sa.Column("old", sa.JSON(), nullable=False),
        sa.Column("new", sa.JSON(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("target_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["episode_id"],
            ["episodes.id"],
        ),
        sa.ForeignKeyConstraint(
            ["target_id"],
            ["label_events.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("event_id"),
        sa.CheckConstraint(
            "start_step IS NULL OR (start_step >= 0 AND end_step > start_step)",
            name="range_not_empty",
        ),
    )
    op.create_index("ix_label_events_episode_id", "label_events", ["episode_id"], unique=False)
    op.create_table(
        "scores",
        sa.Column("checkpoint_id", sa.String(), nullable=False),
        sa.Column("episode_id", sa.String(), nullable=False),
        sa.Column("created_s", sa.Double(), nullable=False),
        sa.Column("mean_value", sa.Double(), nullable=False),
        sa.Column("last_value", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["checkpoint_id"],
            ["checkpoints.id"],
        ),
        sa.ForeignKeyConstraint(
            ["episode_id"],
            ["episodes.id"],
        ),
        sa.PrimaryKeyConstraint("checkpoint_id", "episode_id"),
    )
    for statement in TRIGGERS[op.get_context().dialect.name]:
        op.execute(statement)


def downgrade() -> None:
    for table in (
        "scores",
        "label_events",
        "metrics",
        "episodes",
        "datasets",
        "checkpoints",
        "sessions",
        "jobs",
        "commands",
    ):
        op.drop_table(table)
    if op.get_context().dialect.name == "postgresql":
        op.execute("DROP FUNCTION handrail_refuse()")
