"""What an update says of itself, under the seed's names, whatever its micro-batches."""

import numpy as np
import pytest
import torch

from backend.learning.losses import masked_flow_loss
from backend.learning.meter import UpdateMeter

BATCH, CHUNK = 6, 24


def flow_metrics(parts, *, weights=None):
    """Metrics of one update in `parts` micro-batches; half of sample 5 is past the end."""
    rng = torch.Generator().manual_seed(3)
    errors = torch.rand(BATCH, CHUNK, 2, generator=rng)
    is_pad = torch.zeros(BATCH, CHUNK, dtype=torch.bool)
    is_pad[5, 12:] = True
    time = torch.tensor([0.1, 0.2, 0.5, 0.6, 0.8, 0.9])
    words = ["positive", "positive", None, "negative", "negative", "negative"]
    weights = torch.ones(BATCH) if weights is None else weights
    total = float((~is_pad).sum())
    meter = UpdateMeter()
    for rows in np.array_split(np.arange(BATCH), parts):
        at = slice(rows[0], rows[-1] + 1)
        loss = masked_flow_loss(errors[at], is_pad[at], weights=weights[at], total=total)
        meter.add_flow(errors[at], is_pad[at], words[at], total, loss=loss, time=time[at])
    return meter.metrics(), errors.mean(dim=2), ~is_pad


def test_the_actors_numbers_are_means_over_real_steps():
    metrics, errors, real = flow_metrics(1)

    assert metrics["flow_mse_loss"] == pytest.approx(float(errors[real].mean()), rel=1e-5)
    assert metrics["loss_actor"] == pytest.approx(metrics["flow_mse_loss"], rel=1e-5)
    assert metrics["flow_loss_time/mean_first_10"] == pytest.approx(
        float(errors[:, :10].mean()), rel=1e-5
    )
    last = errors[:, -10:][real[:, -10:]]
    assert metrics["flow_loss_time/mean_last_10"] == pytest.approx(float(last.mean()), rel=1e-5)
    assert metrics["flow_loss_noise/mean_low_noise_lt_0.3"] == pytest.approx(
        float(errors[:2].mean()), rel=1e-5
    )
    high = (errors[4].mean() + errors[5, :12].mean()) / 2
    assert metrics["flow_loss_noise/mean_high_noise_gt_0.7"] == pytest.approx(float(high), rel=1e-5)
    assert metrics["word_fraction/negative"] == 0.5


def test_accumulation_changes_no_number():
    whole, *_ = flow_metrics(1)
    parts, *_ = flow_metrics(4)

    assert parts == pytest.approx(whole, rel=1e-5)


def test_weights_are_in_the_loss_and_not_in_the_error():
    weights = torch.tensor([0.0, 2.0, 1.0, 1.0, 2.0, 0.0])
    plain, *_ = flow_metrics(2)
    weighted, *_ = flow_metrics(2, weights=weights)

    assert weighted["flow_mse_loss"] == plain["flow_mse_loss"]
    assert weighted["loss_actor"] != pytest.approx(plain["loss_actor"], rel=1e-2)


def test_the_critics_numbers_describe_values_targets_and_rewards():
    meter = UpdateMeter()
    for first in (0, 2):
        values = torch.tensor([-0.5, -0.1, -0.3, -0.3])[first : first + 2]
        targets = torch.tensor([-0.4, 0.0, -0.2, -1.0])[first : first + 2]
        losses = (targets - values) ** 2
        rewards = np.array([-0.01, 0.0, -0.01, -1.0])[first : first + 2]
        meter.add_critic(losses, values, targets, 4, rewards=rewards)

    metrics = meter.metrics()

    assert metrics["loss_critic"] == pytest.approx((0.01 + 0.01 + 0.01 + 0.49) / 4, rel=1e-5)
    assert metrics["target_value_mean"] == pytest.approx(-0.4)
    assert metrics["target_value_std"] == pytest.approx(np.std([-0.4, 0.0, -0.2, -1.0]))
    assert metrics["td_error_mean"] == pytest.approx(-0.1)
    assert metrics["reward_mean"] == pytest.approx(-0.255)
