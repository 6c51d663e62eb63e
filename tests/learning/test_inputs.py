"""What the models are given: prompts without the padding that nobody reads."""

import numpy as np
import torch
from lerobot.utils.constants import OBS_LANGUAGE_ATTENTION_MASK, OBS_LANGUAGE_TOKENS

from backend.learning.inputs import ModelInputs
from backend.learning.pi05_rl.processor_pi05_rl import OBS_PLAIN_TOKENS
from backend.learning.scoring import observations_of


def padded(batch, *, to):
    """The batch with prompts as long as a checkpoint allows."""
    missing = (0, to - batch[OBS_LANGUAGE_TOKENS].shape[1])
    names = (OBS_LANGUAGE_TOKENS, OBS_LANGUAGE_ATTENTION_MASK)
    return {**batch, **{name: torch.nn.functional.pad(batch[name], missing) for name in names}}


def test_the_longest_prompt_of_a_batch_has_no_padding_and_the_loss_is_that_of_padded_ones(
    make_learner, episodes
):
    learner = make_learner()
    policy = learner.models.policy.eval()
    observations = observations_of(episodes[0], slice(0, 3))
    noise, time = torch.randn(3, 4, 32, generator=torch.Generator().manual_seed(0)), torch.rand(3)

    batch = learner.inputs.for_actor(
        observations,
        episodes[0].actions[None, :4].repeat(3, axis=0),
        ["positive", None, "negative"],
    )

    mask = batch[OBS_LANGUAGE_ATTENTION_MASK]
    assert mask.any(dim=0).all()
    assert not mask.all()
    assert mask.shape[1] < policy.config.tokenizer_max_length
    with torch.no_grad():
        short = policy.flow_errors(batch, noise=noise, time=time)
        long = policy.flow_errors(
            padded(batch, to=policy.config.tokenizer_max_length), noise=noise, time=time
        )
    torch.testing.assert_close(short, long)


def test_prompts_with_and_without_the_word_stay_as_long_as_each_other(make_learner, episodes):
    # Guidance puts both into one batch.
    inputs = ModelInputs(make_learner().models.preprocessor)

    batch = inputs.for_acting(observations_of(episodes[0], slice(0, 1)))

    assert batch[OBS_PLAIN_TOKENS].shape == batch[OBS_LANGUAGE_TOKENS].shape
    assert bool(batch[OBS_LANGUAGE_ATTENTION_MASK].all())


def test_the_critics_prompts_are_cut_too(make_learner, episodes):
    batch = make_learner().inputs.for_critic(observations_of(episodes[0], slice(0, 2)))

    assert np.asarray(batch[OBS_LANGUAGE_ATTENTION_MASK]).any(axis=0).all()
