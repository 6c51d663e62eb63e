import itertools
from functools import partial

import pytest

from backend.db.models import EpisodeRow
from backend.domain import EpisodeState, Outcome
from backend.episodes.labels import LabelError, LabelKind
from backend.review import (
    EpisodeNotFoundError,
    LabelConflictError,
    NothingToUndoError,
    add_label,
    current_labels,
    history,
    redo,
    revert,
    undo,
)
from tests.db.database_fixtures import episode_row


class Reviewer:
    """One person with a fresh event id for every act."""

    ids = itertools.count()

    def __init__(self, database, author):
        self.database = database
        self.author = author

    def _do(self, act, **how):
        how = {
            "author": self.author,
            "source": "review",
            "created_s": 1.0,
            "event_id": f"event-{next(self.ids)}",
            **how,
        }
        with self.database.write() as db:
            return act(db, **how)

    def outcome(self, episode_id, outcome, **how):
        return self.say(episode_id, LabelKind.OUTCOME, {"outcome": outcome}, **how)

    def say(self, episode_id, kind, new, **how):
        return self._do(partial(add_label, episode_id=episode_id, kind=kind, new=new), **how)

    def undo(self, **how):
        return self._do(undo, **how)

    def redo(self, **how):
        return self._do(redo, **how)

    def revert(self, episode_id, revision):
        return self._do(partial(revert, episode_id=episode_id, revision=revision))


@pytest.fixture
def ana(database):
    with database.write() as db:
        db.add_all([episode_row("e1"), episode_row("e2")])
    return Reviewer(database, "ana")


@pytest.fixture
def ben(database):
    return Reviewer(database, "ben")


def outcome_of(database, id):
    with database.read() as db:
        row = db.get(EpisodeRow, id)
        assert current_labels(db, id).labels.outcome == row.outcome
        assert current_labels(db, id).revision == row.label_revision
        return Outcome(row.outcome)


def test_a_label_changes_the_row_and_tells_old_and_new(database, ana, ben):
    ana.outcome("e1", "success")
    labelled = ben.outcome("e1", "failure")

    assert outcome_of(database, "e1") is Outcome.FAILURE
    assert labelled.newest.old == {"outcome": "success"}
    assert labelled.newest.new == {"outcome": "failure"}
    with database.read() as db:
        assert [(e.author, e.new["outcome"]) for e in history(db, "e1")] == [
            ("ana", "success"),
            ("ben", "failure"),
        ]


def test_a_repeated_label_is_said_once(database, ana):
    first = ana.outcome("e1", "success", event_id="c1")
    second = ana.outcome("e1", "success", event_id="c1")

    assert first.revision == second.revision
    with pytest.raises(LabelError, match="make a new one"):
        ana.outcome("e2", "success", event_id="c1")


def test_a_label_made_on_an_old_version_shows_both(database, ana, ben):
    seen = ana.outcome("e1", "success").revision
    ben.outcome("e1", "failure", expected_revision=seen)

    with pytest.raises(LabelConflictError, match="ben said outcome") as conflict:
        ana.outcome("e1", "none", expected_revision=seen)

    assert conflict.value.expected_revision == seen
    assert conflict.value.present.labels.outcome is Outcome.FAILURE
    assert outcome_of(database, "e1") is Outcome.FAILURE


def test_undo_walks_back_through_the_authors_episodes_and_redo_returns(database, ana, ben):
    ana.outcome("e1", "success")
    ana.outcome("e2", "failure")
    ben.outcome("e2", "success")

    assert ana.undo().episode_id == "e2"
    assert outcome_of(database, "e2") is Outcome.SUCCESS
    assert ana.undo().episode_id == "e1"
    assert outcome_of(database, "e1") is Outcome.NONE
    with pytest.raises(NothingToUndoError, match="ana has nothing to undo"):
        ana.undo()

    ana.redo()
    assert outcome_of(database, "e1") is Outcome.SUCCESS
    ana.redo()
    with pytest.raises(NothingToUndoError):
        ana.redo()


def test_undo_may_be_kept_to_one_episode(database, ana):
    ana.outcome("e1", "success")
    ana.outcome("e2", "failure")

    ana.undo(episode_id="e1")

    assert outcome_of(database, "e1") is Outcome.NONE
    assert outcome_of(database, "e2") is Outcome.FAILURE


def test_a_repeated_undo_takes_back_one_thing(database, ana):
    ana.outcome("e1", "success")
    ana.outcome("e1", "failure")

    ana.undo(event_id="u1")
    ana.undo(event_id="u1")

    assert outcome_of(database, "e1") is Outcome.SUCCESS


def test_an_episode_can_go_back_to_any_point_of_its_history(database, ana, ben):
    early = ana.outcome("e1", "success").revision
    ben.outcome("e1", "failure")
    ana.say("e1", LabelKind.EXCLUDE, {"excluded": True, "reason": "camera slipped"})

    reverted = ben.revert("e1", early)

    assert reverted.labels.outcome is Outcome.SUCCESS
    assert not reverted.labels.excluded
    ben.undo()
    assert outcome_of(database, "e1") is Outcome.FAILURE
    with pytest.raises(LabelError, match="no label event 99"):
        ben.revert("e1", 99)


@pytest.mark.parametrize("state", [EpisodeState.RECORDING, EpisodeState.DISCARDED])
def test_only_final_episodes_are_labelled(database, ana, state):
    with database.write() as db:
        db.get(EpisodeRow, "e1").state = state.value

    with pytest.raises(LabelError, match=f"is {state}"):
        ana.outcome("e1", "success")


def test_an_unknown_episode_is_named(database, ana):
    with pytest.raises(EpisodeNotFoundError, match="no episode nobody"):
        ana.outcome("nobody", "success")
    with database.read() as db, pytest.raises(EpisodeNotFoundError):
        history(db, "nobody")
