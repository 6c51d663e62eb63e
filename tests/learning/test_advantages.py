import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from backend.domain import Outcome
from backend.learning.advantages import (
    FIVE_WORDS,
    awr_weights,
    best_word,
    chunk_advantages,
    decide_words,
    drop_words,
    five_word_edges,
    flipped_word,
    human_share,
    steps_before_takeover,
    task_thresholds,
    worst_word,
)
from backend.learning.config import RewardConfig, WordConfig
from backend.learning.returns import chunk_rewards, monte_carlo_returns

FIVE = WordConfig(mode="five")
TWO = WordConfig(mode="two")
RECAP = RewardConfig()
finite = st.floats(-5, 5, allow_nan=False)


def words_of(advantages, config=FIVE, *, forced=None, tasks=None, thresholds=None):
    advantages = np.asarray(advantages, dtype=float)
    return decide_words(
        advantages,
        config=config,
        forced=np.zeros(len(advantages), bool) if forced is None else np.asarray(forced),
        tasks=tasks or ["t"] * len(advantages),
        thresholds=thresholds or {"t": 0.0},
    )


def test_the_five_words_change_at_the_seeds_edges():
    # Trap: an early seed multiplied by the scaling; A = 0.07 must be positive at scaling 0.16.
    low, high = 0.0678, 0.1758

    words = words_of([-high - 1e-3, -high + 1e-3, -low + 1e-3, low + 1e-3, high + 1e-3])

    assert words == list(FIVE_WORDS)
    assert five_word_edges(0.16) == pytest.approx([-high, -low, low, high], abs=5e-5)


def test_an_edge_belongs_to_the_better_word():
    edges = np.array([-0.8, -0.4, 0.4, 0.8])
    on_edge = [a for a in np.arctanh(edges) * 0.16 if np.tanh(a / 0.16) in edges]

    for advantage in on_edge:
        below, on = words_of([advantage - 1e-9, advantage])
        assert FIVE_WORDS.index(on) == FIVE_WORDS.index(below) + 1


@given(arrays(float, st.integers(2, 30), elements=finite))
def test_a_larger_advantage_never_gets_a_worse_word(advantages):
    rank = [FIVE_WORDS.index(word) for word in words_of(np.sort(advantages))]

    assert rank == sorted(rank)


def test_the_override_advantage_of_one_is_very_positive():
    assert words_of([1.0]) == ["very positive"]


@given(arrays(float, st.integers(10, 60), elements=finite, unique=True), st.floats(0.05, 0.95))
def test_the_asked_share_of_a_task_is_positive(advantages, fraction):
    config = WordConfig(mode="two", positive_fraction=fraction)
    free = np.zeros(len(advantages), bool)
    tasks = ["t"] * len(advantages)
    thresholds = task_thresholds(advantages, tasks, forced=free, positive_fraction=fraction)

    words = words_of(advantages, config, thresholds=thresholds)

    share = words.count("positive") / len(words)
    assert abs(share - fraction) <= 1.5 / len(words)


def test_each_task_has_its_own_threshold():
    advantages = np.array([1.0, 2.0, 3.0, -30.0, -20.0, -10.0])
    tasks = ["easy"] * 3 + ["hard"] * 3
    free = np.zeros(6, bool)
    thresholds = task_thresholds(advantages, tasks, forced=free, positive_fraction=0.4)

    words = words_of(advantages, TWO, tasks=tasks, thresholds=thresholds)

    assert words == ["negative", "negative", "positive"] * 2


def test_forced_chunks_are_positive_and_do_not_move_the_threshold():
    advantages = np.array([0.0, 1.0, 2.0, 3.0, -100.0, -100.0])
    forced = np.array([False] * 4 + [True] * 2)
    tasks = ["t"] * 6

    thresholds = task_thresholds(advantages, tasks, forced=forced, positive_fraction=0.5)

    assert thresholds["t"] == pytest.approx(1.5)
    words = words_of(advantages, TWO, forced=forced, thresholds=thresholds)
    assert words == ["negative"] * 2 + ["positive"] * 4


