"""Any sequence of acts of two people on two episodes, in a real database, against a plain model."""

import itertools
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from backend.db.engine import open_database
from backend.db.episode_queries import EpisodeFilter
from backend.db.models import EpisodeRow, LabelEventRow
from backend.domain import Outcome
from backend.episodes.label_ranges import LabelRange, RangeKind
from backend.episodes.labels import LabelKind, LabelsInForce
from backend.review import (
    NothingToUndoError,
    add_label,
    apply_bulk,
    current_labels,
    plan_bulk,
    redo,
    revert,
    undo,
)
from tests.db.database_fixtures import episode_row

runs = itertools.count()
AUTHOR, EPISODE = st.integers(0, 1), st.integers(0, 1)
RANGE = st.tuples(st.integers(0, 8), st.integers(1, 8)).map(lambda r: (r[0], r[0] + r[1]))
OUTCOMES = st.sampled_from([outcome.value for outcome in Outcome])
ACT = st.one_of(
    st.tuples(st.just("outcome"), AUTHOR, EPISODE, OUTCOMES),
    st.tuples(st.just("note"), AUTHOR, EPISODE, st.sampled_from(["", "a", "b"])),
    st.tuples(st.just("terminal"), AUTHOR, EPISODE, st.sampled_from([None, 3, 9])),
    st.tuples(st.sampled_from(list(RangeKind)), AUTHOR, EPISODE, RANGE),
    st.tuples(st.just("erase"), AUTHOR, EPISODE, st.floats(0, 0.99)),
    st.tuples(st.just("revert"), AUTHOR, EPISODE, st.floats(0, 1)),
    st.tuples(st.just("bulk"), AUTHOR, EPISODE, OUTCOMES),
    st.tuples(st.sampled_from(["undo", "redo"]), AUTHOR, st.none() | EPISODE, st.none()),
)


@dataclass
class Entry:
    """An act of the model: on or off, and how it changes its episode."""

    episode: str
    change: Any
    on: bool = True


@dataclass
class Model:
    """Every act that is on is done again from the start; each author has two stacks of groups."""

    acts: list[Entry] = field(default_factory=list)
    stacks: dict[tuple[str, bool], list[tuple[Entry, object]]] = field(default_factory=dict)

    def say(self, author, changes):
        group = object()
        self.stacks[author, False] = []
        for episode, change in changes:
            entry = Entry(episode, change)
            self.acts.append(entry)
            self.stacks.setdefault((author, True), []).append((entry, group))

    def move(self, author, episode, *, is_undo):
        """Undo or redo; return whether there was anything."""
        giver = self.stacks.setdefault((author, is_undo), [])
        taker = self.stacks.setdefault((author, not is_undo), [])
        seen = [pair for pair in giver if episode in (None, pair[0].episode)]
        if not seen:
            return False
        moved = [pair for pair in seen if pair[1] is seen[-1][1]]
        group = object()
        for pair in moved:
            giver.remove(pair)
            pair[0].on = not is_undo
            taker.append((pair[0], group))
        return True

    def state(self, episode):
        state = LabelsInForce()
        for entry in self.acts:
            if entry.on and entry.episode == episode:
                state = entry.change(state)
        return state


