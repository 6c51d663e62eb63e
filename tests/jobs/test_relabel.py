"""Labels of steps on their way into training and scores."""

import json

import numpy as np
import pytest

from backend.domain import Outcome
from backend.episodes.frames import FrameCache, free_bytes
from backend.episodes.labels import LabelKind
from backend.jobs.relabel import relabel, valued
from backend.jobs.train_data import EpisodeLoader
from backend.jobs.train_params import read_train_params
from backend.jobs.train_plan import TrainPlan, make_train_plan
from backend.learning.config import LearnerConfig, ModelConfig, WordConfig
from backend.learning.returns import chunk_rewards, monte_carlo_returns
from backend.review import add_label
from tests.jobs.train_fixtures import graded

__all__ = ["graded"]

CONFIG = LearnerConfig(
    model=ModelConfig(size="tiny", chunk_size=10),
    words=WordConfig(mode="two", forcing_human_share=0.9),
)


def say(database, episode_id, kind, new=None, **fields):
    with database.write() as db:
        add_label(
            db, episode_id=episode_id, kind=kind, new=new or {}, author="ana", source="review",
            created_s=5.0, event_id=f"{episode_id} {kind} {new} {fields}", **fields,
        )  # fmt: skip


def learned_from(graded, episode_id):
    """One episode as the plan of a training has it, and as its learner reads it."""
    data_dir, database = graded
    params = read_train_params({"preset": "debug", "sources": [{"kind": "store"}]}, data_dir)
    with database.read() as db:
        plan = make_train_plan(db, params.sources, roots={})
    # A resumed run reads its plan from a file.
    plan = TrainPlan.from_dict(json.loads(json.dumps(plan.to_dict())))
    (episode,) = [e for e in plan.episodes if e.id == episode_id]
    cache = FrameCache(data_dir, owner="test", free_bytes=free_bytes)
    return episode, EpisodeLoader(data_dir, cache, size_px=32).read(episode, keep=False)


def test_a_training_learns_nothing_from_what_lies_behind_the_success(graded):
    whole, _ = learned_from(graded, "e0")
    say(graded[1], "e0", LabelKind.OUTCOME, {"outcome": "success"})
    say(graded[1], "e0", LabelKind.TERMINAL, {"step": 5})

    episode, arrays = learned_from(graded, "e0")

    assert (episode.num_steps, episode.num_recorded) == (6, whole.num_steps)
    assert len(arrays) == 6
    assert {len(frames) for frames in arrays.images.values()} == {6}
    chunks = chunk_rewards(6, arrays.outcome, horizon=1, longest=10, config=CONFIG.reward)
    assert monte_carlo_returns(chunks, config=CONFIG.reward)[-1] == 0.0


def test_what_people_said_of_steps_reaches_the_learner(graded):
    say(graded[1], "e1", LabelKind.MISTAKE, start_step=1, end_step=3)
    say(graded[1], "e1", LabelKind.CORRECTION, start_step=2, end_step=5)
    say(graded[1], "e1", LabelKind.RECOVERY, start_step=0, end_step=8)

    _, arrays = learned_from(graded, "e1")

    assert np.flatnonzero(arrays.is_mistake).tolist() == [1]
    assert np.flatnonzero(arrays.is_correction).tolist() == [2, 3, 4]


def relabelled(*, num_steps=20, outcome=Outcome.SUCCESS, ranges=()):
    values = np.linspace(-1.0, -0.2, 20)
    episode = valued(
        values,
        episode_id="e",
        task="t",
        fps=10.0,
        is_human=np.zeros(20, bool),
        num_steps=num_steps,
        outcome=outcome,
        ranges=ranges,
    )
    return relabel([episode], config=CONFIG, longest={"t": 20}, thresholds={"t": 0.0})["e"]


def test_another_end_moves_the_credit_and_keeps_the_length():
    whole, early = relabelled(), relabelled(num_steps=12)

    assert len(early.advantage) == len(early.word) == 20
    assert np.isnan(early.advantage[12:]).all()
    assert set(early.word[12:]) == {""}
    # The success at step 11 is worth what the values still expected to pay there.
    assert early.advantage[11] == pytest.approx(-np.linspace(-1.0, -0.2, 20)[11])
    assert early.advantage[11] > whole.advantage[11]


def test_another_outcome_changes_words_where_the_episode_ends():
    assert relabelled().word[-1] == "positive"
    assert relabelled(outcome=Outcome.FAILURE).word[-1] == "negative"
