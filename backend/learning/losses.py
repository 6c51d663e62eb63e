"""Losses as pure functions of tensors.

b samples, h steps of a chunk, a action dimensions, n bins. `total` arguments let a sum over
micro-batches equal the loss of the whole batch: each micro-batch divides by the whole's count.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def masked_flow_loss(
    errors: Float[Tensor, "b h a"],
    is_pad: Bool[Tensor, "b h"],
    *,
    weights: Float[Tensor, " b"] | None = None,
    total: float | None = None,
) -> Float[Tensor, ""]:
    """Return the mean flow-matching error over the real steps of all chunks.

    Args:
        errors: Squared errors of the velocity on the real action dimensions.
        is_pad: Steps past the end of the episode; they teach nothing.
        weights: One a sample, mean 1 over the update (AWR); ones when None.
        total: Real steps of the whole update; this batch's when None.
    """
    real = (~is_pad).to(errors.dtype)
    steps = real.sum() if total is None else total
    if weights is not None:
        real = real * weights[:, None]
    return (errors.mean(dim=2) * real).sum() / steps


def bin_centers(low: float, high: float, num_bins: int) -> Float[Tensor, " n"]:
    """Return the centres of the bins, the first at `low` and the last at `high`."""
    return torch.linspace(low, high, num_bins)


def two_hot_target(
    value: Float[Tensor, " b"], centers: Float[Tensor, " n"]
) -> Float[Tensor, "b n"]:
    """Split each value between its two neighbouring bins so that the mean is the value.

    The projection of C51 (arXiv 1707.06887). Values outside the support go to its end.
    """
    width = centers[1] - centers[0]
    position = ((value - centers[0]) / width).clamp(0, len(centers) - 1)
    lower = position.floor().long().clamp(max=len(centers) - 2)
    share = position - lower
    target = torch.zeros(len(value), len(centers), dtype=value.dtype, device=value.device)
    target.scatter_(1, lower[:, None], (1 - share)[:, None])
    target.scatter_(1, lower[:, None] + 1, share[:, None])
    return target


def one_hot_target(
    value: Float[Tensor, " b"], centers: Float[Tensor, " n"]
) -> Float[Tensor, "b n"]:
    """Put each value into its nearest bin: for endings, whose value is known and on an edge."""
    width = centers[1] - centers[0]
    nearest = ((value - centers[0]) / width).round().clamp(0, len(centers) - 1).long()
    return torch.nn.functional.one_hot(nearest, len(centers)).to(value.dtype)


def hl_gauss_target(
    value: Float[Tensor, " b"], centers: Float[Tensor, " n"], *, ratio: float
) -> Float[Tensor, "b n"]:
    """Spread each value over the bins as a Gaussian of `ratio` bin widths (arXiv 2403.03950).

    The outermost bins take the tails, so the mass is 1 wherever the value lies.
    """
    width = centers[1] - centers[0]
    inner = centers[:-1] + width / 2  # edges between bins; the outermost are at ±infinity
    value = value.clamp(centers[0], centers[-1])
    below = torch.distributions.Normal(value[:, None], ratio * width).cdf(inner[None, :])
    zeros = torch.zeros_like(below[:, :1])
    return torch.cat([zeros, below, zeros + 1], dim=1).diff(dim=1)


def distribution_loss(
    logits: Float[Tensor, "b n"], target: Float[Tensor, "b n"]
) -> Float[Tensor, " b"]:
    """Return the cross-entropy of each predicted distribution against its target."""
    return -(target * torch.log_softmax(logits, dim=1)).sum(dim=1)
