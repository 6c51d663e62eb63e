"""The LeRobot policy type: prompt, tokens, sizes, losses, guidance."""

import warnings

import numpy as np
import pytest
import torch
from lerobot.policies.pi05.configuration_pi05 import PI05Config
from lerobot.policies.pi05.modeling_pi05 import PI05Pytorch
from lerobot.policies.pi05.processor_pi05 import Pi05PrepareStateTokenizerProcessorStep
from lerobot.processor import TokenizerProcessorStep
from lerobot.processor.converters import batch_to_transition
from lerobot.utils.constants import OBS_LANGUAGE_ATTENTION_MASK, OBS_LANGUAGE_TOKENS
from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

from backend.learning.inputs import ModelInputs, pixels
from backend.learning.pi05_rl.configuration_pi05_rl import PI05RLConfig
from backend.learning.pi05_rl.network import PI05RLPytorch
from backend.learning.pi05_rl.processor_pi05_rl import (
    OBS_PLAIN_TOKENS,
    PromptTooLongError,
    make_prompt_tokenizer,
)
from backend.learning.pi05_rl.tiny_tokenizer import PAD, tiny_tokenizer_json
from backend.learning.prompts import actor_prompt, critic_prompt, state_bins
from backend.learning.replay import Observations

STATE = torch.tensor([[-1.2, -1.0, -0.004, 0.0, 0.996, 1.5]])
OURS = state_bins(STATE.numpy())


def stock_prompt(task):
    transition = batch_to_transition({"observation.state": STATE, "task": [task]})
    return Pi05PrepareStateTokenizerProcessorStep()(transition)["complementary_data"]["task"][0]


@pytest.mark.parametrize("task", ["pick_up the\ncube ", "Touch"])
def test_without_its_word_the_prompt_is_stock_letter_for_letter(task):
    assert actor_prompt(task, OURS[0], None) == stock_prompt(task)


def test_the_word_stands_between_state_and_action():
    prompt = actor_prompt("pick", np.array([0, 255]), "very positive")

    assert prompt == "Task: pick, State: 0 255, Advantage: very positive;\nAction: "
    assert critic_prompt("pick", np.array([0, 255])) == "Task: pick, State: 0 255"


def test_tokens_are_those_of_lerobots_own_tokenizer_step():
    text = tiny_tokenizer_json()
    fast = PreTrainedTokenizerFast(tokenizer_object=Tokenizer.from_str(text), pad_token=PAD)
    transition = batch_to_transition({"observation.state": STATE, "task": [stock_prompt("touch")]})
    stock = TokenizerProcessorStep(tokenizer=fast, max_length=64)(transition)["observation"]

    tokens, mask = make_prompt_tokenizer("tiny", 64).tokenize([stock_prompt("touch")])

    assert torch.equal(tokens, stock[OBS_LANGUAGE_TOKENS])
    assert torch.equal(mask, stock[OBS_LANGUAGE_ATTENTION_MASK])


def test_a_tokenizer_folder_gives_the_same_tokens(tmp_path):
    fast = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(tiny_tokenizer_json()), pad_token=PAD
    )
    fast.save_pretrained(tmp_path)

    from_folder = make_prompt_tokenizer(str(tmp_path), 64)

    prompts = [actor_prompt("touch the cube", OURS[0], word) for word in (None, "negative")]
    expected = make_prompt_tokenizer("tiny", 64).tokenize(prompts)
    for mine, theirs in zip(from_folder.tokenize(prompts), expected, strict=True):
        assert torch.equal(mine, theirs)


def test_every_number_and_every_word_is_its_own_token_of_the_tiny_tokenizer():
    tokenizer = Tokenizer.from_str(tiny_tokenizer_json())
    words = [*map(str, range(256)), "Advantage", "positive", "negative", "neutral", "very"]

    ids = [tokenizer.encode(word).ids[1:] for word in words]

    assert all(len(one) == 1 for one in ids)
    assert len({one[0] for one in ids}) == len(words)


