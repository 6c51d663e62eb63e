"""The nouns of the checkpoint routes, and how they come from rows."""

from typing import Any, Self

from pydantic import Field

from backend.api.messages import Documented
from backend.db.checkpoint_queries import CheckpointLineage
from backend.db.models import JobRow
from backend.statistics import wilson


class Checkpoint(Documented):
    """Weights of one moment of a run, what came before them and what came of them."""

    id: str
    """`run/step`, the folder below `checkpoints`."""
    run: str
    step: int
    job_id: str | None
    """The training that made it; None when its folder was copied here."""
    parent_id: str | None
    """The checkpoint that its run started from; None when that was none of ours."""
    children: list[str]
    """Checkpoints whose runs started from this one."""
    created_s: float
    size_bytes: int
    """0 when its files are gone; the row stays for the lineage."""
    label_revision: int
    """Newest label event that its run could see."""
    probes: dict[str, float]
    """Measured on held-out episodes, by name."""
    promoted_s: float | None
    """Since when the robot drives it; None when it does not."""
    num_successes: int
    """Attempts that it drove, by the labels in force."""
    num_failures: int
    num_unjudged: int
    rate: float | None
    """successes / judged attempts and its 95 % Wilson interval; None without one."""
    rate_low: float | None
    rate_high: float | None
    num_scored: int
    """Episodes that its critic has scored, and those that have a critic video of it."""
    num_videos: int

    @classmethod
    def of(cls, found: CheckpointLineage, *, num_videos: int) -> Self:
        return cls(**_facts(found, num_videos))


class CheckpointList(Documented):
    """One page of checkpoints, newest first."""

    items: list[Checkpoint]
    total: int
    next_cursor: str | None


class SourceCounts(Documented):
    """What one source of a training holds."""

    name: str
    share: float
    """Of the samples, 0 to 1."""
    outcomes: dict[str, int]
    """Episodes by outcome; and the same by what made them: a policy, a checkpoint, a dataset."""
    origins: dict[str, dict[str, int]]
    num_steps: int
    num_human_steps: int
    tasks: dict[str, int]
    """Episodes by task."""


class CheckpointDetails(Checkpoint):
    """A checkpoint with all that its run learned from and how."""

    folder: str
    """On the server's disk; what LeRobot's `--policy.path` takes."""
    preset: str
    """Empty when the run left no note of it."""
    config: dict[str, Any]
    """The learner's config of its run; empty when the run left no note of it."""
    sources: list[SourceCounts]
    author: str
    """Who started the training."""

    @classmethod
    def with_run(
        cls,
        found: CheckpointLineage,
        *,
        num_videos: int,
        folder: str,
        run: dict[str, Any],
        job: JobRow | None,
    ) -> Self:
        plan = job.result.get("plan", {}) if job else {}
        return cls(
            **_facts(found, num_videos),
            folder=folder,
            preset=str(run.get("preset", "")),
            config=run.get("config", {}),
            sources=[SourceCounts.model_validate(source) for source in plan.get("sources", [])],
            author=job.author if job else "",
        )


class DeleteBody(Documented):
    """How a checkpoint should be deleted."""

    force: bool = False
    """Also one that drove episodes: their lineage then points to a checkpoint without files."""


class ExportBody(Documented):
    """Where a checkpoint should be copied to."""

    name: str = Field(default="", max_length=96, examples=["touch-best"])
    """Folder below `exports` in the data directory; `run-step` when empty."""


class ExportedCheckpoint(Documented):
    """A plain folder that LeRobot loads, with no link back to Handrail."""

    checkpoint_id: str
    folder: str
    size_bytes: int


def _facts(found: CheckpointLineage, num_videos: int) -> dict[str, Any]:
    row = found.row
    judged = found.num_successes + found.num_failures
    low, high = wilson(found.num_successes, judged) if judged else (None, None)
    return {
        "id": row.id,
        "run": row.id.partition("/")[0],
        "step": row.step,
        "job_id": row.job_id,
        "parent_id": row.parent_id,
        "children": list(found.children),
        "created_s": row.created_s,
        "size_bytes": row.size_bytes,
        "label_revision": row.label_revision,
        "probes": row.probes,
        "promoted_s": row.promoted_s,
        "num_successes": found.num_successes,
        "num_failures": found.num_failures,
        "num_unjudged": found.num_unjudged,
        "rate": found.num_successes / judged if judged else None,
        "rate_low": low,
        "rate_high": high,
        "num_scored": found.num_scored,
        "num_videos": num_videos,
    }
