"""The nouns of the episode routes, and how they come from rows."""

from typing import Annotated, Self

from fastapi import Query
from pydantic import ConfigDict, Field

from backend.api.messages import Documented
from backend.db.episode_queries import (
    LISTED_STATES,
    EpisodeFacets,
    EpisodeFilter,
    EpisodeFlag,
    EpisodeOrder,
    flags_of,
)
from backend.db.models import EpisodeRow, ScoreRow
from backend.db.pages import MAX_LIMIT
from backend.domain import Driver, EndReason, EpisodeState, Outcome
from backend.episodes.columns import EpisodeSteps
from backend.episodes.recovery import UnfinishedTake

# Kept in the row under the same names.
ROW_FIELDS = (
    *("id", "session_id", "number", "num_steps", "num_human_steps", "fps", "task", "robot"),
    *("operator", "policy", "checkpoint_id", "started_s", "ended_s", "cameras", "joints"),
    *("label_revision", "terminal_step"),
)


class EpisodeWords(Documented):
    """Which episodes; words that are left out let all through."""

    outcome: Outcome | None = Field(default=None, description="only with this outcome")
    q: str = Field(default="", description="part of task, robot or operator, or beginning of an id")
    state: list[EpisodeState] | None = Field(
        default=None, description="only in these states; all but discarded when left out"
    )
    session_id: str | None = Field(default=None, description="only of this session")
    task: str | None = Field(default=None, description="only of this task, whole and exact")
    robot: str | None = Field(default=None, description="only of the robot config of this name")
    checkpoint_id: str | None = Field(
        default=None, description="only attempts that this checkpoint drove"
    )
    operator: str | None = Field(default=None, description="only by this operator")
    excluded: bool | None = Field(
        default=None, description="only those left out of training, or only the others"
    )
    flag: EpisodeFlag | None = Field(
        default=None,
        description="only with this flag: `unlabeled`; `disagree`: the critic is nearer to the "
        "other outcome; `human`: a person drove half of it or more; `excluded`; `mistake`: it has "
        "a range of that kind; `note`",
    )
    min_human: float | None = Field(
        default=None, ge=0, le=1, description="only with at least this share of human steps"
    )
    scored_by: str | None = Field(
        default=None,
        description="checkpoint whose scores tell values and disagreement; of each episode the "
        "newest scores when left out",
    )

    def to_filter(self) -> EpisodeFilter:
        """What the database is asked."""
        return EpisodeFilter(
            outcome=self.outcome,
            q=self.q,
            session_id=self.session_id,
            checkpoint_id=self.checkpoint_id,
            states=tuple(self.state) if self.state else LISTED_STATES,
            task=self.task,
            robot=self.robot,
            operator=self.operator,
            excluded=self.excluded,
            flag=self.flag,
            min_human=self.min_human,
            scored_by=self.scored_by,
        )


class EpisodeQuery(EpisodeWords):
    """Which episodes, in which order, and which page of them."""

    # Other words of an address, like the caller's name, are not ours to judge.
    model_config = ConfigDict(extra="ignore")

    order: EpisodeOrder = Field(
        default=EpisodeOrder.NEWEST,
        description="which come first; `unlabeled`: what needs a person most, that is without "
        "outcome, then by disagreement, human share and age",
    )
    limit: int = Field(default=50, ge=1, le=MAX_LIMIT, description="items a page")
    cursor: str | None = Field(default=None, description="`next_cursor` of the page before")


class FacetQuery(EpisodeWords):
    """Which episodes to count."""

    model_config = ConfigDict(extra="ignore")


ListWords = Annotated[EpisodeQuery, Query()]
FacetWords = Annotated[FacetQuery, Query()]


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
    excluded: bool
    """Left out of exports and training, and why."""
    exclude_reason: str
    note: str
    terminal_step: int | None
    """The last step that counts, when a label has moved the end forward."""
    human_share: float
    """Share of the steps that a person drove, 0 to 1."""
    score_checkpoint_id: str | None
    """Whose scores these are: the checkpoint that was asked for, else that of the newest scores;
    null without a score."""
    mean_value: float | None
    """The critic's value: mean over the episode, of its last step, and the highest."""
    last_value: float | None
    max_value: float | None
    disagreement: float | None
    """How far critic and outcome are apart: 0 they agree, 1 the critic is sure of the opposite;
    null without a score or an outcome."""
    flags: list[EpisodeFlag]

    @classmethod
    def of(
        cls, row: EpisodeRow, *, scored_by: str | None = None, score: ScoreRow | None = None
    ) -> Self:
        """The episode of a row.

        Args:
            row: Its row.
            scored_by: Show this checkpoint's scores instead of the newest.
            score: That checkpoint's score, if it has one.
        """
        says: EpisodeRow | ScoreRow | None = row if scored_by is None else score
        shown_by = row.score_checkpoint_id if scored_by is None else scored_by if score else None
        disagreement = says.disagreement if says else None
        return cls(
            **{name: getattr(row, name) for name in ROW_FIELDS},
            outcome=Outcome(row.outcome),
            state=EpisodeState(row.state),
            end_reason=EndReason(row.end_reason) if row.end_reason else None,
            excluded=bool(row.excluded),
            exclude_reason=row.exclude_reason or "",
            note=row.note or "",
            human_share=row.num_human_steps / row.num_steps if row.num_steps else 0.0,
            score_checkpoint_id=shown_by,
            mean_value=says.mean_value if says else None,
            last_value=says.last_value if says else None,
            max_value=says.max_value if says else None,
            disagreement=disagreement,
            flags=flags_of(row, disagreement),
        )


class EpisodeList(Documented):
    """One page of episodes."""

    items: list[Episode]
    total: int
    next_cursor: str | None


class Facets(Documented):
    """How many episodes of a filter have which property: each a count by name."""

    total: int
    outcome: dict[str, int]
    task: dict[str, int]
    robot: dict[str, int]
    checkpoint: dict[str, int]
    """By the checkpoint that drove; attempts without one are not counted here."""
    operator: dict[str, int]
    flag: dict[str, int]
    scored_by: dict[str, int]
    """Checkpoints that have scored any episode at all, newest scoring first."""

    @classmethod
    def of(cls, facets: EpisodeFacets) -> Self:
        return cls(**{name: getattr(facets, name) for name in cls.model_fields})


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
