"""What an online learner learns from now: its online episodes as they arrive, and offline ones.

Read from the database, which the job only reads: episodes that finished and labels that were given
since the last look are seen whoever made them, in whichever process, also after this one was away.
Online are the episodes of the given session and all that began after the learner was started.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from backend.db.attempt_queries import list_attempts
from backend.db.engine import Database
from backend.db.models import EpisodeRow
from backend.db.queries import FINAL_STATES, EpisodeFilter, newest_label_revision
from backend.jobs.online_params import OnlineParams
from backend.jobs.train_datasets import DatasetTables
from backend.jobs.train_episode import TrainEpisode
from backend.jobs.train_params import StoreSource
from backend.jobs.train_plan import NoEpisodesError, TrainPlan, make_train_plan
from backend.statistics import AttemptFacts

# Position of the online episodes among a plan's sources.
ONLINE = 0


class OnlinePlanner:
    """Plans again whenever something has changed."""

    def __init__(
        self,
        database: Database,
        params: OnlineParams,
        *,
        since_s: float,
        roots: Mapping[str, Path],
    ) -> None:
        """Plan nothing yet.

        Args:
            database: Read only.
            params: What was asked for.
            since_s: When the learner was started, Unix time.
            roots: Folders of datasets that came from the Hub, by repo_id.
        """
        self._database = database
        self._params = params
        self._since_s = since_s
        self._roots = roots
        self._tables = DatasetTables(roots)
        self._seen: tuple[int, int] | None = None
        # That of the run's episodes, once it has begun.
        self.shape = ""
        # How the online episodes went, as of the last look.
        self.attempts: list[AttemptFacts] = []

    def look(self) -> TrainPlan | None:
        """The plan of now; None when nothing has changed, or there is nothing to learn from.

        Raises:
            TrainParamsError, DatasetFolderError: A source cannot be read.
        """
        with self._database.read() as db:
            seen = _state_of(db)
            if seen == self._seen:
                return None
            first, *offline = self._params.train.sources
            ids = online_episode_ids(db, session_id=self._params.session_id, since_s=self._since_s)
            self.attempts = list_attempts(db, ids=ids)
            wanted = EpisodeFilter(ids=tuple(ids), states=FINAL_STATES)
            online = StoreSource(wanted=wanted, share=first.share, name=first.name)
            try:
                plan = make_train_plan(
                    db,
                    (online, *offline),
                    roots=self._roots,
                    tables=self._tables,
                    shape=self.shape,
                )
            except NoEpisodesError:
                plan = None
        self._seen = seen
        return plan


def online_episode_ids(db: Session, *, session_id: str | None, since_s: float) -> list[str]:
    """Finished episodes of this session, and those that began since then, oldest first."""
    mine = EpisodeRow.started_s >= since_s
    if session_id is not None:
        mine = or_(mine, EpisodeRow.session_id == session_id)
    found = (
        select(EpisodeRow.id)
        # Imported ones have no session: nobody has just recorded them.
        .where(mine, EpisodeRow.session_id.is_not(None))
        .where(EpisodeRow.state.in_([state.value for state in FINAL_STATES]))
        .order_by(EpisodeRow.started_s, EpisodeRow.id)
    )
    return list(db.scalars(found))


def online_episodes(plan: TrainPlan) -> list[TrainEpisode]:
    """The online ones of a plan, oldest first."""
    return [episode for episode in plan.episodes if episode.source == ONLINE]


def within_capacity(plan: TrainPlan, capacity: int) -> tuple[TrainPlan, int]:
    """The plan without the oldest online episodes that do not fit, and how many those are.

    Args:
        plan: Of everything.
        capacity: Frames of online episodes; the newest episode stays, however long it is.
    """
    room, kept = capacity, set[str]()
    online = online_episodes(plan)
    for episode in reversed(online):
        room -= episode.num_steps
        if room < 0 and kept:
            break
        kept.add(episode.id)
    episodes = tuple(e for e in plan.episodes if e.source != ONLINE or e.id in kept)
    return replace(plan, episodes=episodes), len(online) - len(kept)


def _state_of(db: Session) -> tuple[int, int]:
    """Changes with every finished, recovered or discarded episode and every label."""
    final = EpisodeRow.state.in_([state.value for state in FINAL_STATES])
    count = db.scalar(select(func.count()).select_from(EpisodeRow).where(final)) or 0
    return newest_label_revision(db), count
