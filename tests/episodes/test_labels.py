from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain import Outcome
from backend.episodes.label_undo import next_redo, next_undo
from backend.episodes.labels import (
    LabelError,
    LabelEvent,
    LabelKind,
    LabelsInForce,
    check_label,
    fold,
)


class Log:
    """A log as the product writes it: undo and redo aim where `next_undo`, `next_redo` say."""

    def __init__(self) -> None:
        self.events: list[LabelEvent] = []

    def add(self, author: str, kind: LabelKind, new=None, target_id=None) -> LabelEvent:
        event = LabelEvent(
            id=len(self.events) + 1,
            episode_id="e1",
            author=author,
            kind=kind,
            new=new or {},
            target_id=target_id,
        )
        self.events.append(event)
        return event

    def outcome(self, author: str, outcome: str) -> LabelEvent:
        return self.add(author, LabelKind.OUTCOME, {"outcome": outcome})

    def undo(self, author: str) -> None:
        for target in next_undo(self.events, author):
            self.add(author, LabelKind.UNDO, target_id=target.id)

    def redo(self, author: str) -> None:
        for target in next_redo(self.events, author):
            self.add(author, LabelKind.REDO, target_id=target.id)


def test_nobody_has_said_anything_of_an_episode_without_events():
    assert fold([]) == LabelsInForce()


def test_the_newest_word_holds_for_each_kind():
    log = Log()
    log.outcome("ana", "success")
    log.add("ben", LabelKind.NOTE, {"note": "slow"})
    log.outcome("ben", "failure")
    log.add("ana", LabelKind.EXCLUDE, {"excluded": True, "reason": "cube fell off the table"})

    assert fold(log.events) == LabelsInForce(
        outcome=Outcome.FAILURE,
        excluded=True,
        exclude_reason="cube fell off the table",
        note="slow",
    )


def test_undo_takes_back_the_authors_own_newest_act_only():
    log = Log()
    log.outcome("ana", "success")
    log.outcome("ben", "failure")

    log.undo("ana")
    assert fold(log.events).outcome is Outcome.FAILURE

    log.undo("ben")
    assert fold(log.events).outcome is Outcome.NONE
    assert next_undo(log.events, "ana") == []


def test_redo_brings_back_what_undo_took_until_something_new_is_said():
    log = Log()
    log.outcome("ana", "success")
    log.outcome("ana", "failure")
    log.undo("ana")
    log.undo("ana")
    log.redo("ana")
    assert fold(log.events).outcome is Outcome.SUCCESS

    log.redo("ana")
    assert fold(log.events).outcome is Outcome.FAILURE

    log.undo("ana")
    log.outcome("ana", "none")
    assert next_redo(log.events, "ana") == []


def test_revert_returns_to_what_held_then_and_can_be_undone():
    log = Log()
    first = log.outcome("ana", "success")
    log.outcome("ben", "failure")
    log.add("ben", LabelKind.REVERT, target_id=first.id)
    assert fold(log.events).outcome is Outcome.SUCCESS

    log.add("ben", LabelKind.REVERT)
    assert fold(log.events).outcome is Outcome.NONE

    log.undo("ben")
    log.undo("ben")
    assert fold(log.events).outcome is Outcome.FAILURE


@pytest.mark.parametrize(
    ("kind", "new", "why"),
    [
        (LabelKind.OUTCOME, {"outcome": "maybe"}, "success, failure, none, got 'maybe'"),
        (LabelKind.OUTCOME, {"result": "success"}, "says outcome; got result"),
        (LabelKind.EXCLUDE, {"excluded": "yes"}, "true or false, got 'yes'"),
        (LabelKind.NOTE, {}, "says note; got nothing"),
        (LabelKind.NOTE, {"note": "x" * 4001}, "4000 characters, got 4001"),
        (LabelKind.UNDO, {}, "speaks of another event"),
        (LabelKind.SUBTASK, {}, "says text; got nothing"),
        (LabelKind.SUBTASK, {"text": " "}, "give a text"),
        (LabelKind.TERMINAL, {"step": "last"}, "a step's number or null, got 'last'"),
        (LabelKind.TERMINAL, {"step": -1}, "got -1"),
        (LabelKind.MISTAKE, {"why": "slip"}, "got why"),
        (LabelKind.ERASE, {"text": "x"}, "says nothing; got text"),
    ],
)
def test_labels_that_make_no_sense_are_refused_by_name(kind, new, why):
    with pytest.raises(LabelError, match=why):
        check_label(kind, new)


def test_an_episode_taken_back_in_needs_no_reason():
    said = check_label(LabelKind.EXCLUDE, {"excluded": False, "reason": "was too slow"})

    assert said == {"excluded": False, "reason": ""}


AUTHORS = st.sampled_from(["ana", "ben"])
ACTS = st.one_of(
    st.tuples(st.just("outcome"), AUTHORS, st.sampled_from([o.value for o in Outcome])),
    st.tuples(st.just("note"), AUTHORS, st.sampled_from(["", "a", "b"])),
    st.tuples(st.just("exclude"), AUTHORS, st.booleans()),
    st.tuples(st.just("undo"), AUTHORS, st.none()),
    st.tuples(st.just("redo"), AUTHORS, st.none()),
    st.tuples(st.just("revert"), AUTHORS, st.floats(0, 1)),
)


class Replay:
    """The same semantics told the other way: each author's two stacks, and every act that is on
    is done again from the start. A revert remembers the state it goes back to."""

    def __init__(self) -> None:
        self.acts: list = []
        self.done: dict[str, list] = {"ana": [], "ben": []}
        self.undone: dict[str, list] = {"ana": [], "ben": []}
        self.states = [LabelsInForce()]

    def act(self, author: str, change) -> None:
        entry = {"on": True, "change": change}
        self.acts.append(entry)
        self.done[author].append(entry)
        self.undone[author].clear()

    def move(self, author: str, *, undo: bool) -> bool:
        giver, taker = self.done[author], self.undone[author]
        if not undo:
            giver, taker = taker, giver
        if not giver:
            return False
        entry = giver.pop()
        entry["on"] = not undo
        taker.append(entry)
        return True

    def remember(self) -> None:
        state = LabelsInForce()
        for entry in self.acts:
            if entry["on"]:
                state = entry["change"](state)
        self.states.append(state)


@given(st.lists(ACTS, max_size=25))
def test_any_log_folds_to_what_replaying_it_gives(sequence):
    log, model = Log(), Replay()
    for word, author, value in sequence:
        if word in ("undo", "redo"):
            getattr(log, word)(author)
            if not model.move(author, undo=word == "undo"):
                continue
        elif word == "revert":
            target = round(value * len(log.events))
            log.add(author, LabelKind.REVERT, target_id=target or None)
            then = model.states[target]
            model.act(author, lambda _, then=then: then)
        elif word == "outcome":
            log.outcome(author, value)
            model.act(author, lambda s, value=value: replace(s, outcome=Outcome(value)))
        elif word == "note":
            log.add(author, LabelKind.NOTE, {"note": value})
            model.act(author, lambda s, value=value: replace(s, note=value))
        else:
            log.add(author, LabelKind.EXCLUDE, {"excluded": value, "reason": ""})
            model.act(author, lambda s, value=value: replace(s, excluded=value))
        model.remember()

    assert fold(log.events) == model.states[-1]
    for end in range(len(log.events) + 1):
        assert fold(log.events[:end]) == model.states[end]
