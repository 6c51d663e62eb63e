import pytest

from backend.db.attempt_queries import list_attempts
from backend.db.episode_queries import (
    FINAL_STATES,
    EpisodeFilter,
    EpisodeFlag,
    EpisodeOrder,
    count_facets,
    flags_of,
    list_episodes,
)
from backend.db.pages import InvalidPageError
from backend.db.queries import (
    last_final_episode,
    list_sessions,
    newest_label_revision,
)
from backend.domain import EpisodeState, Outcome
from tests.db.database_fixtures import episode_row, label_row, session_row


def ids(page):
    return [row.id for row in page.items]


@pytest.fixture
def some(database):
    with database.write() as db:
        db.add(session_row("s1"))
        db.flush()
        db.add_all(
            [
                episode_row("a", outcome="success", started_s=1.0, session_id="s1", number=1),
                episode_row("b", outcome="failure", started_s=2.0, session_id="s1", number=2),
                episode_row("c", started_s=3.0, session_id="s1", num_steps=300, number=3),
                episode_row("d", started_s=4.0, task="Lift 50% of_it", num_human_steps=90),
                episode_row("e", started_s=5.0, state="recording", num_steps=0, num_human_steps=0),
                episode_row("f", started_s=6.0, state="discarded"),
            ]
        )
    return database


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (EpisodeFilter(), "edcba"),
        (EpisodeFilter(outcome=Outcome.SUCCESS), "a"),
        (EpisodeFilter(q="touch THE"), "ecba"),
        (EpisodeFilter(q="50% of_"), "d"),
        (EpisodeFilter(q="%"), "d"),
        (EpisodeFilter(q="LIFT"), "d"),
        (EpisodeFilter(q="ANA"), "edcba"),
        (EpisodeFilter(q="so101_sim"), "edcba"),
        (EpisodeFilter(session_id="s1", outcome=Outcome.NONE), "c"),
        (EpisodeFilter(states=FINAL_STATES), "dcba"),
        (EpisodeFilter(states=(EpisodeState.DISCARDED,)), "f"),
        (EpisodeFilter(ids=("a", "d", "nobody")), "da"),
        (EpisodeFilter(ids=()), ""),
    ],
)
def test_a_filter_lets_through_what_it_names(some, wanted, expected):
    with some.read() as db:
        page = list_episodes(db, wanted)

    assert ids(page) == list(expected)
    assert page.total == len(expected)
    assert page.next_cursor is None


def test_an_episode_is_found_by_the_beginning_of_its_id(database):
    with database.write() as db:
        db.add_all([episode_row("7f3a-11"), episode_row("11-7f3a")])

    with database.read() as db:
        assert ids(list_episodes(db, EpisodeFilter(q="7F3A"))) == ["7f3a-11"]


@pytest.mark.parametrize("order", EpisodeOrder)
@pytest.mark.parametrize("limit", [1, 2, 3])
def test_pages_together_are_the_whole_list_in_every_order(some, order, limit):
    with some.read() as db:
        whole = ids(list_episodes(db, order=order))
        collected, cursor = [], None
        for _ in range(10):
            page = list_episodes(db, order=order, limit=limit, cursor=cursor)
            assert page.total == 5
            collected += ids(page)
            cursor = page.next_cursor
            if cursor is None:
                break

    assert collected == whole


def test_the_longest_and_the_most_human_episodes_come_first(some):
    with some.read() as db:
        assert ids(list_episodes(db, order=EpisodeOrder.LONGEST))[0] == "c"
        assert ids(list_episodes(db, order=EpisodeOrder.SHORTEST))[0] == "e"
        assert ids(list_episodes(db, order=EpisodeOrder.HUMAN_SHARE))[0] == "d"


@pytest.mark.parametrize("cursor", ["", "nonsense", "bnVsbA", "W3t9LCAxXQ", "ü"])
def test_a_cursor_from_elsewhere_is_refused(some, cursor):
    with some.read() as db, pytest.raises(InvalidPageError, match="no cursor"):
        list_episodes(db, cursor=cursor)


