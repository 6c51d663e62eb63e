import json
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from backend.learning.losses import (
    bin_centers,
    distribution_loss,
    hl_gauss_target,
    masked_flow_loss,
    one_hot_target,
    two_hot_target,
)

CENTERS = bin_centers(-1.0, 0.0, 201)
GOLDEN = Path(__file__).parents[1] / "golden" / "learning" / "losses.json"
supported = st.floats(-1, 0, width=32)


@given(supported)
def test_a_two_hot_target_has_the_value_as_its_mean(value):
    target = two_hot_target(torch.tensor([value]), CENTERS)

    assert target.sum() == pytest.approx(1.0, abs=1e-5)
    assert (target > 0).sum() <= 2
    assert (target @ CENTERS).item() == pytest.approx(value, abs=1e-4)


@given(st.floats(-0.9, -0.1), st.floats(0.5, 2.0))
def test_a_gaussian_target_is_a_distribution_around_its_value(value, ratio):
    target = hl_gauss_target(torch.tensor([value]), CENTERS, ratio=ratio)

    assert target.sum() == pytest.approx(1.0, abs=1e-5)
    assert (target >= 0).all()
    assert (target @ CENTERS).item() == pytest.approx(value, abs=1e-3)


def test_a_value_on_the_edge_of_the_support_is_biased_by_a_gaussian_but_not_one_hot():
    # Why endings are one-hot: smoothing at the edge would say that success is worth less.
    success = torch.tensor([0.0])

    smooth = hl_gauss_target(success, CENTERS, ratio=2.0) @ CENTERS
    known = one_hot_target(success, CENTERS) @ CENTERS

    assert smooth.item() < -1e-3
    assert known.item() == 0.0


@given(st.floats(-9, 9))
def test_values_outside_the_support_go_to_its_end(value):
    target = two_hot_target(torch.tensor([value]), CENTERS)

    assert (target @ CENTERS).item() == pytest.approx(min(max(value, -1.0), 0.0), abs=1e-4)


def test_padded_steps_teach_nothing():
    errors = torch.ones(2, 4, 3)
    is_pad = torch.tensor([[False, False, True, True], [False] * 4])
    errors[is_pad] = 1000.0

    assert masked_flow_loss(errors, is_pad).item() == 1.0


def test_parts_of_a_batch_sum_to_the_loss_of_the_whole():
    errors = torch.rand(8, 5, 2, dtype=torch.float64)
    is_pad = torch.rand(8, 5) < 0.4
    weights = torch.rand(8, dtype=torch.float64)
    total = float((~is_pad).sum())

    whole = masked_flow_loss(errors, is_pad, weights=weights)
    parts = sum(
        masked_flow_loss(errors[r], is_pad[r], weights=weights[r], total=total)
        for r in (slice(0, 3), slice(3, 8))
    )

    assert parts.item() == pytest.approx(whole.item(), abs=1e-12)


def golden_losses() -> dict[str, list[float]]:
    """Return the losses of fixed inputs; `python -m tests.learning.test_losses` writes them."""
    generator = torch.Generator().manual_seed(7)
    values = torch.tensor([-1.0, -0.731, -0.25, -0.003, 0.0])
    logits = torch.randn(5, 201, generator=generator)
    errors = torch.rand(3, 4, 2, generator=generator)
    is_pad = torch.tensor([[0, 0, 0, 1], [0, 1, 1, 1], [0, 0, 0, 0]], dtype=torch.bool)
    gauss = hl_gauss_target(values, CENTERS, ratio=0.75)
    return {
        "two_hot": distribution_loss(logits, two_hot_target(values, CENTERS)).tolist(),
        "one_hot": distribution_loss(logits, one_hot_target(values, CENTERS)).tolist(),
        "hl_gauss": distribution_loss(logits, gauss).tolist(),
        "flow": [masked_flow_loss(errors, is_pad).item()],
        "flow_weighted": [
            masked_flow_loss(errors, is_pad, weights=torch.tensor([0.5, 1.0, 1.5])).item()
        ],
    }


def test_losses_are_those_on_record():
    recorded = json.loads(GOLDEN.read_text())

    for name, values in golden_losses().items():
        assert values == pytest.approx(recorded[name], rel=1e-4), name


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps(golden_losses(), indent=2) + "\n")