class World:
    """The database and the model side by side."""

    def __init__(self, database):
        run = next(runs)
        self.database, self.model = database, Model()
        self.authors = [f"ana-{run}", f"ben-{run}"]
        self.episodes = [f"{run}-a", f"{run}-b"]
        self.events = itertools.count()
        # What held in each episode after each of its events.
        self.past: dict[str, list[tuple[int, LabelsInForce]]] = {e: [] for e in self.episodes}
        with database.write() as db:
            db.add_all([episode_row(id, num_steps=20, session_id=None) for id in self.episodes])

    def do(self, author, act, **how):
        how |= {"author": author, "source": "review", "created_s": 1.0}
        with self.database.write() as db:
            return act(db, event_id=f"{author} {next(self.events)}", **how)

    def perform(self, word, author, episode, value):
        author = self.authors[author]
        episode = None if episode is None else self.episodes[episode]
        if word in ("undo", "redo"):
            self.switch(word, author, episode)
        elif word == "bulk":
            self.bulk(author, value)
        elif word == "revert":
            self.revert(author, episode, value)
        elif word == "erase":
            self.erase(author, episode, value)
        else:
            self.say(word, author, episode, value)
        for id in self.episodes:
            labels = self.present(id)
            if not self.past[id] or self.past[id][-1][0] != labels.revision:
                self.past[id].append((labels.revision, self.model.state(id)))

    def switch(self, word, author, episode):
        act = {"undo": undo, "redo": redo}[word]
        if self.model.move(author, episode, is_undo=word == "undo"):
            self.do(author, act, episode_id=episode)
        else:
            with pytest.raises(NothingToUndoError):
                self.do(author, act, episode_id=episode)

    def bulk(self, author, outcome):
        how = {"kind": LabelKind.OUTCOME, "new": {"outcome": outcome}}
        wanted = EpisodeFilter(ids=tuple(self.episodes))
        with self.database.read() as db:
            plan = plan_bulk(db, wanted, **how)
        self.do(
            author, apply_bulk, wanted=wanted, **how,
            expected_count=len(plan.matched), expected_newest=plan.newest,
        )  # fmt: skip
        assert [self.model.state(id).outcome == outcome for id in self.episodes] == [
            id not in plan.changing for id in self.episodes
        ]
        if plan.changing:
            changes = [(id, lambda s: replace(s, outcome=Outcome(outcome))) for id in plan.changing]
            self.model.say(author, changes)

    def revert(self, author, episode, share):
        past = [(0, LabelsInForce()), *self.past[episode]]
        revision, then = past[round(share * (len(past) - 1))]
        self.do(author, revert, episode_id=episode, revision=revision)
        self.model.say(author, [(episode, lambda _: then)])

    def erase(self, author, episode, share):
        said = self.model.state(episode).said_ranges
        if said:
            id = said[int(share * len(said))].id
            self.do(
                author, add_label, episode_id=episode, kind=LabelKind.ERASE, new={}, target_id=id
            )
            self.model.say(
                author,
                [
                    (
                        episode,
                        lambda s: replace(
                            s, said_ranges=tuple(r for r in s.said_ranges if r.id != id)
                        ),
                    )
                ],
            )

    def say(self, word, author, episode, value):
        how = {}
        if word == "outcome":
            new = {"outcome": value}
            change = lambda s: replace(s, outcome=Outcome(value))  # noqa: E731
        elif word == "note":
            new, change = {"note": value}, lambda s: replace(s, note=value)
        elif word == "terminal":
            new, change = {"step": value}, lambda s: replace(s, terminal_step=value)
        else:
            new = {"text": "part"}
            how = {"start_step": value[0], "end_step": value[1]}
            change = None
        kind = LabelKind(word)
        said = self.do(author, add_label, episode_id=episode, kind=kind, new=new, **how)
        if change is None:
            made = LabelRange(
                id=said.revision, kind=RangeKind(word), text="part", author=author, **how
            )
            change = lambda s: replace(s, said_ranges=(*s.said_ranges, made))  # noqa: E731
        self.model.say(author, [(episode, change)])

    def present(self, episode, database=None):
        with (database or self.database).read() as db:
            return current_labels(db, episode)

    def states(self, database=None):
        return {id: self.present(id, database).labels for id in self.episodes}

    def check(self):
        expected = {id: self.model.state(id) for id in self.episodes}
        assert self.states() == expected
        with self.database.read() as db:
            for id, state in expected.items():
                row = db.get(EpisodeRow, id)
                assert (row.outcome, row.note, row.terminal_step) == (
                    state.outcome,
                    state.note,
                    state.terminal_step,
                )
                kinds = [each.kind for each in state.ranges]
                assert row.num_mistakes == kinds.count(RangeKind.MISTAKE)


@given(st.lists(ACT, max_size=14))
@example(
    [
        ("outcome", 0, 0, "success"),
        ("undo", 0, None, None),
        ("outcome", 0, 1, "failure"),
        # Somebody who has labelled on has nothing to redo, not even where that was undone.
        ("redo", 0, 0, None),
    ]
)
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_whatever_two_people_do_the_log_gives_what_replaying_it_gives(database, monkeypatch, acts):
    # So few that undo often has to look further back.
    monkeypatch.setattr("backend.review.undoing.RECENT", 3)
    world = World(database)
    for act in acts:
        world.perform(*act)
    world.check()

    # Nobody takes back what somebody else said.
    with database.read() as db:
        authors = {row.id: row.author for row in db.scalars(select(LabelEventRow))}
        moves = select(LabelEventRow).where(LabelEventRow.kind.in_(["undo", "redo"]))
        assert all(authors[row.target_id] == row.author for row in db.scalars(moves))
    # A server that starts anew sees the same, and undo and redo work on.
    again = open_database(database.url)
    try:
        before = world.states(again)
        world.database = again
        for author in world.authors:
            if world.model.move(author, None, is_undo=True):
                world.do(author, undo)
                world.check()
                world.model.move(author, None, is_undo=False)
                world.do(author, redo)
                # Undo, then redo: as if nothing had happened.
                assert world.states() == before
    finally:
        again.close()
