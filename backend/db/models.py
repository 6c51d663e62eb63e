"""The tables. The schema itself, triggers included, is made by `migrations/` only.

Times are Unix seconds as floats: SQLite would drop the zone of a datetime. Enumerations are stored
by their values. Episodes, sessions and jobs are keyed by uuid, never by a position.
"""

from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, false
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """All tables of Handrail."""

    type_annotation_map = {dict[str, Any]: JSON, list[Any]: JSON}  # noqa: RUF012


class SessionRow(Base):
    """From `open` to `close` of a robot."""

    __tablename__ = "sessions"
    id: Mapped[str] = mapped_column(primary_key=True)
    robot: Mapped[str]
    policy: Mapped[str]
    operator: Mapped[str]
    opened_s: Mapped[float]
    closed_s: Mapped[float | None]


class EpisodeRow(Base):
    """One attempt's facts, copied from its folder. What people say of it is in `label_events`."""

    __tablename__ = "episodes"
    id: Mapped[str] = mapped_column(primary_key=True)
    session_id: Mapped[str | None] = mapped_column(ForeignKey("sessions.id"), index=True)
    number: Mapped[int]
    # `EpisodeState`, `EndReason`.
    state: Mapped[str] = mapped_column(index=True)
    end_reason: Mapped[str | None]
    robot: Mapped[str]
    task: Mapped[str] = mapped_column(index=True)
    policy: Mapped[str]
    checkpoint_id: Mapped[str | None] = mapped_column(index=True)
    operator: Mapped[str]
    fps: Mapped[float]
    num_steps: Mapped[int]
    num_human_steps: Mapped[int]
    started_s: Mapped[float] = mapped_column(index=True)
    ended_s: Mapped[float | None]
    # Outcome in force, folded from `label_events` whenever one is appended, for lists and filters.
    outcome: Mapped[str] = mapped_column(index=True)
    # Newest label event of this episode, 0 before the first: a label made on an older one
    # conflicts.
    label_revision: Mapped[int]
    # The other labels in force that lists show or filter by, kept like `outcome`.
    excluded: Mapped[bool] = mapped_column(default=False, server_default=false())
    exclude_reason: Mapped[str] = mapped_column(default="", server_default="")
    note: Mapped[str] = mapped_column(default="", server_default="")
    terminal_step: Mapped[int | None]
    num_mistakes: Mapped[int] = mapped_column(default=0, server_default="0")
    # The newest of this episode's scores, copied from `scores` whenever one comes or the outcome
    # changes; all None before the first.
    score_checkpoint_id: Mapped[str | None]
    mean_value: Mapped[float | None]
    last_value: Mapped[float | None]
    max_value: Mapped[float | None]
    disagreement: Mapped[float | None]
    # Camera names and the dimensions' names, as in the folder's header.
    cameras: Mapped[list[Any]]
    joints: Mapped[list[Any]]


class LabelEventRow(Base):
    """One act of one person on one episode. Append-only, enforced by triggers."""

    __tablename__ = "label_events"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    # Made by the client (a grade's command_id); a repeat is ignored.
    event_id: Mapped[str] = mapped_column(unique=True)
    episode_id: Mapped[str] = mapped_column(ForeignKey("episodes.id"), index=True)
    created_s: Mapped[float]
    author: Mapped[str] = mapped_column(index=True)
    # `LabelKind` of `backend.episodes.labels`: outcome, …, undo, redo, revert.
    kind: Mapped[str]
    # Steps [start, end) the event speaks of; None for the whole episode.
    start_step: Mapped[int | None]
    end_step: Mapped[int | None]
    old: Mapped[dict[str, Any]]
    new: Mapped[dict[str, Any]]
    # `key`, `button`, `api`, `cli`, `review`, `import`, `recovery`.
    source: Mapped[str]
    # The event that an undo, redo, erase or revert speaks of.
    target_id: Mapped[int | None] = mapped_column(ForeignKey("label_events.id"))
    # What the events of one act on many episodes have in common.
    bulk_id: Mapped[str | None]