def test_a_prompt_that_would_lose_its_word_is_refused():
    # Trap: right truncation cuts the advantage word first, silently.
    step = make_prompt_tokenizer("tiny", 32)
    prompt = actor_prompt("a very long task " * 5, OURS[0], "positive")

    with pytest.raises(PromptTooLongError, match=r"at most 32.*shorten the task or raise"):
        step.tokenize([prompt])


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_base_has_the_names_shapes_and_types_of_stock(dtype):
    with torch.device("meta"):
        stock = PI05Pytorch(PI05Config(device="cpu", dtype=dtype))
        ours = PI05RLPytorch(PI05RLConfig(device="cpu", dtype=dtype))

    def shapes(model):
        return {name: (tuple(p.shape), p.dtype) for name, p in model.state_dict().items()}

    assert shapes(ours) == shapes(stock)


def test_base_and_stock_agree_on_every_submodules_settings():
    with torch.device("meta"):
        stock = PI05Pytorch(PI05Config(device="cpu")).paligemma_with_expert
        ours = PI05RLPytorch(PI05RLConfig(device="cpu")).paligemma_with_expert

    assert ours.paligemma.config.text_config.to_dict() == (
        stock.paligemma.config.text_config.to_dict()
    )
    assert ours.paligemma.config.vision_config.to_dict() == (
        stock.paligemma.config.vision_config.to_dict()
    )
    assert ours.gemma_expert.config.to_dict() == stock.gemma_expert.config.to_dict()


def test_fresh_tiny_weights_do_not_whisper_where_a_patch_is(make_learner):
    # Trap: SigLIP's own first weights whisper positions, and a cube was seen but not found.
    tower = make_learner().models.policy.model.paligemma_with_expert.paligemma.model.vision_tower
    embeddings = tower.vision_model.embeddings
    size = embeddings.image_size
    picture = torch.rand((1, 3, size, size), generator=torch.Generator().manual_seed(0)) * 2 - 1

    shown = embeddings.patch_embedding(picture).flatten(2)
    positions = embeddings.position_embedding.weight

    assert positions.std() > shown.std(dim=2).mean() / 2


def test_pictures_become_floats_between_zero_and_one():
    # Trap: bytes that nobody divided by 255.
    frames = np.array([[[[0, 51, 255]]]], np.uint8)

    assert pixels(frames)[0, :, 0, 0].tolist() == pytest.approx([0.0, 0.2, 1.0])


@pytest.mark.usefixtures("shapes_unchecked")
def test_frames_that_are_no_bytes_are_refused():
    frames = np.zeros((1, 1, 1, 3), np.uint8)

    with pytest.raises(ValueError, match="must be uint8"):
        pixels(frames.astype(np.float32))


def test_the_policy_refuses_pictures_of_whole_numbers(make_learner):
    policy = make_learner().models.policy

    with pytest.raises(ValueError, match="divide by 255"):
        policy.camera_images({"observation.images.front": torch.zeros(1, 3, 8, 8).byte()})


def observe(learner, episode, steps):
    rows = slice(0, steps)
    return Observations(
        tasks=[episode.task] * steps,
        states=episode.states[rows],
        images={name: frames[rows] for name, frames in episode.images.items()},
    )


def test_training_and_acting_give_the_model_the_same_inputs(make_learner, episodes):
    learner = make_learner()
    observations = observe(learner, episodes[0], 3)
    inputs = ModelInputs(learner.models.preprocessor)

    acting = inputs.for_acting(observations)
    training = inputs.for_actor(observations, np.zeros((3, 4, 2), np.float32), ["positive"] * 3)

    shared = [OBS_LANGUAGE_TOKENS, "observation.state", "observation.images.front"]
    assert all(torch.equal(acting[name], training[name]) for name in shared)
    assert OBS_PLAIN_TOKENS not in training