def test_a_task_where_all_chunks_are_forced_makes_nothing_else_positive():
    thresholds = task_thresholds(
        np.zeros(2), ["t", "t"], forced=np.ones(2, bool), positive_fraction=0.3
    )

    assert thresholds == {"t": math.inf}


def test_a_task_without_threshold_is_named():
    with pytest.raises(ValueError, match="no threshold for task 'new'"):
        words_of([0.0], TWO, tasks=["new"], thresholds={"old": 0.0})


def test_an_advantage_that_is_not_a_number_is_refused_unless_forced():
    with pytest.raises(ValueError, match="must be finite"):
        words_of([math.nan])

    assert words_of([math.nan], forced=[True]) == ["very positive"]


def test_words_flip_around_the_middle_of_the_scale():
    assert [flipped_word(w, "five") for w in FIVE_WORDS] == list(reversed(FIVE_WORDS))
    assert flipped_word("positive", "two") == "negative"
    assert flipped_word(None, "two") is None
    assert (best_word("two"), worst_word("five"), best_word("none")) == (
        "positive",
        "very negative",
        None,
    )


@given(arrays(bool, st.integers(1, 30)), st.integers(1, 10))
def test_the_human_share_counts_the_real_steps_of_the_chunk(is_human, horizon):
    share = human_share(is_human, horizon)

    for start in range(len(is_human)):
        assert share[start] == pytest.approx(is_human[start : start + horizon].mean())


def test_a_takeover_in_the_middle_of_a_chunk_counts():
    # Trap: the seed looked at the first step only.
    is_human = np.array([False, True, True, True])

    assert human_share(is_human, 4)[0] == pytest.approx(0.75)


def test_the_policys_steps_just_before_a_takeover_are_marked():
    is_human = np.array([0, 0, 0, 1, 1, 0, 1], bool)

    assert steps_before_takeover(is_human, 2).tolist() == [0, 1, 1, 0, 0, 1, 0]
    assert not steps_before_takeover(np.ones(3, bool), 2).any()


@given(st.integers(2, 30), st.integers(1, 8), st.sampled_from(list(Outcome)))
def test_a_perfect_critic_sees_no_advantage_anywhere(steps, horizon, outcome):
    chunks = chunk_rewards(steps, outcome, horizon=horizon, longest=30, config=RECAP)
    # A truncated episode that would have gone on losing a step each step.
    values = (
        -(np.arange(steps)[::-1] + 1) / 31
        if outcome is Outcome.NONE
        else monte_carlo_returns(chunks, config=RECAP)
    )

    advantages = chunk_advantages(values, chunks, value_range=(-1.0, 0.0))

    if outcome is not Outcome.NONE:
        assert advantages == pytest.approx(np.zeros(steps), abs=1e-9)
    assert advantages[-1] == pytest.approx(0.0, abs=1e-9)


def test_the_advantage_of_a_success_after_a_pessimistic_value_is_positive():
    chunks = chunk_rewards(10, Outcome.SUCCESS, horizon=50, longest=10, config=RECAP)

    advantages = chunk_advantages(np.full(10, -0.9), chunks, value_range=(-1.0, 0.0))

    assert (advantages >= -1e-9).all()


def test_dropped_words_are_none_at_about_the_asked_rate():
    words = drop_words(["positive"] * 4000, rate=0.3, rng=np.random.default_rng(0))

    assert words.count(None) / 4000 == pytest.approx(0.3, abs=0.03)


@given(arrays(float, st.integers(2, 40), elements=finite))
def test_awr_weights_have_mean_one_and_grow_with_the_advantage(advantages):
    weights = awr_weights(advantages, tasks=["t"] * len(advantages), temperature=1.0)

    assert weights.mean() == pytest.approx(1.0)
    assert (np.diff(weights[np.argsort(advantages)]) >= -1e-9).all()
