"""Example data for an empty data directory: a small checkpoint, its attempts, its critic's scores.

    bundle/episodes/<uuid>/                 as recorded, in the simulator
    bundle/checkpoints/<run>/<step>/        what acts and scores, without what resuming would need
    bundle/scores/<run>/<step>/<uuid>.npz

`scripts/make_sandbox.py` makes it. Loading copies it and takes it in as anything found in the data
directory would be, then promotes the checkpoint, so that it drives when the robot is opened. Asked
once: the answer is kept in `sandbox.json`. Nothing is ever loaded beside data of one's own.
"""

import json
import shutil
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from sqlalchemy import func, select

from backend import checkpoints
from backend.db.engine import Database
from backend.db.models import CheckpointRow, EpisodeRow
from backend.episodes.files import write_json
from backend.episodes.format import EPISODES_DIR
from backend.episodes.scores import SCORES_DIR, read_scores, write_scores
from backend.intake import reconcile
from backend.review import record_score

BUNDLE_DIR = Path(__file__).parent / "bundle"
ANSWER_FILE = "sandbox.json"
PARTS = (EPISODES_DIR, checkpoints.CHECKPOINTS_DIR, SCORES_DIR)


class SandboxState(StrEnum):
    """Whether to ask for it."""

    # There is nothing of one's own yet, and nobody was asked.
    OFFERED = "offered"
    LOADED = "loaded"
    DECLINED = "declined"
    # Not wanted at this start, no bundle, or there is data already.
    UNAVAILABLE = "unavailable"


class SandboxError(Exception):
    """It cannot be loaded. Says why and what to do."""


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """What came in."""

    checkpoint_id: str
    num_episodes: int
    num_scores: int


class Sandbox:
    """The bundle and one data directory."""

    def __init__(
        self, database: Database, data_dir: Path, *, wanted: bool, bundle: Path = BUNDLE_DIR
    ) -> None:
        """Prepare; nothing is read yet.

        Args:
            database: Of the data directory.
            data_dir: Where it would go.
            wanted: False where the server was started without it.
            bundle: What would go there.
        """
        self._database = database
        self.data_dir = data_dir
        self._wanted = wanted
        self._bundle = bundle

    def state(self) -> SandboxState:
        """Whether to ask; fast enough for every page."""
        answer = self._answer()
        if answer is not None:
            return answer
        if not self._wanted or not self._bundle.is_dir() or not self._is_empty():
            return SandboxState.UNAVAILABLE
        return SandboxState.OFFERED

    def num_bytes(self) -> int:
        """How large the bundle is."""
        return sum(file.stat().st_size for file in self._bundle.rglob("*") if file.is_file())

    def decline(self) -> None:
        """Do not ask again.

        Raises:
            SandboxError: It is loaded already.
        """
        if self._answer() is SandboxState.LOADED:
            raise SandboxError("the example data is loaded already: delete what you do not want")
        self._keep(SandboxState.DECLINED)

    def load(self, *, now_s: float) -> Loaded:
        """Copy the bundle in, and let its checkpoint be the one that drives.

        Args:
            now_s: Unix time.

        Raises:
            SandboxError: There is data already, or no bundle.
        """
        if not self._bundle.is_dir():
            raise SandboxError(
                f"there is no example data in {self._bundle}: make it with scripts/make_sandbox.py"
            )
        if not self._is_empty():
            raise SandboxError(
                "there is data of your own already, and examples would mix with it: start with "
                "another --data-dir to look at them"
            )
        self._copy()
        reconcile(self._database, self.data_dir)
        with self._database.write() as db:
            (checkpoint_id,) = checkpoints.take_in(db, self.data_dir)
            checkpoints.promote(db, self.data_dir, checkpoint_id, now_s=now_s)
        loaded = Loaded(
            checkpoint_id=checkpoint_id,
            num_episodes=len(list((self._bundle / EPISODES_DIR).iterdir())),
            num_scores=self._take_in_scores(checkpoint_id),
        )
        self._keep(SandboxState.LOADED)
        return loaded

    def _copy(self) -> None:
        """Copy aside first: whoever looks meanwhile finds an episode as a whole or not at all."""
        aside = self.data_dir / ".sandbox"
        shutil.rmtree(aside, ignore_errors=True)
        shutil.copytree(self._bundle, aside)
        for part in PARTS:
            (self.data_dir / part).mkdir(exist_ok=True)
            for folder in (aside / part).iterdir():
                folder.replace(self.data_dir / part / folder.name)
        shutil.rmtree(aside)

    def _take_in_scores(self, checkpoint_id: str) -> int:
        """Give scores the label revisions of this database: those of the bundle's are its own."""
        with self._database.write() as db:
            rows = list(db.scalars(select(EpisodeRow)))
            scored = 0
            for row in rows:
                scores = read_scores(self.data_dir, checkpoint_id, row.id)
                if scores is None:
                    continue
                write_scores(self.data_dir, replace(scores, label_revision=row.label_revision))
                record_score(
                    db,
                    checkpoint_id=checkpoint_id,
                    episode_id=row.id,
                    created_s=scores.created_s,
                    mean_value=float(scores.value.mean()),
                    last_value=float(scores.value[-1]),
                    max_value=float(scores.value.max()),
                    lowest=scores.value_range[0],
                    highest=scores.value_range[1],
                )
                scored += 1
        return scored

    def _is_empty(self) -> bool:
        """Whether nothing was ever recorded or trained here, in the folders and in the database."""
        for part in (EPISODES_DIR, checkpoints.CHECKPOINTS_DIR):
            folder = self.data_dir / part
            if folder.is_dir() and any(folder.iterdir()):
                return False
        with self._database.read() as db:
            return not any(
                db.scalar(select(func.count()).select_from(row))
                for row in (EpisodeRow, CheckpointRow)
            )

    def _answer(self) -> SandboxState | None:
        try:
            content = json.loads((self.data_dir / ANSWER_FILE).read_text(encoding="utf-8"))
            return SandboxState(content["answer"])
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError):
            # Whatever it says, somebody answered.
            return SandboxState.DECLINED

    def _keep(self, answer: SandboxState) -> None:
        write_json(self.data_dir / ANSWER_FILE, {"answer": answer.value})