class CommandRow(Base):
    """Every command that reached the server and its answer; a repeat finds itself here."""

    __tablename__ = "commands"
    command_id: Mapped[str] = mapped_column(primary_key=True)
    command: Mapped[str]
    params: Mapped[dict[str, Any]]
    author: Mapped[str]
    source: Mapped[str]
    created_s: Mapped[float] = mapped_column(index=True)
    # None while the actor has not answered.
    accepted: Mapped[bool | None]
    phase: Mapped[str | None]
    error: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))


class JobRow(Base):
    """One background child process: queued, running, over."""

    __tablename__ = "jobs"
    id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    params: Mapped[dict[str, Any]]
    # Ids of jobs that must be done before it begins.
    after: Mapped[list[Any]] = mapped_column(default=list, server_default="[]")
    state: Mapped[str] = mapped_column(index=True)
    # Share done, 0 to 1, and what it is doing, for people.
    progress: Mapped[float]
    message: Mapped[str]
    # The exact command line, for a person to repeat it.
    command: Mapped[list[Any]]
    author: Mapped[str]
    # Id of the newest label event when it was started.
    label_revision: Mapped[int]
    created_s: Mapped[float] = mapped_column(index=True)
    started_s: Mapped[float | None]
    ended_s: Mapped[float | None]
    # Process id and its start time, which together name a process for good.
    pid: Mapped[int | None]
    pid_started_s: Mapped[float | None]
    # Bytes of metrics.jsonl already read into `metrics`.
    inbox_offset: Mapped[int]
    # What the job leaves behind, for example the dataset's path and counts.
    result: Mapped[dict[str, Any]]


class MetricRow(Base):
    """One number of one job at one step."""

    __tablename__ = "metrics"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"))
    name: Mapped[str]
    step: Mapped[int]
    value: Mapped[float]
    t_s: Mapped[float]
    __table_args__ = (Index("ix_metrics_job_name_step", "job_id", "name", "step"),)


class CheckpointRow(Base):
    """A folder `checkpoints/<run>/<step>`; its id is `run/step`."""

    __tablename__ = "checkpoints"
    id: Mapped[str] = mapped_column(primary_key=True)
    job_id: Mapped[str | None] = mapped_column(ForeignKey("jobs.id"))
    parent_id: Mapped[str | None] = mapped_column(ForeignKey("checkpoints.id"))
    step: Mapped[int]
    created_s: Mapped[float]
    size_bytes: Mapped[int]
    label_revision: Mapped[int]
    probes: Mapped[dict[str, Any]]
    # Set while this checkpoint is the one the actor should drive.
    promoted_s: Mapped[float | None]


class ScoreRow(Base):
    """A finished `scores/<checkpoint>/<episode>.npz`."""

    __tablename__ = "scores"
    checkpoint_id: Mapped[str] = mapped_column(ForeignKey("checkpoints.id"), primary_key=True)
    episode_id: Mapped[str] = mapped_column(ForeignKey("episodes.id"), primary_key=True, index=True)
    created_s: Mapped[float]
    mean_value: Mapped[float]
    last_value: Mapped[float]
    # These follow from the file; None in rows of an older version until the server has read it.
    max_value: Mapped[float | None]
    # What the values can be at least and at most.
    lowest: Mapped[float | None]
    highest: Mapped[float | None]
    # How far critic and outcome in force are apart, 0 to 1; None without an outcome. Brought up to
    # date with every label.
    disagreement: Mapped[float | None]


class DatasetRow(Base):
    """A LeRobot dataset under `datasets/`, imported or exported."""

    __tablename__ = "datasets"
    id: Mapped[str] = mapped_column(primary_key=True)
    repo_id: Mapped[str] = mapped_column(unique=True)
    job_id: Mapped[str | None] = mapped_column(ForeignKey("jobs.id"))
    created_s: Mapped[float]
    num_episodes: Mapped[int]
    num_frames: Mapped[int]
    size_bytes: Mapped[int]
    # Newest label event that the export could see.
    label_revision: Mapped[int]
    manifest: Mapped[dict[str, Any]]


class VideoRuleRow(Base):
    """How often a critic video is made of what is recorded; one row at most, of id 1."""

    __tablename__ = "video_rules"
    id: Mapped[int] = mapped_column(primary_key=True)
    # Recorded episodes between two videos; 0: none are made.
    every: Mapped[int]
    # Episodes that ended later than this count towards the next one.
    since_s: Mapped[float]
    author: Mapped[str]
    changed_s: Mapped[float]
