"""The small parts of a training: shares, alarms, thresholds, which checkpoints stay."""

import numpy as np
import pytest

from backend.domain import Outcome
from backend.jobs.alarms import alarms_of
from backend.jobs.checkpoint_rules import apply_pruning, missing_bytes, prune_rule
from backend.jobs.label_file import LabelTable, read_label_table, rethreshold, write_label_table
from backend.jobs.mixing import MixedSampler
from backend.learning.config import RewardConfig, WordConfig
from backend.learning.config_files import load_config
from tests.learning.synthetic import make_episode


class Clock:
    now_s = 0.0

    def __call__(self):
        self.now_s += 0.25
        return self.now_s


def sampler(shares=(0.25, 0.75), seed=0, steps=(40, 4)):
    episodes = [
        make_episode(f"source {number}", steps=length, outcome=Outcome.SUCCESS)
        for number, length in enumerate(steps)
    ]
    mixed = MixedSampler(
        horizon=4,
        reward=RewardConfig(),
        rng=np.random.default_rng(seed),
        source_of={e.episode_id: number for number, e in enumerate(episodes)},
        shares=shares,
        clock=Clock(),
    )
    mixed.set_episodes(episodes)
    return mixed


def share_of(batch, name):
    return batch.episode_ids.count(name) / len(batch)


def test_each_source_gets_its_share_of_every_batch_however_long_it_is():
    assert share_of(sampler().draw(16), "source 1") == 0.75


def test_a_share_below_one_sample_is_drawn_now_and_then():
    mixed = sampler(shares=(0.97, 0.03))
    drawn = [share_of(mixed.draw(8), "source 1") * 8 for _ in range(400)]

    assert set(drawn) == {0.0, 1.0}
    assert np.mean(drawn) == pytest.approx(0.24, abs=0.07)


def test_steps_that_are_left_out_start_no_chunk_and_a_source_without_any_gives_its_share():
    mixed = sampler()
    mixed.leave_out({"source 1": np.ones(4, dtype=bool)})

    assert share_of(mixed.draw(8), "source 0") == 1.0
    assert share_of(mixed.draw(8, all_steps=True), "source 1") == 0.75


def test_the_same_generator_draws_the_same_chunks():
    first, second = sampler(seed=3).draw(8), sampler(seed=3).draw(8)

    assert first.episode_ids == second.episode_ids
    assert (first.starts == second.starts).all()


def test_the_time_that_drawing_takes_is_handed_out_once():
    mixed = sampler()
    mixed.draw(4)
    mixed.draw(4)

    assert mixed.take_waited_s() == 0.5
    assert mixed.take_waited_s() == 0.0


def alarms(actor_updates=1000, preset="debug", **metrics):
    numbers = {name.replace("__", "/"): value for name, value in metrics.items()}
    return alarms_of(numbers, config=load_config(preset), actor_updates=actor_updates)


HEALTHY = {
    "loss_actor": 0.3,
    "label_positive_fraction": 0.3,
    "probe__conditioning_gap": 0.02,
    "critic_value_mean": -0.5,
    "critic_value_std": 0.2,
}


def test_a_healthy_run_raises_no_alarm():
    assert alarms(**HEALTHY) == {}


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("not_finite", {"loss_actor": float("nan")}, "the run has diverged"),
        ("positive_share", {"label_positive_fraction": 0.99}, "99.0% of the chunks are 'positive'"),
        ("positive_share", {"label_positive_fraction": 0.0}, "the word carries no news"),
        ("word_ignored", {"probe__conditioning_gap": 0.0001}, "the policy ignores its word"),
        ("value_outside", {"critic_value_mean": -1.4}, "returns lie between -1.00 and 0.00"),
        ("waits_for_data", {"data_wait_share": 0.4}, "40% of the time"),
    ],
)
def test_each_alarm_says_what_is_wrong_in_words(name, change, words):
    raised = alarms(**{**HEALTHY, **change})

    assert list(raised) == [name]
    assert words in raised[name]


def test_a_word_is_not_called_ignored_before_it_can_be_learned():
    assert alarms(actor_updates=10, **{**HEALTHY, "probe__conditioning_gap": 0.0}) == {}


def test_probes_without_an_answer_raise_no_alarm():
    assert alarms(**{**HEALTHY, "probe__auc": float("nan")}) == {}


def table(mode="two"):
    advantages = np.linspace(-1, 1, 10)
    return LabelTable(
        values=np.zeros(10),
        returns=np.full(10, np.nan),
        advantages=advantages,
        forced=np.arange(10) < 2,
        worst=np.arange(10) == 9,
        task=np.array([0] * 5 + [1] * 5),
        source=np.zeros(10, dtype=int),
        tasks=("a", "b"),
        sources=("recorded episodes",),
        thresholds={"a": -0.5, "b": 0.5} if mode == "two" else {},
        words=WordConfig(mode=mode),
        step=7,
    )


def test_a_label_table_comes_back_as_it_was_written(tmp_path):
    write_label_table(tmp_path / "labels.npz", table())

    found = read_label_table(tmp_path / "labels.npz")

    np.testing.assert_allclose(found.advantages, table().advantages, rtol=1e-6)
    assert (found.tasks, found.thresholds, found.step) == (("a", "b"), {"a": -0.5, "b": 0.5}, 7)
    assert [p.name for p in tmp_path.iterdir()] == ["labels.npz"]


def test_another_threshold_moves_only_what_is_not_forced():
    none = rethreshold(table(), thresholds={"a": 9.0, "b": 9.0})
    all_but_worst = rethreshold(table(), thresholds={"a": -9.0, "b": -9.0})
    some = rethreshold(table(), positive_fraction=0.5)

    assert none.positive == 0.2
    assert none.positive_by_task == {"a": 0.4, "b": 0.0}
    assert all_but_worst.positive_by_task == {"a": 1.0, "b": 0.8}
    assert some.thresholds.keys() == {"a", "b"}
    assert some.positive > none.positive


def test_five_words_are_thresholded_by_their_scaling():
    assert rethreshold(table("five"), scaling=0.01).positive > (
        rethreshold(table("five"), scaling=10.0).positive
    )


def test_the_newest_checkpoints_stay_whole_and_protected_ones_are_thinned():
    rule = prune_rule([100, 200, 300, 400, 500], keep=2, protected={200: "promoted", 500: "drove"})

    assert (rule.deleted, rule.thinned) == ((100, 300), (200,))


def test_pruning_removes_what_resuming_needs_from_those_that_stay(tmp_path):
    for step in (1, 2, 3):
        (tmp_path / str(step) / "training_state").mkdir(parents=True)
        (tmp_path / str(step) / "pretrained_model").mkdir()
    rule = prune_rule([1, 2, 3], keep=1, protected={2: "promoted"})

    deleted, thinned = apply_pruning(rule, lambda step: tmp_path / str(step))
    again = apply_pruning(rule, lambda step: tmp_path / str(step))

    assert (deleted, thinned) == ([1], [2])
    assert again == ([1], [])
    left = sorted(str(p.relative_to(tmp_path)) for p in tmp_path.glob("*/*"))
    assert left == ["2/pretrained_model", "3/pretrained_model", "3/training_state"]


def test_a_disk_that_is_too_small_for_a_checkpoint_says_by_how_much(tmp_path):
    assert missing_bytes(tmp_path, 0) == 0
    assert missing_bytes(tmp_path, 10**18) > 10**17
