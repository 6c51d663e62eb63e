"""Many episodes at once: what an act on them needs to read, and how its events are written.

An act on one episode and an act on 10,000 go through here, so both keep log and rows in line the
same way; only the number of questions asked of the database does not grow with the episodes.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import batched

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.db.models import EpisodeRow, LabelEventRow, ScoreRow
from backend.episodes.labels import LabelEvent, LabelKind, LabelsInForce, fold
from backend.review.rows import follow_labels

# Ids in one question; SQLite takes 32766 values.
BATCH = 5000


@dataclass(frozen=True, kw_only=True)
class Gathered:
    """What is known of some episodes, by their ids."""

    episodes: Mapping[str, EpisodeRow]
    # Oldest first.
    logs: Mapping[str, list[LabelEvent]]
    scores: Mapping[str, list[ScoreRow]]


def gather(db: Session, ids: Sequence[str]) -> Gathered:
    """Read rows, logs and scores of these episodes; ids without a row are left out."""
    episodes: dict[str, EpisodeRow] = {}
    logs: dict[str, list[LabelEvent]] = defaultdict(list)
    scores: dict[str, list[ScoreRow]] = defaultdict(list)
    for some in batched(ids, BATCH):
        for episode in db.scalars(select(EpisodeRow).where(EpisodeRow.id.in_(some))):
            episodes[episode.id] = episode
        said = select(LabelEventRow).where(LabelEventRow.episode_id.in_(some))
        for row in db.scalars(said.order_by(LabelEventRow.id)):
            logs[row.episode_id].append(event_from_row(row))
        for score in db.scalars(select(ScoreRow).where(ScoreRow.episode_id.in_(some))):
            scores[score.episode_id].append(score)
    return Gathered(episodes=episodes, logs=logs, scores=scores)


def append(
    db: Session, events: Sequence[LabelEventRow], gathered: Gathered
) -> dict[str, LabelsInForce]:
    """Append one event an episode, and bring its rows up to date; return what holds then, by id."""
    db.add_all(events)
    db.flush()
    present = {}
    for event in events:
        id = event.episode_id
        labels = fold([*gathered.logs[id], event_from_row(event)])
        follow_labels(gathered.episodes[id], labels, event.id, gathered.scores[id])
        present[id] = labels
    db.flush()
    return present


def event_from_row(row: LabelEventRow) -> LabelEvent:
    """The event that a row keeps."""
    return LabelEvent(
        id=row.id,
        episode_id=row.episode_id,
        author=row.author,
        kind=LabelKind(row.kind),
        new=row.new,
        target_id=row.target_id,
        start_step=row.start_step,
        end_step=row.end_step,
        bulk_id=row.bulk_id,
    )
