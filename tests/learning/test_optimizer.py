"""Steps of bf16 weights: sums, clipping, rates, and gradients recomputed to save memory."""

import pytest
import torch

from backend.learning.optimizer import MasterOptimizer, RateSchedule


def test_updates_too_small_for_bf16_still_add_up():
    # Trap: a bf16 weight of 1 moves in steps of 0.0078; 100 updates of 1e-4 used to vanish.
    weight = torch.nn.Parameter(torch.ones(4, dtype=torch.bfloat16))
    optimizer = MasterOptimizer(
        [({"w": weight}, 1e-4)],
        betas=(0.9, 0.95),
        weight_decay=0.0,
        grad_clip=10.0,
        schedule=RateSchedule(),
    )
    for _ in range(100):
        weight.sum().backward()
        optimizer.step()

    assert optimizer.master("w").mean().item() == pytest.approx(0.99, abs=1e-4)
    assert weight.float().mean().item() == pytest.approx(0.99, abs=0.004)
    assert weight.dtype == torch.bfloat16


def test_gradients_of_bf16_weights_are_summed_in_float32():
    weight = torch.nn.Parameter(torch.ones(1, dtype=torch.bfloat16))
    optimizer = MasterOptimizer(
        [({"w": weight}, 1.0)],
        betas=(0.9, 0.95),
        weight_decay=0.0,
        grad_clip=1e9,
        schedule=RateSchedule(),
    )
    for scale in (256.0, 1.0, 1.0, 1.0):
        (weight.sum() * scale).backward()

    assert weight.grad is None
    assert optimizer.master("w").grad.item() == 259.0


def test_gradients_are_clipped_and_learning_rates_warm_up():
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = MasterOptimizer(
        [({"w": weight}, 1.0)],
        betas=(0.9, 0.95),
        weight_decay=0.0,
        grad_clip=0.5,
        schedule=RateSchedule(warmup_steps=3),
    )
    moved = []
    for _ in range(4):
        before = weight.item()
        (weight * 100).sum().backward()
        assert optimizer.step() == pytest.approx(100.0)
        moved.append(before - weight.item())

    assert moved == pytest.approx([0.25, 0.5, 0.75, 1.0], rel=1e-3)


def test_learning_rates_fall_along_half_a_cosine_and_stay_at_their_end():
    schedule = RateSchedule(warmup_steps=3, decay_steps=100, final_share=0.1)

    shares = [schedule.share(update) for update in (0, 2, 50, 100, 500)]

    assert shares == pytest.approx([0.25, 0.75, 0.55, 0.1, 0.1], rel=2e-3)
    assert RateSchedule(warmup_steps=3).share(10_000) == 1.0


def test_learning_rates_of_actor_and_critic_fall_over_their_own_updates(make_learner):
    learner = make_learner(
        {
            "optimizer": {"decay": "cosine", "final_lr_share": 0.01},
            "schedule": {"critic_steps": 2, "actor_steps": 4},
        }
    )
    while not learner.done:
        learner.train_step()

    def rate(optimizer):
        return optimizer._adam.param_groups[0]["lr"] / optimizer._rates[0]

    # The last of two updates is half way of the two; the last of four at three quarters of them.
    assert rate(learner.critic_optimizer) == pytest.approx(0.505)
    assert rate(learner.actor_optimizer) == pytest.approx(0.155, abs=0.001)


def test_parts_learn_at_their_own_rates(make_learner):
    rates = {"actor_lr": 1e-4, "vision_lr": 1e-6, "critic_lr": 1e-5, "critic_head_lr": 1e-3}
    learner = make_learner({"optimizer": rates})

    def rate_of(optimizer, part):
        groups = optimizer._adam.param_groups
        masters = {id(optimizer.master(n)): n for n in optimizer.names}
        return {
            rate
            for group, rate in zip(groups, optimizer._rates, strict=True)
            for master in group["params"]
            if part in masters[id(master)]
        }

    assert rate_of(learner.actor_optimizer, "vision_tower") == {1e-6}
    assert rate_of(learner.actor_optimizer, "gemma_expert") == {1e-4}
    assert rate_of(learner.critic_optimizer, "head") == {1e-3}
    assert rate_of(learner.critic_optimizer, "layers") == {1e-5}


def test_gradient_checkpointing_changes_no_gradient(make_learner):
    def losses(checkpointing):
        learner = make_learner({"model.gradient_checkpointing": checkpointing})
        return [learner.train_step() for _ in range(3)]

    for plain, saved in zip(losses(False), losses(True), strict=True):
        assert saved == pytest.approx(plain, rel=1e-4)
