"""Example data is offered to an empty data directory, once, and comes in whole."""

import pytest
from sqlalchemy import select

from backend.db.checkpoint_queries import promoted_checkpoint
from backend.db.models import EpisodeRow, ScoreRow
from backend.episodes.scores import read_scores
from backend.sandbox.bundle import Sandbox, SandboxError, SandboxState
from tests.db.database_fixtures import database  # noqa: F401
from tests.episodes.episode_fixtures import make_header, record
from tests.sandbox.example_bundle import CHECKPOINT, OUTCOMES, make_bundle


@pytest.fixture
def bundle(tmp_path):
    return make_bundle(tmp_path / "bundle")


@pytest.fixture
def sandbox(database, tmp_path, bundle):  # noqa: F811
    return Sandbox(database, tmp_path, wanted=True, bundle=bundle)


def test_loading_brings_graded_and_scored_attempts_and_a_checkpoint_that_drives(
    sandbox,
    database,  # noqa: F811
    tmp_path,
):
    assert sandbox.state() is SandboxState.OFFERED

    loaded = sandbox.load(now_s=5.0)

    assert (loaded.checkpoint_id, loaded.num_episodes, loaded.num_scores) == (CHECKPOINT, 2, 2)
    assert sandbox.state() is SandboxState.LOADED
    with database.read() as db:
        assert promoted_checkpoint(db).id == CHECKPOINT
        rows = {row.id: row for row in db.scalars(select(EpisodeRow))}
        assert {id: row.outcome for id, row in rows.items()} == OUTCOMES
        assert len(list(db.scalars(select(ScoreRow)))) == 2
    for id, row in rows.items():
        scores = read_scores(tmp_path, CHECKPOINT, id)
        assert scores.label_revision == row.label_revision > 0, "no page may call them outdated"
    assert not (tmp_path / ".sandbox").exists()


def test_it_is_asked_once(sandbox):
    sandbox.decline()

    assert sandbox.state() is SandboxState.DECLINED


def test_no_answer_that_was_given_is_taken_back(sandbox, tmp_path):
    (tmp_path / "sandbox.json").write_text("{", encoding="utf-8")

    assert sandbox.state() is SandboxState.DECLINED


def test_it_is_not_offered_where_it_is_not_wanted_or_not_there(database, tmp_path, bundle):  # noqa: F811
    unwanted = Sandbox(database, tmp_path, wanted=False, bundle=bundle)
    missing = Sandbox(database, tmp_path, wanted=True, bundle=tmp_path / "nowhere")

    assert unwanted.state() is SandboxState.UNAVAILABLE
    assert missing.state() is SandboxState.UNAVAILABLE
    with pytest.raises(SandboxError, match="make_sandbox"):
        missing.load(now_s=0.0)


def test_it_never_comes_beside_data_of_ones_own(sandbox, tmp_path):
    record(tmp_path / "episodes", make_header("mine"), num_steps=3)

    assert sandbox.state() is SandboxState.UNAVAILABLE
    with pytest.raises(SandboxError, match="--data-dir"):
        sandbox.load(now_s=0.0)


def test_a_loaded_bundle_is_neither_loaded_again_nor_declined(sandbox):
    sandbox.load(now_s=5.0)

    with pytest.raises(SandboxError):
        sandbox.load(now_s=6.0)
    with pytest.raises(SandboxError, match="already"):
        sandbox.decline()
