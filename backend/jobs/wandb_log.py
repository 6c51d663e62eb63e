"""Sends a run's numbers to Weights & Biases, if the user asked for that; in the job only.

The names are those of the project this one grew from (`train/loss_critic`, x-axis `Optimization
step`), so that old and new runs lie on one chart. A resumed job goes on in its W&B run.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np

X_AXIS = "train/Optimization step"
# Of a distribution.
NUM_BINS = 64


class WandbLog:
    """One W&B run. `close()` may be repeated."""

    def __init__(
        self,
        *,
        mode: Literal["online", "offline"],
        project: str,
        run: str,
        folder: Path,
        config: Mapping[str, Any],
    ) -> None:
        """Begin or continue the run.

        Args:
            mode: `online` or `offline`; an offline run is sent later with `wandb sync`.
            project: Project to log to.
            run: Name and id of the run.
            folder: Where W&B keeps its files.
            config: Shown beside the run.
        """
        os.environ.setdefault("WANDB_SILENT", "true")
        import wandb  # noqa: PLC0415 - seconds to import, and only for who asked for it

        self._wandb = wandb
        self._run = wandb.init(
            mode=mode,
            project=project,
            name=run,
            id=run,
            resume="allow",
            dir=str(folder),
            config=dict(config),
            settings=wandb.Settings(console="off"),
        )
        self._is_open = True
        self._run.define_metric("train/*", step_metric=X_AXIS)
        self._run.define_metric("probe/*", step_metric=X_AXIS)

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        """Send the numbers of a step."""
        self._run.log({**metrics, X_AXIS: step})

    def log_histograms(self, step: int, values: Mapping[str, np.ndarray]) -> None:
        """Send distributions, each an array of any length."""
        drawn = {
            name: self._wandb.Histogram(np_histogram=np.histogram(array, bins=NUM_BINS))
            for name, array in values.items()
            if len(array)
        }
        self._run.log({**drawn, X_AXIS: step})

    def close(self) -> None:
        """Bring everything to where it belongs; harmless when repeated."""
        if self._is_open:
            self._is_open = False
            self._run.finish(quiet=True)
