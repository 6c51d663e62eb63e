"""Publishes an online learner's weights at their own pace, and lets the server know.

Only when the actor has learned something since the last time: a version that acts like the one
before it would only confuse the statistics. A full disk stops the publishing, not the learning.
"""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from backend.jobs.checkpoint_rules import missing_bytes
from backend.jobs.child import JobChild
from backend.jobs.online_params import Every
from backend.jobs.train_saving import RunSaver
from backend.learning.learner import Learner
from backend.learning.published import publish_weights
from backend.learning.published_files import (
    prune_weights,
    published_versions,
    read_note,
    weights_folder,
)

# Versions of a run that stay.
KEPT_VERSIONS = 5
ALARM = "not_published"


class Publisher:
    """The publications of one job's run."""

    def __init__(
        self,
        child: JobChild,
        saver: RunSaver,
        *,
        every: Every,
        monotonic_s: Callable[[], float],
    ) -> None:
        """Publish below the saver's folder, over its checkpoints."""
        self._child = child
        self._saver = saver
        self._every = every
        self._now_s = monotonic_s
        self._last_s, self._last_step = monotonic_s(), 0
        self._has_learned = False
        self._is_short = False
        versions = published_versions(saver.folder)
        self._newest = read_note(weights_folder(saver.folder, versions[-1])) if versions else None

    @property
    def newest_id(self) -> str:
        """The version published last; empty before the first."""
        return "" if self._newest is None else self._newest.id

    def begin(self, step: int) -> None:
        """The learner is at this step, be it new or resumed."""
        self._last_s, self._last_step = self._now_s(), step

    def learned(self, stage: str) -> None:
        """Another step of this stage was made."""
        self._has_learned |= stage != "critic"

    def is_due(self, step: int) -> bool:
        """Whether something new should be published now."""
        elapsed_s = self._now_s() - self._last_s
        is_due = self._every.is_due(steps=step - self._last_step, time_s=elapsed_s)
        return self._has_learned and is_due

    def publish(self, learner: Learner, *, label_revision: int, now_s: float) -> None:
        """Publish what is new, if there is anything and the disk has room for it.

        Args:
            learner: Whose weights.
            label_revision: Newest label event learned from.
            now_s: Unix time.
        """
        self.begin(learner.step)
        if not self._has_learned or not self._has_room(learner.step):
            return
        folder = self._saver.folder
        self._newest = publish_weights(
            learner,
            folder,
            base=self._saver.id(self._saver.steps[-1]),
            label_revision=label_revision,
            now_s=now_s,
        )
        self._has_learned = False
        self._child.announce(**self.told())
        prune_weights(folder, keep=KEPT_VERSIONS)

    def told(self) -> dict[str, Any]:
        """What the server knows of the newest version, as `published`; nothing before the first."""
        note = self._newest
        if note is None:
            return {}
        folder = weights_folder(self._saver.folder, note.version)
        return {"published": {**asdict(note), "id": note.id, "path": str(folder)}}

    def _has_room(self, step: int) -> bool:
        size = 0 if self._newest is None else self._newest.size_bytes
        missing = missing_bytes(self._saver.folder, size)
        text = (
            f"The disk of {self._saver.folder} lacks {missing / 1e9:.2f} GB, so newer weights are "
            "not published: free some."
        )
        if bool(missing) is not self._is_short:
            self._is_short = bool(missing)
            alarm = {"name": ALARM, "step": step, "text": text if missing else ""}
            self._child.announce(alarm=alarm)
        return not missing
