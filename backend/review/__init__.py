"""What people say of episodes, kept as events in the database beside the rows it changes.

    acts.py          label and revert: each appends an event
    undoing.py       undo and redo, of one act or of a bulk
    bulk.py          the same word for all episodes of a filter, in one act
    gathering.py     reads and writes what an act on many episodes needs
    rows.py          what lists show, brought up to date in the transaction that changes it
    disagreement.py  how far a critic and a label are apart

Each act takes a database session of `Database.write()` and brings the episode's row up to date, so
log and row never disagree. Repeating a call with the same `event_id` does nothing. What events mean
when folded is decided in `episodes.labels`.

How episodes get from their folders into the database is the business of `intake.py`.
"""

from backend.review.acts import (
    EpisodeLabels,
    EpisodeNotFoundError,
    LabelConflictError,
    add_label,
    current_labels,
    history,
    revert,
)
from backend.review.bulk import BulkConflictError, BulkPlan, apply_bulk, plan_bulk
from backend.review.gathering import event_from_row
from backend.review.rows import complete_scores, record_score
from backend.review.undoing import NothingToUndoError, redo, undo

__all__ = [
    "BulkConflictError",
    "BulkPlan",
    "EpisodeLabels",
    "EpisodeNotFoundError",
    "LabelConflictError",
    "NothingToUndoError",
    "add_label",
    "apply_bulk",
    "complete_scores",
    "current_labels",
    "event_from_row",
    "history",
    "plan_bulk",
    "record_score",
    "redo",
    "revert",
    "undo",
]
