"""The critic: where it starts, and what may not change its values."""

import pytest
import torch
from lerobot.policies.common.vla_utils import prepare_attention_masks_4d

from backend.learning.critic import Critic, Features
from backend.learning.scoring import score_episode
from tests.learning.synthetic import make_episode


def test_the_critic_starts_as_the_actors_first_layers(make_learner):
    models = make_learner().models
    language = models.policy.model.paligemma_with_expert.paligemma.model.language_model

    copied = models.critic.layers[0].state_dict()

    for name, weight in language.layers[0].state_dict().items():
        assert torch.equal(copied[name], weight)
        assert copied[name].data_ptr() != weight.data_ptr()


def whole_critic(critic: Critic, features: Features) -> torch.Tensor:
    """The critic as its layers compute it when every row is made, of which the head reads few."""
    queries = critic.queries.expand(len(features.mask), -1, -1)
    hidden = torch.cat([features.embeddings, queries], dim=1)
    mask = torch.cat([features.mask, torch.ones(queries.shape[:2], dtype=torch.bool)], dim=1)
    rotary = critic.rotary_emb(hidden, torch.cumsum(mask, dim=1) - 1)
    attention = prepare_attention_masks_4d(mask[:, None, :].expand(-1, mask.shape[1], -1))
    for layer in critic.layers:
        hidden = layer(hidden, attention_mask=attention, position_embeddings=rotary)
    return critic.head(critic.norm(hidden)[0][:, -queries.shape[1] :])


@pytest.mark.parametrize("depth", [1, 3])
def test_leaving_out_the_rows_that_nobody_reads_changes_no_value_and_no_gradient(
    make_learner, depth
):
    critic = make_learner({"critic.depth": depth}).models.critic
    generator = torch.Generator().manual_seed(0)
    features = Features(
        embeddings=torch.randn(3, 20, 128, generator=generator),
        mask=torch.arange(20) < torch.tensor([[20], [13], [1]]),
    )
    found = []
    for forward in (critic, lambda features: whole_critic(critic, features)):
        critic.zero_grad()
        output = forward(features)
        (output**2).sum().backward()
        found.append([output, *(p.grad.clone() for p in critic.parameters())])

    for ours, whole in zip(*found, strict=True):
        assert (ours - whole).norm() <= 1e-5 * whole.norm()


@pytest.mark.parametrize("kind", ["scalar", "distributional"])
def test_padding_and_batching_do_not_change_a_value(make_learner, kind):
    learner = make_learner({"critic.kind": kind})
    short = make_episode("a", task="go", steps=1)
    long = make_episode("b", task="go there and come back at once", steps=1)

    alone = score_episode(learner.models, short)
    tokenizer = learner.models.preprocessor.steps[5]
    tokenizer.max_length = 90
    padded = score_episode(learner.models, short)
    learner.set_episodes([short, long])

    assert padded.values == pytest.approx(alone.values, abs=1e-5)
    assert (alone.spreads is None) == (kind == "scalar")