def test_the_critic_never_sees_the_word(make_learner, episodes):
    # Trap: extra critic updates fell back to the actor's tokens.
    learner = make_learner()
    said = []
    tokenizer = learner.models.preprocessor.steps[5]
    tokenize = tokenizer.tokenize
    tokenizer.tokenize = lambda prompts: said.extend(prompts) or tokenize(prompts)

    learner.inputs.for_critic(observe(learner, episodes[0], 2))

    assert len(said) == 2
    assert all("Advantage" not in text and "Action" not in text for text in said)


def sampled(policy, inputs, noise):
    return policy.predict_action_chunk(inputs, noise=noise)


def test_without_noise_a_chunk_is_the_same_whatever_was_drawn(make_learner, episodes):
    learner = make_learner({"model.acting_noise": 0.0})
    policy = learner.models.policy
    inputs = ModelInputs(learner.models.preprocessor).for_acting(observe(learner, episodes[0], 2))

    calm = [policy.predict_action_chunk(inputs) for _ in range(2)]
    policy.config.noise_scale = 1.0
    drawn = [policy.predict_action_chunk(inputs) for _ in range(2)]

    assert torch.equal(*calm)
    assert not torch.equal(*drawn)
    zeros = torch.zeros(2, 4, 32)
    assert torch.equal(calm[0], sampled(policy, inputs, zeros))


@pytest.mark.parametrize("scale", [-0.1, 1.1])
def test_more_noise_than_was_trained_with_is_refused(scale):
    with pytest.raises(ValueError, match="noise_scale"):
        PI05RLConfig(noise_scale=scale)


def test_guidance_of_one_is_no_guidance_and_more_of_it_changes_the_chunk(make_learner, episodes):
    learner = make_learner()
    policy = learner.models.policy
    inputs = ModelInputs(learner.models.preprocessor).for_acting(observe(learner, episodes[0], 2))
    noise = torch.randn(2, 4, 32, generator=torch.Generator().manual_seed(0))
    plain = sampled(policy, inputs, noise)
    images, masks = policy.camera_images(inputs)
    words = (inputs[OBS_LANGUAGE_TOKENS], inputs[OBS_PLAIN_TOKENS])
    seen = (
        inputs[OBS_LANGUAGE_ATTENTION_MASK],
        inputs["observation.language_without_word.attention_mask"],
    )

    one = policy.model.sample_guided(images, masks, words, seen, guidance=1.0, noise=noise)
    without = policy.model.sample_actions(images, masks, words[1], seen[1], noise=noise)
    zero = policy.model.sample_guided(images, masks, words, seen, guidance=0.0, noise=noise)
    policy.config.guidance_scale = 3.0
    much = sampled(policy, inputs, noise)

    assert torch.allclose(one[..., :2], plain, atol=1e-5)
    assert torch.allclose(zero, without, atol=1e-5)
    assert not torch.allclose(much, plain, atol=1e-5)


def test_guidance_needs_words_and_warns_when_strong():
    with pytest.raises(ValueError, match="no words to be guided by"):
        PI05RLConfig(device="cpu", advantage_words="none", guidance_scale=1.2)
    with pytest.warns(UserWarning, match="above 1.5"):
        PI05RLConfig(device="cpu", guidance_scale=2.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        PI05RLConfig(device="cpu", guidance_scale=1.5)


def test_lerobots_own_loss_call_leaves_padding_out(make_learner, episodes):
    learner = make_learner()
    policy = learner.models.policy
    actions = np.zeros((2, 4, 2), np.float32)
    batch = learner.inputs.for_actor(observe(learner, episodes[0], 2), actions, [None, None])
    batch["action_is_pad"] = torch.tensor([[False, False, True, True]] * 2)

    def loss():
        torch.manual_seed(0)
        return policy.forward(batch)[0].item(), policy.forward(batch, reduction="none")[0].shape

    policy.flow_errors = lambda *_, **__: torch.tensor([[[1.0], [3.0], [99.0], [99.0]]] * 2)
    assert loss() == (2.0, (2,))