@pytest.mark.parametrize("limit", [0, 1001])
def test_a_limit_out_of_range_is_refused(some, limit):
    with some.read() as db, pytest.raises(InvalidPageError, match=f"1 to 1000, got {limit}"):
        list_episodes(db, limit=limit)


def test_finished_attempts_are_listed_with_the_labels_in_force(some):
    with some.read() as db:
        attempts = list_attempts(db, session_id="s1")
        nobodys = list_attempts(db, session_id="nobody")
        last = last_final_episode(db, "s1")

    assert sorted(attempt.outcome for attempt in attempts) == ["failure", "none", "success"]
    assert sum(attempt.num_steps for attempt in attempts) == 500
    assert sum(attempt.num_human_steps for attempt in attempts) == 60
    assert attempts[0].started_s == 1.0
    assert nobodys == []
    assert last.id == "c"


def test_sessions_are_listed_newest_first(database):
    with database.write() as db:
        db.add_all([session_row("old", opened_s=1.0), session_row("new", opened_s=2.0)])

    with database.read() as db:
        assert ids(list_sessions(db)) == ["new", "old"]


def test_the_label_revision_counts_all_events(some):
    with some.read() as db:
        assert newest_label_revision(db) == 0
    with some.write() as db:
        db.add(label_row(episode_id="a"))
    with some.read() as db:
        assert newest_label_revision(db) == 1


def test_a_filter_by_labels_and_people_lets_through_what_it_names(some):
    with some.write() as db:
        rows = {row.id: row for row in list_episodes(db).items}
        rows["a"].disagreement = 0.9
        rows["b"].disagreement = 0.4
        rows["b"].excluded = True
        rows["c"].note = "odd"
        rows["c"].robot = "so101_real"
        rows["d"].num_mistakes = 2
        rows["d"].operator = "ben"

    def found(**words):
        with some.read() as db:
            return "".join(ids(list_episodes(db, EpisodeFilter(states=FINAL_STATES, **words))))

    assert found(task="Touch the red cube") == "cba"
    assert found(robot="so101_real") == "c"
    assert found(operator="ben") == "d"
    assert (found(excluded=True), found(excluded=False)) == ("b", "dca")
    assert found(min_human=0.5) == "d"
    assert [found(flag=flag) for flag in EpisodeFlag] == ["dc", "a", "d", "b", "d", "c"]
    with some.read() as db:
        rows = list_episodes(db, EpisodeFilter(states=FINAL_STATES)).items
        flagged = dict.fromkeys(EpisodeFlag, "")
        for row in rows:
            for flag in flags_of(row, row.disagreement):
                flagged[flag] += row.id
        facets = count_facets(db, EpisodeFilter(states=FINAL_STATES))
    # Rows, filters and counts mean the same by a flag.
    assert list(flagged.values()) == [found(flag=flag) for flag in EpisodeFlag]
    assert facets.flag == {flag.value: len(who) for flag, who in sorted(flagged.items())}
    assert facets.outcome == {"failure": 1, "none": 2, "success": 1}
    assert facets.operator == {"ana": 3, "ben": 1}


def test_what_needs_a_person_most_comes_first(some):
    with some.write() as db:
        rows = {row.id: row for row in list_episodes(db).items}
        rows["a"].disagreement = 0.2
        rows["b"].disagreement = 0.9

    with some.read() as db:
        wanted = EpisodeFilter(states=FINAL_STATES)
        needed = list_episodes(db, wanted, order=EpisodeOrder.UNLABELED)
        apart = list_episodes(db, wanted, order=EpisodeOrder.DISAGREE)

    # Nobody has judged c and d, and d was mostly driven by a person.
    assert ids(needed) == ["d", "c", "b", "a"]
    assert ids(apart) == ["b", "a", "d", "c"]
