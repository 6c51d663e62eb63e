"""Saves a run's checkpoints: checks the disk first, tells of each one, prunes old ones by the rule.

Offline and online trainings share it; see `checkpoint_rules.py` for what stays.
"""

import math
from pathlib import Path

from torch import nn

from backend import checkpoints
from backend.db.checkpoint_queries import protected_checkpoints
from backend.db.engine import open_database
from backend.jobs.checkpoint_rules import apply_pruning, missing_bytes, prune_rule
from backend.jobs.child import JobChild, JobFailedError
from backend.learning.checkpoints import checkpoint_steps, step_folder
from backend.learning.learner import Learner
from backend.learning.meter import Metrics
from backend.learning.optimizer import MasterOptimizer
from backend.learning.training import save_run


class RunSaver:
    """The checkpoints of one job's run."""

    def __init__(self, child: JobChild, *, run: str, keep: int) -> None:
        """Save below the child's data directory.

        Args:
            child: Who tells of them.
            run: Name of the run.
            keep: Newest checkpoints that stay.
        """
        self._child = child
        self._run = run
        self._keep = keep
        self._last_size = 0
        self.folder = child.data_dir / checkpoints.CHECKPOINTS_DIR / run

    @property
    def steps(self) -> list[int]:
        """Steps of the checkpoints that are there, oldest first."""
        return checkpoint_steps(self.folder)

    def id(self, step: int) -> str:
        """Id of the checkpoint of that step."""
        return f"{self._run}/{step_folder(Path(), step).name}"

    def save(self, learner: Learner) -> None:
        """Write the checkpoint of the present step, if it is not there yet.

        Raises:
            JobFailedError: The disk has no room for it.
        """
        if learner.step not in self.steps:
            self.check_disk(learner)
            save_run(learner, self.folder)

    def tell(self, learner: Learner, probes: Metrics, *, label_revision: int | None = None) -> None:
        """Tell of the checkpoint of the present step, then delete those whose time is over.

        Args:
            learner: Whose checkpoint.
            probes: What was measured on it; what is not finite is left out.
            label_revision: Newest label event learned from, where the run's own is not it.
        """
        described = checkpoints.describe(self._child.data_dir, self.id(learner.step))
        described["probes"] = {n: v for n, v in probes.items() if math.isfinite(v)}
        if label_revision is not None:
            described["label_revision"] = label_revision
        self._last_size = described["size_bytes"]
        self._child.announce(checkpoint=described)
        self._prune()

    def check_disk(self, learner: Learner) -> None:
        """Refuse to go on when the next checkpoint does not fit.

        Raises:
            JobFailedError: It does not.
        """
        needed = self._last_size or estimated_bytes(learner)
        missing = missing_bytes(self.folder, needed)
        if missing:
            steps = self.steps
            saved = f"; the last one is of step {steps[-1]}" if steps else ""
            raise JobFailedError(
                f"a checkpoint needs {needed / 1e9:.2f} GB and the disk of {self.folder} lacks "
                f"{missing / 1e9:.2f} GB{saved}: free some (delete checkpoints, or lower keep) and "
                "resume this job"
            )

    def _prune(self) -> None:
        database = open_database(self._child.database_url)
        try:
            with database.read() as db:
                protected = protected_checkpoints(db)
        finally:
            database.close()
        steps = self.steps
        mine = {step: protected[self.id(step)] for step in steps if self.id(step) in protected}
        rule = prune_rule(steps, keep=self._keep, protected=mine)
        deleted, thinned = apply_pruning(rule, lambda step: step_folder(self.folder, step))
        for step in deleted:
            self._child.announce(deleted=self.id(step))
        for step in thinned:
            described = checkpoints.describe(self._child.data_dir, self.id(step))
            self._child.announce(checkpoint=described)


def estimated_bytes(learner: Learner) -> int:
    """About how large the next checkpoint is: weights, and per trained weight three float32."""
    parts: list[nn.Module] = [learner.models.policy, learner.models.critic]
    if learner.target is not None:
        parts.append(learner.target)
    weights: int = sum(p.numel() * p.element_size() for part in parts for p in part.parameters())
    optimizers: list[MasterOptimizer | None] = [learner.actor_optimizer, learner.critic_optimizer]
    trained: int = sum(
        optimizer.master(name).numel()
        for optimizer in optimizers
        if optimizer is not None
        for name in optimizer.names
    )
    return weights + 3 * 4 * trained
