"""That lists stay quick is promised by what the database does for them, not by a clock."""

from contextlib import contextmanager

import pytest
from sqlalchemy import event

from backend.db.episode_queries import (
    EpisodeFilter,
    EpisodeFlag,
    EpisodeOrder,
    count_facets,
    list_episodes,
)
from backend.db.models import CheckpointRow
from backend.db.queries import label_events_after, newest_label_revision
from backend.episodes.labels import LabelKind
from backend.review import add_label, record_score, undo
from tests.db.database_fixtures import episode_row


@contextmanager
def plans(engine):
    """What the database does for each question asked meanwhile, as SQLite explains it."""
    asked: list = []
    found: list[str] = []

    def remember(_connection, _cursor, statement, parameters, _context, _many):
        if statement.startswith("SELECT"):
            asked.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", remember)
    try:
        yield found
    finally:
        event.remove(engine, "before_cursor_execute", remember)
    with engine.connect() as connection:
        for statement, parameters in asked:
            rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            found.append("; ".join(row[3] for row in rows))


@pytest.fixture
def scored(database):
    """Some episodes with the scores of one checkpoint."""
    with database.write() as db:
        db.add(
            CheckpointRow(
                id="touch/000500",
                job_id=None,
                parent_id=None,
                step=500,
                created_s=1.0,
                size_bytes=1,
                label_revision=0,
                probes={},
                promoted_s=None,
            )
        )
        db.add_all([episode_row(f"e{n}", started_s=float(n)) for n in range(9)])
        db.flush()
        for n in range(9):
            record_score(
                db, checkpoint_id="touch/000500", episode_id=f"e{n}", created_s=2.0,
                mean_value=-0.5, last_value=-n / 9, max_value=0.0, lowest=-1.0, highest=0.0,
            )  # fmt: skip
    return database


@pytest.mark.parametrize("order", EpisodeOrder)
def test_a_page_takes_two_questions_and_no_scores_whatever_its_order(scored, order):
    with plans(scored.engine) as found, scored.read() as db:
        list_episodes(db, EpisodeFilter(flag=EpisodeFlag.DISAGREE), order=order, limit=3)

    assert len(found) == 2
    assert all("scores" not in plan for plan in found)
    # Neither the page nor its total reads the table from end to end.
    assert all("SCAN episodes" not in plan for plan in found)


def test_the_scores_of_one_checkpoint_are_joined_by_their_key(scored):
    wanted = EpisodeFilter(scored_by="touch/000500")
    with plans(scored.engine) as found, scored.read() as db:
        page = list_episodes(db, wanted, order=EpisodeOrder.DISAGREE)
        count_facets(db, wanted)

    by_key = "SEARCH scores USING INDEX sqlite_autoindex_scores_1 (checkpoint_id=? AND episode_id=?"
    assert len(page.items) == 9
    assert by_key in found[1]
    assert by_key in found[2]


def test_counting_takes_two_questions(scored):
    with plans(scored.engine) as found, scored.read() as db:
        facets = count_facets(db)

    assert facets.total == 9
    assert len(found) == 2


def test_a_label_and_its_undo_read_what_was_said_of_one_episode_only(scored):
    how = {"author": "ana", "source": "review", "created_s": 1.0}
    with plans(scored.engine) as found, scored.write() as db:
        add_label(
            db, episode_id="e1", kind=LabelKind.OUTCOME, new={"outcome": "success"},
            event_id="l1", **how,
        )  # fmt: skip
        undo(db, event_id="l2", **how)

    assert found
    assert all("SCAN" not in plan for plan in found)


def test_following_others_reads_only_what_is_new(scored):
    with plans(scored.engine) as found, scored.read() as db:
        newest_label_revision(db)
        label_events_after(db, 7, limit=50)

    assert found == [
        "SEARCH label_events",
        "SEARCH label_events USING INTEGER PRIMARY KEY (rowid>?); "
        "SEARCH episodes USING INDEX sqlite_autoindex_episodes_1 (id=?)",
    ]
