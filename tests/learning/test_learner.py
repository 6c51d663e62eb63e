"""Updates: what learns, what does not, and that accumulation is the big batch."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from backend.domain import Outcome
from backend.learning.learner import Learner
from backend.learning.scoring import score_episodes
from backend.learning.training import (
    StopTraining,
    resume_run,
    run_training,
    save_run,
    split_held_out,
)
from tests.learning.synthetic import make_episode

JOINT = {
    "schedule": {"order": "joint", "joint_steps": 4},
    "critic": {"kind": "scalar", "learn_from": "td", "target_rate": 0.5},
    "reward.scheme": "seed",
    "words": {"mode": "five", "dropout": 0.0},
}


def weights_of(learner: Learner) -> dict[str, torch.Tensor]:
    parts = {"policy": learner.models.policy, "critic": learner.models.critic}
    if learner.target is not None:
        parts["target"] = learner.target
    return {
        f"{part}.{name}": tensor.clone()
        for part, module in parts.items()
        for name, tensor in module.state_dict().items()
    }


def changed(before: dict, after: dict) -> set[str]:
    return {name for name in before if not torch.equal(before[name], after[name])}


IN_BF16 = {**JOINT, "model.dtype": "bfloat16"}


@pytest.mark.parametrize("overrides", [{}, JOINT, IN_BF16], ids=["rounds", "joint", "joint bf16"])
def test_two_steps_saved_and_resumed_to_four_equal_an_unbroken_run(
    make_learner, episodes, tmp_path, overrides
):
    said = []
    unbroken = make_learner(overrides)
    run_training(unbroken, tmp_path / "a", on_step=lambda step, m: said.append((step, m)))
    first = make_learner(overrides)
    folder = run_training(first, tmp_path / "b", on_step=lambda *_: None, until=2)

    resumed = resume_run(folder, episodes, device="cpu")
    again = []
    run_training(resumed, tmp_path / "b", on_step=lambda step, m: again.append((step, m)))

    assert changed(weights_of(unbroken), weights_of(resumed)) == set()
    assert again == said[2:]
    assert resumed.done


def test_a_run_resumed_in_the_middle_of_the_actors_stage_keeps_its_labels(
    make_learner, episodes, tmp_path
):
    # The actor moves the vision tower, so labels made anew would differ from those in force.
    overrides = {"schedule": {"critic_steps": 1, "actor_steps": 4}}
    unbroken = make_learner(overrides)
    run_training(unbroken, tmp_path / "a", on_step=lambda *_: None)
    first = make_learner(overrides)
    folder = run_training(first, tmp_path / "b", on_step=lambda *_: None, until=3)

    resumed = resume_run(folder, episodes, device="cpu")

    assert resumed.labels.words == first.labels.words
    run_training(resumed, tmp_path / "b", on_step=lambda *_: None)
    assert changed(weights_of(unbroken), weights_of(resumed)) == set()


def test_episodes_that_came_since_the_checkpoint_are_labelled_on_resuming(
    make_learner, episodes, tmp_path
):
    first = make_learner()
    folder = run_training(first, tmp_path, on_step=lambda *_: None, until=3)

    resumed = resume_run(folder, [*episodes, make_episode("new", steps=12)], device="cpu")
    assert resumed.labels is None
    resumed.train_step()

    assert "new" in resumed.labels.words


def gradients(module: torch.nn.Module) -> torch.Tensor:
    return torch.cat([p.grad.flatten() for p in module.parameters() if p.grad is not None])


def caught_gradients(learner: Learner, update: str, batch) -> dict[str, torch.Tensor]:
    """Return the gradients that an update has summed just before its optimisers step."""
    found = {}

    def catch(part):
        def step():
            found[part] = gradients(getattr(learner.models, part))
            return 0.0

        return step

    if learner.actor_optimizer is not None:
        learner.actor_optimizer.step = catch("policy")
    if learner.critic_optimizer is not None:
        learner.critic_optimizer.step = catch("critic")
    getattr(learner, update)(batch)
    return found


@pytest.mark.parametrize(
    ("update", "overrides"),
    [
        ("update_critic", {}),
        ("update_actor", {"words.dropout": 0.3}),
        ("update_actor", {"words": {"mode": "none", "weighting": "awr"}}),
        ("update_both", JOINT),
    ],
)
def test_accumulated_gradients_are_those_of_the_big_batch(make_learner, update, overrides):
    # Chunks of different padding, words and weights: means of means would differ.
    episodes = [
        make_episode(f"{n}-{outcome}", steps=steps, outcome=outcome)
        for n, steps in enumerate((2, 5, 11))
        for outcome in (Outcome.SUCCESS, Outcome.FAILURE, Outcome.NONE)
    ]
    found = []
    for sizes in ({"batch_size": 12, "accumulation": 1}, {"batch_size": 5, "accumulation": 3}):
        learner = make_learner({**overrides, "optimizer": sizes}, episodes)
        learner.relabel()
        batch = learner.sampler.draw(12, with_successors=True, all_steps=True)
        found.append(caught_gradients(learner, update, batch))

    whole, parts = found
    assert whole.keys() == parts.keys()
    for part in whole:
        scale = whole[part].norm()
        assert scale > 0
        assert (whole[part] - parts[part]).norm() <= 2e-5 * scale, part


def test_no_gradient_of_the_critic_reaches_the_actor(make_learner):
    learner = make_learner()
    learner.critic_optimizer.step = lambda: 0.0

    learner.update_critic(learner.sampler.draw(4))

    assert all(p.grad is None for p in learner.models.policy.parameters())
    assert all(p.grad is not None for p in learner.models.critic.parameters())


def test_in_a_joint_update_the_actor_learns_from_its_own_loss_alone(make_learner):
    def policy_gradients(critic_scale):
        learner = make_learner(JOINT)
        losses = learner.models.critic.losses
        learner.models.critic.losses = lambda *a, **k: critic_scale * losses(*a, **k)
        batch = learner.sampler.draw(4, with_successors=True)
        return caught_gradients(learner, "update_both", batch)

    once, thousandfold = policy_gradients(1.0), policy_gradients(1000.0)

    assert torch.equal(once["policy"], thousandfold["policy"])
    assert not torch.allclose(once["critic"], thousandfold["critic"])


def test_a_critic_step_moves_only_the_critic_and_an_actor_step_only_the_actor(make_learner):
    learner = make_learner()
    seen = []
    for _ in range(4):
        before, stage = weights_of(learner), learner.stage
        learner.train_step()
        seen.append((stage, {n.split(".")[0] for n in changed(before, weights_of(learner))}))

    assert seen == [("critic", {"critic"})] * 2 + [("actor", {"policy"})] * 2


def test_the_critic_learns_on_what_the_actor_made_of_its_features_and_judges_by_that(make_learner):
    learner = make_learner(
        {"schedule": {"critic_steps": 1, "actor_steps": 2, "critic_refit_steps": 2}}
    )

    stages = []
    while not learner.done:
        stages.append(learner.stage)
        learner.train_step()

    assert stages == ["critic", "actor", "actor", "critic", "critic"]
    last = dict(score_episodes(learner.models, learner.sampler.episodes))
    for name, values in learner.labels.values.items():
        np.testing.assert_array_equal(values, last[name].values)
    assert learner.models.thresholds == learner.labels.thresholds


@pytest.mark.parametrize("overrides", [{"schedule": {"critic_steps": 0, "actor_steps": 2}}, JOINT])
def test_a_critic_that_was_not_trained_before_the_actor_is_not_fitted_after_it(
    make_learner, overrides
):
    # Trap: a run of the actor alone would end with hours of nothing, or with an error.
    plain = make_learner(overrides).config.schedule
    asked = make_learner(
        {**overrides, "schedule": {**overrides["schedule"], "critic_refit_steps": 5}}
    )
    schedule = asked.config.schedule

    assert (schedule.total_steps, schedule.critic_total) == (plain.total_steps, plain.critic_total)


def test_the_target_critic_moves_slowly_towards_the_live_one(make_learner):
    learner = make_learner(JOINT)
    before = {n: p.clone() for n, p in learner.target.named_parameters()}

    learner.train_step()

    live = dict(learner.models.critic.named_parameters())
    for name, average in learner.target.named_parameters():
        assert torch.allclose(average, before[name].lerp(live[name], 0.5), atol=1e-6), name
        assert not average.requires_grad


def test_under_bf16_head_target_and_masters_are_float32(make_learner):
    learner = make_learner(IN_BF16)
    learner.train_step()
    critic = learner.models.critic

    layer = critic.layers[0].self_attn.q_proj.weight
    assert layer.dtype == torch.bfloat16
    assert (
        learner.critic_optimizer.master("layers.0.self_attn.q_proj.weight").dtype == torch.float32
    )
    assert {p.dtype for p in critic.head.parameters()} == {torch.float32}
    assert {p.dtype for p in learner.target.parameters()} == {torch.float32}


def test_relabelling_an_episode_changes_what_is_learned_next(make_learner, episodes, monkeypatch):
    learner = make_learner({"words.positive_fraction": 0.5})
    learner.relabel()
    before, scored = learner.labels, []
    turned = replace(episodes[0], outcome=Outcome.FAILURE)
    known, returns = episodes[1], learner.sampler.returns_of(episodes[1].episode_id)
    new = make_episode("new", steps=12, outcome=Outcome.SUCCESS)
    other = make_episode("other", steps=12, task="wave")
    monkeypatch.setattr(
        "backend.learning.learner.score_episodes",
        lambda models, some: scored.extend(some) or score_episodes(models, some),
    )

    learner.set_episodes([turned, *episodes[1:-1], new, other])

    assert (learner.sampler.returns_of(turned.episode_id) == -1.0).all()
    assert learner.sampler.returns_of(known.episode_id) is returns, "derived once"
    assert scored == [new, other], "only what was never seen is scored"
    labels = learner.labels
    assert labels.values.keys() == {e.episode_id for e in [turned, *episodes[1:-1], new, other]}
    assert labels.values[turned.episode_id] is before.values[turned.episode_id]
    assert labels.words[known.episode_id] is before.words[known.episode_id]
    # Seen as before and failed after all: worse than it was.
    assert labels.advantages[turned.episode_id][-1] < before.advantages[turned.episode_id][-1] - 0.1
    assert labels.thresholds[turned.task] == before.thresholds[turned.task]
    assert np.mean([word == "positive" for word in labels.words["other"]]) == 0.5
    learner.update_actor(learner.sampler.draw(8))


def test_the_scale_of_the_returns_never_shrinks_during_a_run(make_learner, episodes):
    learner = make_learner()
    longest = dict(learner.models.longest)

    learner.set_episodes([make_episode("short", steps=3, task=episodes[0].task)])

    assert learner.models.longest == longest


def test_the_critic_draws_only_episodes_that_teach_it_something(make_learner):
    cut = [make_episode(f"cut-{n}", outcome=Outcome.NONE) for n in range(8)]
    learner = make_learner(of=[*cut, make_episode("judged", steps=2)])

    learner.train_step()

    batch = learner.sampler.draw(64, all_steps=True, judged_only=True)
    assert set(batch.episode_ids) == {"judged"}


def test_a_batch_of_unjudged_episodes_cannot_teach_monte_carlo_returns(make_learner):
    learner = make_learner(of=[make_episode("cut", outcome=Outcome.NONE)])

    with pytest.raises(ValueError, match="grade some as success or failure"):
        learner.train_step()


def test_a_stage_without_anything_to_train_says_what_to_change(make_learner):
    learner = make_learner({"trainable": ["actor"]})

    with pytest.raises(ValueError, match="trains the critic, but trainable selects nothing"):
        learner.train_step()


def test_a_gradient_that_is_not_finite_stops_the_run_and_keeps_the_weights(make_learner):
    learner = make_learner()
    with torch.no_grad():
        learner.models.critic.head.out.bias.fill_(float("inf"))
    before = weights_of(learner)

    with pytest.raises(FloatingPointError, match="gradient norm is nan"):
        learner.train_step()

    assert changed(before, weights_of(learner)) <= {"critic.head.out.bias"}


def test_a_callback_may_stop_a_run_which_is_saved(make_learner, tmp_path):
    def stop(step, metrics):
        raise StopTraining

    folder = run_training(make_learner(), tmp_path, on_step=stop)

    assert folder.name == "000001"


def test_a_checkpoint_is_never_written_over(make_learner, tmp_path):
    learner = make_learner()
    save_run(learner, tmp_path)

    with pytest.raises(FileExistsError, match="choose another run name"):
        save_run(learner, tmp_path)


def test_an_episode_stays_held_out_when_others_are_added():
    many = [make_episode(f"{n}", steps=1) for n in range(400)]

    _, few_held = split_held_out(many[:200], 0.2)
    training, held = split_held_out(many, 0.2)

    assert {e.episode_id for e in few_held} <= {e.episode_id for e in held}
    assert len(held) / 400 == pytest.approx(0.2, abs=0.06)
    assert len(training) + len(held) == 400


def test_metrics_speak_the_words_that_were_decided(make_learner):
    learner = make_learner(JOINT)

    metrics = learner.train_step()

    words = {n.split("/")[1] for n in metrics if n.startswith("word_fraction/")}
    assert words <= {"very negative", "negative", "neutral", "positive", "very positive"}
    shares = [v for n, v in metrics.items() if n.startswith("word_fraction/")]
    assert sum(shares) == pytest.approx(1.0)
    assert np.isfinite(list(metrics.values())).all()
