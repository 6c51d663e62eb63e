import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain import Outcome
from backend.learning.config import RewardConfig
from backend.learning.returns import chunk_rewards, longest_by_task, monte_carlo_returns

RECAP = RewardConfig(scheme="recap")
SEED = RewardConfig(scheme="seed")
lengths = st.integers(1, 40)
horizons = st.integers(1, 12)


def chunks_of(steps, outcome, horizon, config, longest=40):
    return chunk_rewards(steps, outcome, horizon=horizon, longest=longest, config=config)


@given(lengths, horizons)
def test_a_recap_value_is_minus_the_share_of_the_longest_episode_still_needed(steps, horizon):
    chunks = chunks_of(steps, Outcome.SUCCESS, horizon, RECAP)

    returns = monte_carlo_returns(chunks, config=RECAP)

    assert returns == pytest.approx(-np.arange(steps)[::-1] / 40)


@given(lengths, horizons)
def test_a_recap_failure_is_minus_one_from_its_first_step(steps, horizon):
    chunks = chunks_of(steps, Outcome.FAILURE, horizon, RECAP)

    assert (monte_carlo_returns(chunks, config=RECAP) == -1.0).all()


@given(lengths, horizons)
def test_a_seed_success_k_chunks_away_is_worth_the_geometric_sum(steps, horizon):
    chunks = chunks_of(steps, Outcome.SUCCESS, horizon, SEED)
    k = (np.arange(steps)[::-1]) // horizon
    expected = -(1 - 0.97**k) / (8.0 * (1 - 0.97))

    assert monte_carlo_returns(chunks, config=SEED) == pytest.approx(expected)


def test_a_seed_failure_costs_its_reward_divided_by_c():
    returns = monte_carlo_returns(chunks_of(3, Outcome.FAILURE, 5, SEED), config=SEED)

    assert returns == pytest.approx([-3.0, -3.0, -3.0])


@given(lengths, horizons, st.sampled_from([RECAP, SEED]))
def test_nothing_is_bootstrapped_past_a_judged_end(steps, horizon, config):
    for outcome in (Outcome.SUCCESS, Outcome.FAILURE):
        chunks = chunks_of(steps, outcome, horizon, config)

        assert (chunks.bootstraps == (np.arange(steps) + horizon <= steps - 1)).all()
        assert (chunks.successors < steps).all()


@given(lengths, horizons, st.sampled_from([RECAP, SEED]))
def test_a_truncated_episode_bootstraps_everywhere_and_has_no_return(steps, horizon, config):
    chunks = chunks_of(steps, Outcome.NONE, horizon, config)

    assert chunks.bootstraps.all()
    assert chunks.successors[-1] == steps - 1
    assert np.isnan(monte_carlo_returns(chunks, config=config)).all()


def test_a_truncated_chunk_pays_and_discounts_by_the_part_that_was_seen():
    chunks = chunks_of(5, Outcome.NONE, 4, SEED)

    assert chunks.rewards == pytest.approx(-np.array([1, 0.75, 0.5, 0.25, 0]) / 8)
    assert chunks.discounts == pytest.approx(0.97 ** np.array([1, 0.75, 0.5, 0.25, 0]))


@given(lengths, horizons, st.sampled_from(list(Outcome)), st.sampled_from([RECAP, SEED]))
def test_returns_stay_within_the_range_that_the_scheme_names(steps, horizon, outcome, config):
    returns = monte_carlo_returns(chunks_of(steps, outcome, horizon, config), config=config)
    low, high = config.value_range

    known = returns[np.isfinite(returns)]
    assert ((known >= low - 1e-9) & (known <= high + 1e-9)).all()


def test_the_last_steps_of_an_episode_have_targets_of_their_own():
    # Trap: the seed dropped starts within a chunk of the end and credited success a chunk early.
    returns = monte_carlo_returns(
        chunks_of(10, Outcome.SUCCESS, 4, RECAP, longest=10), config=RECAP
    )

    assert returns[-1] == 0.0
    assert (np.diff(returns) > 0).all()


def test_the_longest_episode_of_each_task_sets_its_scale():
    assert longest_by_task([("a", 3), ("b", 9), ("a", 5)]) == {"a": 5, "b": 9}


def test_an_empty_episode_is_refused():
    with pytest.raises(ValueError, match=r"num_steps \(0\)"):
        chunks_of(0, Outcome.SUCCESS, 4, RECAP)
