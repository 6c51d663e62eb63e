"""The nouns of the label routes, and how they come from rows."""

from typing import Any, Literal, Self

from pydantic import Field

from backend.api.episode_replies import EpisodeWords
from backend.api.messages import Documented
from backend.db.models import LabelEventRow
from backend.domain import Outcome
from backend.episodes.label_ranges import LabelRange as RangeInForce
from backend.episodes.label_ranges import RangeKind
from backend.episodes.labels import LabelKind, LabelsInForce
from backend.review import BulkPlan, EpisodeLabels

SHOWN_IDS = 20
GIVEN = Literal[
    LabelKind.OUTCOME,
    LabelKind.EXCLUDE,
    LabelKind.NOTE,
    LabelKind.TERMINAL,
    LabelKind.MISTAKE,
    LabelKind.RECOVERY,
    LabelKind.CORRECTION,
    LabelKind.SUBTASK,
    LabelKind.ERASE,
]


class LabelBody(Documented):
    """Something a person says of an episode."""

    kind: GIVEN = LabelKind.OUTCOME
    new: dict[str, Any] = Field(default_factory=dict, examples=[{"outcome": "success"}])
    """outcome: {"outcome": "success" | "failure" | "none"}; exclude: {"excluded": bool, "reason":
    text}; note: {"note": text}; terminal: {"step": n | null}, the episode ends after step n;
    subtask: {"text": text}; mistake, recovery, correction: nothing, or {"text": remark}; erase:
    nothing."""
    start_step: int | None = None
    """mistake, recovery, correction, subtask: the first step of the range, and the step behind its
    last one."""
    end_step: int | None = None
    target_id: int | None = None
    """erase: `id` of the range in force that should go, whoever made it."""
    event_id: str | None = Field(default=None, min_length=1, max_length=64)
    """Made by the client; a repeat does nothing. The server makes one when it is missing."""
    expected_revision: int | None = None
    """The `label_revision` that the client saw; refused with 409 when there is a newer one."""


class RevertBody(Documented):
    """Where in its history an episode should go back to."""

    revision: int = Field(ge=0)
    """What held after the event of this id will hold again; 0: before anybody said anything."""
    event_id: str | None = Field(default=None, min_length=1, max_length=64)


class UndoBody(Documented):
    """Which of the caller's acts to take back or say again: the last one, here or anywhere."""

    episode_id: str | None = None
    """Only in this episode, even if the act was a bulk."""
    event_id: str | None = Field(default=None, min_length=1, max_length=64)


class LabelRange(Documented):
    """Steps that somebody gave a kind. Ranges of one layer (mistake and correction; subtask;
    recovery) never overlap: the newer one takes its steps from the older."""

    id: int
    """Of the event that said it; `erase` names it. Two pieces of one range have the same."""
    kind: RangeKind
    start_step: int
    """Steps [start_step, end_step)."""
    end_step: int
    text: str
    author: str

    @classmethod
    def of(cls, labelled: RangeInForce) -> Self:
        return cls(**labelled.to_dict())


class Labels(Documented):
    """What holds for an episode."""

    episode_id: str
    outcome: Outcome
    excluded: bool
    exclude_reason: str
    note: str
    terminal_step: int | None
    """The last step that counts; null: the last one recorded."""
    ranges: list[LabelRange]
    """By their first step."""
    revision: int
    changed: list[str]
    """All episodes that the same act changed: many when a bulk was undone or said again."""

    @classmethod
    def of(cls, labels: EpisodeLabels) -> Self:
        return cls.at(
            labels.episode_id,
            labels.labels,
            revision=labels.revision,
            changed=list(labels.changed),
        )

    @classmethod
    def at(
        cls,
        episode_id: str,
        labels: LabelsInForce,
        *,
        revision: int,
        changed: list[str] | None = None,
    ) -> Self:
        return cls(
            episode_id=episode_id,
            outcome=labels.outcome,
            excluded=labels.excluded,
            exclude_reason=labels.exclude_reason,
            note=labels.note,
            terminal_step=labels.terminal_step,
            ranges=[LabelRange.of(each) for each in labels.ranges],
            revision=revision,
            changed=changed or [],
        )


class LabelEvent(Documented):
    """One line of an episode's label log."""

    id: int
    event_id: str
    episode_id: str
    created_s: float
    author: str
    kind: LabelKind
    start_step: int | None
    """Steps [start_step, end_step) of a range."""
    end_step: int | None
    old: dict[str, Any]
    """What held before and what the event says."""
    new: dict[str, Any]
    source: str
    """`key`, `button`, `api`, `cli`, `review`, `import`, `recovery`, `socket`."""
    target_id: int | None
    """The event that an undo, redo, erase or revert speaks of."""
    bulk_id: str | None
    """What events have in common that one act made on many episodes."""

    @classmethod
    def of(cls, row: LabelEventRow) -> Self:
        return cls(**{name: getattr(row, name) for name in cls.model_fields})


class LabelEventList(Documented):
    """An episode's label log, oldest first, and what holds after it."""

    items: list[LabelEvent]
    total: int
    next_cursor: str | None = None
    in_force: Labels


class LabelNews(Documented):
    """Something that somebody said of some episode."""

    id: int
    episode_id: str
    author: str
    kind: LabelKind
    created_s: float
    outcome: Outcome
    """In force in that episode now."""
    bulk_id: str | None


class LabelNewsList(Documented):
    """What was said of all episodes, oldest first; ask again with `after` = the last id."""

    items: list[LabelNews]
    newest: int
    """Id of the newest event of all; 0 before the first. Beyond the last item: there are more."""
    num_episodes: int
    """Finished and recovered episodes of all, those without a label too."""


class Conflict(Documented):
    """`details` of the error `conflict`: both versions of an episode's labels."""

    expected: Labels
    """What held when the caller looked, and what holds now."""
    present: Labels
    newest: LabelEvent | None
    """The event that came in between, the last one if there were several."""


class Expected(Documented):
    """What the maker of a bulk was shown by its dry run."""

    count: int
    """`matched`."""
    newest: int


class BulkBody(Documented):
    """The same word for all episodes of a filter."""

    filter: EpisodeWords
    kind: Literal[LabelKind.OUTCOME, LabelKind.EXCLUDE, LabelKind.NOTE]
    new: dict[str, Any] = Field(examples=[{"excluded": True, "reason": "camera slipped"}])
    """As for one episode."""
    dry_run: bool = True
    """Only say what it would do."""
    expected: Expected | None = None
    """Needed to do it: `matched` and `newest` of the dry run. When they do not hold any more
    nothing is done and the answer is 409, code `conflict`, with the new dry run as `details`."""
    event_id: str | None = Field(default=None, min_length=1, max_length=64)
    """Made by the client; a repeat does nothing. Ids of the events begin with it."""


class BulkAnswer(Documented):
    """What a bulk would do, or has done. Finished and recovered episodes only."""

    done: bool
    matched: int
    would_change: int
    """Episodes that get an event; the others are so already."""
    already: int
    outcomes: dict[Outcome, int]
    """Of the matched, by the outcome before."""
    ids: list[str]
    """The first of those that change, oldest first."""
    newest: int
    """Newest label event of all episodes."""

    @classmethod
    def of(cls, plan: BulkPlan, *, done: bool) -> Self:
        return cls(
            done=done,
            matched=len(plan.matched),
            would_change=len(plan.changing),
            already=len(plan.matched) - len(plan.changing),
            outcomes=dict(plan.outcomes),
            ids=list(plan.changing[:SHOWN_IDS]),
            newest=plan.newest,
        )
