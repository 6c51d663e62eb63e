"""The nouns of the episode and label routes, and how they come from rows."""

from typing import Any, Literal, Self

from pydantic import Field

from backend.api.messages import Documented
from backend.db.models import EpisodeRow, LabelEventRow
from backend.domain import Driver, EndReason, EpisodeState, Outcome
from backend.episodes.columns import EpisodeSteps
from backend.episodes.labels import LabelKind
from backend.episodes.recovery import UnfinishedTake
from backend.review import EpisodeLabels


class Episode(Documented):
    """One attempt: its facts, and the outcome in force."""

    id: str
    session_id: str | None
    """None for a take that was copied from another data directory."""
    number: int
    """Position in its session, from 1."""
    outcome: Outcome
    num_steps: int
    """Steps recorded, and how many of them a person drove."""
    num_human_steps: int
    fps: float
    task: str
    robot: str
    operator: str
    policy: str
    """`hold`, `scripted`, or the checkpoint that acted; the latter also as `checkpoint_id`."""
    checkpoint_id: str | None
    started_s: float
    ended_s: float | None
    """None while recording and for unfinished takes."""
    state: EpisodeState
    end_reason: EndReason | None
    cameras: list[str]
    joints: list[str]
    label_revision: int
    """Newest label event; send it with a label to learn whether somebody else was faster."""

    @classmethod
    def of(cls, row: EpisodeRow) -> Self:
        return cls(
            **{
                name: getattr(row, name)
                for name in Episode.model_fields
                if name not in ("outcome", "state", "end_reason")
            },
            outcome=Outcome(row.outcome),
            state=EpisodeState(row.state),
            end_reason=EndReason(row.end_reason) if row.end_reason else None,
        )


class EpisodeList(Documented):
    """One page of episodes."""

    items: list[Episode]
    total: int
    next_cursor: str | None


class Take(Documented):
    """A recording whose recorder died; it waits to be recovered or discarded."""

    id: str
    task: str
    robot: str
    started_s: float | None
    """None when the recorder died before it wrote even that."""
    num_steps: int
    """Whole steps; 0 means that there is nothing to recover."""
    duration_s: float
    size_bytes: int

    @classmethod
    def of(cls, take: UnfinishedTake) -> Self:
        header = take.header
        return cls(
            id=take.id,
            task=header.task if header else "",
            robot=header.robot if header else "",
            started_s=header.started_s if header else None,
            num_steps=take.num_steps,
            duration_s=take.num_steps / header.fps if header else 0.0,
            size_bytes=take.size_bytes,
        )


class TakeList(Documented):
    """All unfinished takes, oldest first."""

    items: list[Take]
    total: int
    next_cursor: str | None = None


class Discarded(Documented):
    """Where a discarded take went; nothing was deleted."""

    id: str
    folder: str


class Steps(Documented):
    """The steps of one episode as columns of equal length."""

    episode_id: str
    fps: float
    state_names: list[str]
    action_names: list[str]
    step: list[int]
    timestamp_s: list[float]
    """Seconds since the first step, and Unix time."""
    wall_s: list[float]
    state: list[list[float]]
    """A list of `state_names`' or `action_names`' length a step; `action` is what was executed,
    `requested` what the driver had asked for."""
    action: list[list[float]]
    requested: list[list[float]]
    driver: list[Driver]
    value: list[float | None]
    """The critic's value and spread; null where it had said nothing."""
    spread: list[float | None]
    frame_wall_s: dict[str, list[float]]
    """When each camera's frame was taken, Unix time, by camera."""

    @classmethod
    def of(
        cls,
        steps: EpisodeSteps,
        *,
        episode_id: str,
        fps: float,
        state_names: tuple[str, ...],
        action_names: tuple[str, ...],
    ) -> Self:
        return cls(
            episode_id=episode_id,
            fps=fps,
            state_names=list(state_names),
            action_names=list(action_names),
            step=steps.step.tolist(),
            timestamp_s=steps.timestamp_s.tolist(),
            wall_s=steps.wall_s.tolist(),
            state=steps.state.tolist(),
            action=steps.action.tolist(),
            requested=steps.requested.tolist(),
            driver=steps.driver.tolist(),
            value=_without_nan(steps.value.tolist()),
            spread=_without_nan(steps.spread.tolist()),
            frame_wall_s={name: wall.tolist() for name, wall in steps.frame_wall_s.items()},
        )


def _without_nan(values: list[float]) -> list[float | None]:
    return [None if value != value else value for value in values]


class LabelBody(Documented):
    """Something a person says of an episode."""

    kind: Literal[LabelKind.OUTCOME, LabelKind.EXCLUDE, LabelKind.NOTE] = LabelKind.OUTCOME
    new: dict[str, Any] = Field(examples=[{"outcome": "success"}])
    """outcome: {"outcome": "success" | "failure" | "none"}; exclude: {"excluded": bool, "reason":
    text}; note: {"note": text}."""
    event_id: str | None = Field(default=None, min_length=1, max_length=64)
    """Made by the client; a repeat does nothing. The server makes one when it is missing."""
    expected_revision: int | None = None
    """The `label_revision` that the client saw; refused with 409 when there is a newer one."""


class UndoBody(Documented):
    """Which of the caller's acts to take back or say again: the last one, here or anywhere."""

    episode_id: str | None = None
    event_id: str | None = Field(default=None, min_length=1, max_length=64)


class Labels(Documented):
    """What holds for an episode."""

    episode_id: str
    outcome: Outcome
    excluded: bool
    exclude_reason: str
    note: str
    revision: int

    @classmethod
    def of(cls, labels: EpisodeLabels) -> Self:
        return cls(
            episode_id=labels.episode_id,
            outcome=labels.labels.outcome,
            excluded=labels.labels.excluded,
            exclude_reason=labels.labels.exclude_reason,
            note=labels.labels.note,
            revision=labels.revision,
        )


class LabelEvent(Documented):
    """One line of an episode's label log."""

    id: int
    event_id: str
    episode_id: str
    created_s: float
    author: str
    kind: LabelKind
    old: dict[str, Any]
    """What held before and what the event says."""
    new: dict[str, Any]
    source: str
    """`key`, `button`, `api`, `cli`, `review`, `import`, `recovery`, `socket`."""
    target_id: int | None
    """The event that an undo, redo or revert speaks of."""

    @classmethod
    def of(cls, row: LabelEventRow) -> Self:
        return cls(**{name: getattr(row, name) for name in cls.model_fields})


class LabelEventList(Documented):
    """An episode's label log, oldest first, and what holds after it."""

    items: list[LabelEvent]
    total: int
    next_cursor: str | None = None
    in_force: Labels
