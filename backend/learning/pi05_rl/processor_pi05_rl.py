"""LeRobot processor steps of `pi05_rl`: prompt with the advantage word, tokens that are never cut.

They take the places of the stock steps, in the stock order: normalise the state, write the prompt,
tokenise, move to the device. The tokenizer travels in the step's saved state, so a checkpoint
needs no gated download where it acts.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from lerobot.configs import PipelineFeatureType, PolicyFeature
from lerobot.lerobot_types import EnvTransition, TransitionKey
from lerobot.processor import (
    AbsoluteActionsProcessorStep,
    PolicyProcessorPipeline,
    ProcessorStep,
    ProcessorStepRegistry,
    RelativeActionsProcessorStep,
    make_default_policy_processor_steps,
    make_policy_processor_pipelines,
)
from lerobot.utils.constants import OBS_LANGUAGE_ATTENTION_MASK, OBS_LANGUAGE_TOKENS, OBS_STATE
from tokenizers import Tokenizer

from backend.learning.advantages import best_word
from backend.learning.pi05_rl.configuration_pi05_rl import PI05RLConfig
from backend.learning.pi05_rl.tiny_tokenizer import PAD, tiny_tokenizer_json
from backend.learning.prompts import actor_prompt, critic_prompt, state_bins

# Words of a batch, one a sample, None for a dropped one; set by the learner, absent when acting.
WORDS_KEY = "advantage_words"
# The same prompt without its word, and its tokens: the other half of classifier-free guidance.
PLAIN_TASK_KEY = "task_without_word"
OBS_PLAIN_TOKENS = "observation.language_without_word.tokens"
OBS_PLAIN_ATTENTION_MASK = "observation.language_without_word.attention_mask"

Features = dict[PipelineFeatureType, dict[str, PolicyFeature]]


class PromptTooLongError(ValueError):
    """A prompt does not fit: cutting it would cut the advantage word first."""


class _UnchangedFeatures(ProcessorStep):
    def transform_features(self, features: Features) -> Features:
        return features


@ProcessorStepRegistry.register(name="pi05_rl_prompt")
@dataclass
class AdvantagePromptStep(_UnchangedFeatures):
    """Replaces each task by the prompt made of task, normalised state and advantage word."""

    # Said when the transition brings no words, i.e. when acting.
    word: str | None = None
    # `critic` writes the critic's prompt, which has no word.
    reader: str = "actor"

    def __call__(self, transition: EnvTransition) -> EnvTransition:
        transition = transition.copy()
        state = (transition.get(TransitionKey.OBSERVATION) or {}).get(OBS_STATE)
        said = dict(transition.get(TransitionKey.COMPLEMENTARY_DATA) or {})
        tasks = said.get("task")
        if state is None or tasks is None:
            missing = OBS_STATE if state is None else "task"
            raise ValueError(f"the prompt needs {missing!r}, which the observation lacks")
        tasks = [tasks] if isinstance(tasks, str) else list(tasks)
        bins = state_bins(state.float().cpu().numpy())
        if self.reader == "critic":
            said["task"] = [critic_prompt(*pair) for pair in zip(tasks, bins, strict=True)]
        else:
            acting = WORDS_KEY not in said
            words = [self.word] * len(tasks) if acting else said.pop(WORDS_KEY)
            triples = zip(tasks, bins, words, strict=True)
            said["task"] = [actor_prompt(*triple) for triple in triples]
            if acting and self.word is not None:
                plain = zip(tasks, bins, strict=True)
                said[PLAIN_TASK_KEY] = [actor_prompt(task, b, None) for task, b in plain]
        transition[TransitionKey.COMPLEMENTARY_DATA] = said
        return transition

    def get_config(self) -> dict[str, Any]:
        return {"word": self.word, "reader": self.reader}


@ProcessorStepRegistry.register(name="pi05_rl_tokenizer")
@dataclass
class PromptTokenizerStep(_UnchangedFeatures):
    """Turns prompts into tokens, padded on the right; refuses what would have to be cut."""

    max_length: int
    pad_id: int = 0
    # The `tokenizer.json` text; saved as state, not as config.
    tokenizer_json: str | None = None
    _tokenizer: Tokenizer | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.tokenizer_json is not None:
            self._tokenizer = Tokenizer.from_str(self.tokenizer_json)
            self._tokenizer.no_truncation()
            self._tokenizer.no_padding()

    def __call__(self, transition: EnvTransition) -> EnvTransition:
        transition = transition.copy()
        said = transition[TransitionKey.COMPLEMENTARY_DATA]
        observation = dict(transition[TransitionKey.OBSERVATION])
        device = observation[OBS_STATE].device
        tokens, mask = self.tokenize(said["task"])
        observation[OBS_LANGUAGE_TOKENS] = tokens.to(device)
        observation[OBS_LANGUAGE_ATTENTION_MASK] = mask.to(device)
        if PLAIN_TASK_KEY in said:
            tokens, mask = self.tokenize(said[PLAIN_TASK_KEY])
            observation[OBS_PLAIN_TOKENS] = tokens.to(device)
            observation[OBS_PLAIN_ATTENTION_MASK] = mask.to(device)
        transition[TransitionKey.OBSERVATION] = observation
        return transition

    def tokenize(self, prompts: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
        """Return token ids int64 (b, max_length) and their mask bool (b, max_length).

        Raises:
            PromptTooLongError: A prompt has more than `max_length` tokens.
        """
        if self._tokenizer is None:
            raise ValueError(
                "the prompt tokenizer has no vocabulary: load it from a saved checkpoint or pass "
                "tokenizer_json"
            )
        tokens = torch.full((len(prompts), self.max_length), self.pad_id, dtype=torch.long)
        mask = torch.zeros((len(prompts), self.max_length), dtype=torch.bool)
        for row, encoding in enumerate(self._tokenizer.encode_batch(prompts)):
            ids = encoding.ids
            if len(ids) > self.max_length:
                raise PromptTooLongError(
                    f"prompt of {len(ids)} tokens, must be at most {self.max_length}, else its end "
                    f"with the advantage word is cut: shorten the task or raise "
                    f"tokenizer_max_length: {prompts[row]!r}"
                )
            tokens[row, : len(ids)] = torch.tensor(ids)
            mask[row, : len(ids)] = True
        return tokens, mask

    def get_config(self) -> dict[str, Any]:
        return {"max_length": self.max_length, "pad_id": self.pad_id}

    def state_dict(self) -> dict[str, torch.Tensor]:
        if self.tokenizer_json is None:
            return {}
        text = bytearray(self.tokenizer_json.encode())
        return {"tokenizer_json": torch.frombuffer(text, dtype=torch.uint8)}

    def load_state_dict(self, state: dict[str, torch.Tensor]) -> None:
        self.tokenizer_json = bytes(state["tokenizer_json"].numpy()).decode()
        self.__post_init__()


def make_prompt_tokenizer(source: str, max_length: int) -> PromptTokenizerStep:
    """Return the step for `tiny`, or for a tokenizer folder or Hub id.

    The Hub is asked only when `source` is neither; PaliGemma's tokenizer is gated there.
    """
    if source == "tiny":
        text = tiny_tokenizer_json()
        pad_id = Tokenizer.from_str(text).token_to_id(PAD)
        return PromptTokenizerStep(max_length=max_length, pad_id=pad_id, tokenizer_json=text)
    from transformers import AutoTokenizer  # noqa: PLC0415 - seconds to import, for base only

    try:
        tokenizer = AutoTokenizer.from_pretrained(source)
    except (OSError, ValueError) as error:
        where = "folder" if Path(source).exists() else "Hub id"
        raise ValueError(
            f"no tokenizer in {where} {source!r}: give a folder with PaliGemma's tokenizer, or "
            f"accept its licence on the Hub and log in ({error})"
        ) from error
    return PromptTokenizerStep(
        max_length=max_length,
        pad_id=tokenizer.pad_token_id,
        tokenizer_json=tokenizer.backend_tokenizer.to_str(),
    )


def make_pi05_rl_pre_post_processors(
    config: PI05RLConfig,
    dataset_stats: dict[str, dict[str, Any]] | None = None,
    *,
    tokenizer: PromptTokenizerStep | None = None,
) -> tuple[PolicyProcessorPipeline, PolicyProcessorPipeline]:
    """Return the pre- and postprocessor: stock π0.5's, with our prompt and tokens.

    LeRobot finds this function by its name.

    Args:
        config: Features, normalisation, words and tokenizer.
        dataset_stats: What normalises states and actions; nothing does when None.
        tokenizer: A step to keep, instead of the one that `config.tokenizer` names.
    """
    if tokenizer is None:
        tokenizer = make_prompt_tokenizer(config.tokenizer, config.tokenizer_max_length)
    relative = RelativeActionsProcessorStep(
        enabled=config.use_relative_actions,
        exclude_joints=config.relative_exclude_joints,
        action_names=config.action_feature_names,
    )
    steps = make_default_policy_processor_steps(config, dataset_stats)
    return make_policy_processor_pipelines(
        input_steps=[
            steps.rename_observations,
            steps.add_batch_dim,
            relative,
            steps.normalize,
            AdvantagePromptStep(word=best_word(config.advantage_words)),
            tokenizer,
            steps.to_device,
        ],
        output_steps=[
            steps.unnormalize,
            AbsoluteActionsProcessorStep(
                enabled=config.use_relative_actions, relative_step=relative
            ),
            steps.to_cpu,
        ],
    )
