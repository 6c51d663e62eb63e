"""Which weights learn: rules that name parts of actor and critic."""

import pytest
import torch

from backend.learning.config_files import load_config
from backend.learning.critic import Critic
from backend.learning.learner import Learner
from backend.learning.pi05_rl.configuration_pi05_rl import PI05RLConfig
from backend.learning.pi05_rl.modeling_pi05_rl import PI05RLPolicy
from backend.learning.pi05_rl.network import PI05RLPytorch
from backend.learning.trainable import ACTOR_PARTS, TrainableError, describe, select_trainable


def select(learner: Learner, *rules: str) -> tuple[list[str], list[str]]:
    return select_trainable(rules, actor=learner.models.policy, critic=learner.models.critic)


def test_a_range_of_layers_selects_those_layers_and_no_other(make_learner):
    learner = make_learner()

    actor, critic = select(learner, "language.layers.1-2", "expert.layers.0", "critic.head")

    layers = {name.split("layers.")[1].split(".")[0] for name in actor if "language" in name}
    assert layers == {"1", "2"}
    assert {name.split("layers.")[1][0] for name in actor if "expert.model" in name} == {"0"}
    assert all(name.startswith("head.") for name in critic)
    learning = {n for n, p in learner.models.policy.named_parameters() if p.requires_grad}
    assert learning == set(actor)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("value_head", "no part 'value_head' to train; parts: "),
        ("language.layers.1-7", "language.layers has 0 to 2: is the rule for another model size"),
        ("critic.layers.5", "critic.layers has 0 to 0"),
    ],
)
def test_a_rule_that_matches_nothing_is_an_error(make_learner, rule, message):
    # Trap: freeze lists silently missed renamed heads.
    with pytest.raises(TrainableError, match=message):
        select(make_learner(), rule)


def test_every_weight_of_the_actor_but_the_unused_heads_can_learn(make_learner):
    learner = make_learner()

    actor, critic = select(learner, "actor", "critic")

    names = {name for name, _ in learner.models.policy.named_parameters()}
    assert names - set(actor) == {n for n in names if "lm_head" in n}
    assert len(critic) == len(list(learner.models.critic.parameters()))
    assert "language.embeddings" in describe(learner.models.policy, ACTOR_PARTS)


def test_the_seeds_trainable_rules_fit_the_base_model():
    config = load_config("seed")
    with torch.device("meta"):
        # Its own initialiser would move weights that are nowhere to a device.
        policy = PI05RLPolicy.__new__(PI05RLPolicy)
        torch.nn.Module.__init__(policy)
        policy.config = PI05RLConfig(device="cpu")
        policy.model = PI05RLPytorch(policy.config)
        critic = Critic(policy, config.critic)

    actor, own = select_trainable(config.trainable, actor=policy, critic=critic)

    sizes = {n: p.numel() for n, p in policy.named_parameters()}
    used = sum(size for name, size in sizes.items() if "lm_head" not in name)
    assert 0.05 < sum(sizes[n] for n in actor) / used < 0.25
    assert {n.split(".")[1] for n in own if n.startswith("layers")} == {"5"}
