"""What a learner does, as frozen values: model, critic, rewards, words, optimiser, schedule.

Contradictions are refused with both sides named. No torch here: pages and the server read these
too. Files are read by `config_files.py`.
"""

from dataclasses import dataclass, field
from typing import Literal


class ConfigError(ValueError):
    """A learner config that cannot be; says which field, why, and what would do."""


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    # `base` is π0.5 as published; `tiny` the same classes with a few million weights.
    size: Literal["base", "tiny"] = "base"
    # Folder or Hub id of a stock π0.5 or an RL checkpoint; None starts from random weights.
    start_from: str | None = None
    # Folder or Hub id of the PaliGemma tokenizer, `tiny` for the one that needs no download;
    # None takes what the size implies. Saved inside the checkpoint, so needed once.
    tokenizer: str | None = None
    dtype: Literal["float32", "bfloat16"] = "float32"
    # Steps a chunk spans: what the actor predicts and what an advantage judges.
    chunk_size: int = 50
    # Euler steps from noise to actions when acting.
    num_inference_steps: int = 10
    # State and action go to [-1, 1] by the 1st and 99th percentile or by the extremes.
    normalization: Literal["quantiles", "min_max"] = "quantiles"
    # What the model says of a joint: where it should be, or how far from where it is when the chunk
    # begins. `auto`: as the checkpoint that the run starts from, else absolute.
    actions: Literal["auto", "absolute", "relative"] = "auto"
    # Whose statistics normalise. `auto`: a trained RL checkpoint's own, else the data's.
    statistics: Literal["auto", "checkpoint", "data"] = "auto"
    # Prompt tokens; longer prompts are refused, never cut. None: 200 for base, 64 for tiny.
    tokenizer_max_length: int | None = None
    gradient_checkpointing: bool = False
    # Classifier-free guidance when acting: 1 is off, above 1.5 motion gets too aggressive.
    guidance: float = 1.0
    # Times the noise that a chunk begins with when acting: 1 is π0.5's own, 0 calms a small model.
    acting_noise: float = 1.0

    def __post_init__(self) -> None:
        _require(self.chunk_size >= 1, "chunk_size", self.chunk_size, "at least 1")
        _require(0 <= self.acting_noise <= 1, "acting_noise", self.acting_noise, "in 0…1")
        _require(self.guidance >= 1.0, "guidance", self.guidance, "at least 1 (1 is off)")


@dataclass(frozen=True, kw_only=True)
class CriticConfig:
    # `scalar`: one number, squared error. `distributional`: bins over the support, cross-entropy.
    kind: Literal["scalar", "distributional"] = "distributional"
    # Gemma layers copied from the actor's language model; None: 6 for base, 1 for tiny.
    depth: int | None = None
    # Learned tokens that read the sequence and feed the head.
    num_queries: int = 32
    # Standard deviation of the fresh queries.
    query_std: float = 1.0
    num_bins: int = 201
    # Support of the bins, in units of return; must hold every return of the reward scheme.
    value_min: float = -1.0
    value_max: float = 0.0
    # How a return becomes a target over the bins.
    target: Literal["two_hot", "hl_gauss"] = "two_hot"
    # Standard deviation of hl_gauss in bin widths.
    hl_gauss_ratio: float = 0.75
    # `monte_carlo`: the return that came true. `td`: one chunk, then the averaged critic.
    learn_from: Literal["monte_carlo", "td"] = "monte_carlo"
    # Averaged target critic: share taken from the live one, every so many updates.
    target_rate: float = 0.005
    target_every: int = 1

    def __post_init__(self) -> None:
        if self.value_min >= self.value_max:
            raise ConfigError(
                f"value_min ({self.value_min}) must be below value_max ({self.value_max})"
            )
        _require(self.num_bins >= 2, "num_bins", self.num_bins, "at least 2")
        _require(0 < self.target_rate <= 1, "target_rate", self.target_rate, "in (0, 1]")
        _require(self.num_queries >= 1, "num_queries", self.num_queries, "at least 1")


@dataclass(frozen=True, kw_only=True)
class RewardConfig:
    scheme: Literal["recap", "seed"] = "recap"
    # recap: extra steps a failure costs; anything above the longest episode pins it at -1.
    failure_cost: float = 1000.0
    # seed: c, the divisor of all rewards.
    step_cost_divisor: float = 8.0
    # seed: reward of a failed ending before division by c.
    terminal_failure_reward: float = -24.0
    # seed: discount per chunk, not per step.
    discount: float = 0.97

    def __post_init__(self) -> None:
        _require(self.failure_cost >= 0, "failure_cost", self.failure_cost, "at least 0")
        _require(self.step_cost_divisor > 0, "step_cost_divisor", self.step_cost_divisor, "above 0")
        _require(0 < self.discount < 1, "discount", self.discount, "between 0 and 1")

    @property
    def value_range(self) -> tuple[float, float]:
        """The lowest and highest return that the scheme can produce."""
        if self.scheme == "recap":
            return -1.0, 0.0
        endless = -1.0 / (self.step_cost_divisor * (1.0 - self.discount))
        return min(endless, self.terminal_failure_reward / self.step_cost_divisor), 0.0


@dataclass(frozen=True, kw_only=True)
class WordConfig:
    mode: Literal["two", "five", "none"] = "two"
    # five: advantage at which tanh saturates.
    scaling: float = 0.16
    # two: share of the chunks of a task, without the forced ones, that is positive.
    positive_fraction: float = 0.3
    # Steps of the advantage; None: one chunk.
    advantage_steps: int | None = None
    # A chunk with at least this share of human steps is forced to the best word.
    forcing_human_share: float = 0.5
    # Force demonstrations too: for the first round only, later they are judged like the rest.
    force_demonstrations: bool = False
    # The policy's last seconds before a takeover: judged as usual, made the worst, or left out.
    before_takeover: Literal["judge", "worst", "leave_out"] = "judge"
    before_takeover_s: float = 1.0
    # Share of training samples whose word is dropped, which trains the stock prompt too.
    dropout: float = 0.3
    # Weight the actor's loss by exp(advantage): AWR, an alternative to words.
    weighting: Literal["none", "awr"] = "none"
    awr_temperature: float = 1.0

    def __post_init__(self) -> None:
        _require(self.scaling > 0, "scaling", self.scaling, "above 0")
        _require(
            0 < self.positive_fraction < 1,
            "positive_fraction",
            self.positive_fraction,
            "between 0 and 1",
        )
        _require(
            0 < self.forcing_human_share <= 1,
            "forcing_human_share",
            self.forcing_human_share,
            "in (0, 1]",
        )
        _require(0 <= self.dropout < 1, "dropout", self.dropout, "in [0, 1)")
        _require(self.awr_temperature > 0, "awr_temperature", self.awr_temperature, "above 0")


@dataclass(frozen=True, kw_only=True)
class OptimizerConfig:
    # Chunks of one forward pass; an update sees batch_size * accumulation of them.
    batch_size: int = 32
    accumulation: int = 1
    actor_lr: float = 2.5e-5
    # None: actor_lr.
    vision_lr: float | None = None
    language_lr: float | None = None
    critic_lr: float = 5e-5
    # The critic's fresh weights (queries and head); None: critic_lr.
    critic_head_lr: float | None = None
    weight_decay: float = 0.01
    betas: tuple[float, float] = (0.9, 0.95)
    grad_clip: float = 1.0
    # Learning rates rise from 0 over so many updates.
    warmup_steps: int = 0
    # Then they stay, or fall along half a cosine to `final_lr_share` at the last update.
    decay: Literal["none", "cosine"] = "none"
    final_lr_share: float = 0.05

    def __post_init__(self) -> None:
        _require(self.batch_size >= 1, "batch_size", self.batch_size, "at least 1")
        _require(self.accumulation >= 1, "accumulation", self.accumulation, "at least 1")
        _require(self.grad_clip > 0, "grad_clip", self.grad_clip, "above 0")
        share = self.final_lr_share
        _require(0 < share <= 1, "final_lr_share", share, "in (0, 1]")

    @property
    def update_size(self) -> int:
        """Chunks an update sees."""
        return self.batch_size * self.accumulation


@dataclass(frozen=True, kw_only=True)
class ScheduleConfig:
    # `rounds`: train the critic, freeze it, label everything, train the actor.
    # `joint`: both in every step, advantages from the live critic.
    order: Literal["rounds", "joint"] = "rounds"
    # rounds: updates of the critic, then of the actor, in each round.
    critic_steps: int = 2000
    actor_steps: int = 4000
    rounds: int = 1
    # rounds: updates of the critic at the very end, where it was trained before. The actor moves
    # the vision tower that it sees through; without some, its values fit the actor of before.
    critic_refit_steps: int = 0
    # joint: updates of the critic alone first, then joint updates.
    critic_warmup_steps: int = 0
    joint_steps: int = 20000
    # joint: critic updates for each actor update.
    critic_updates: int = 1
    save_every: int = 500
    log_every: int = 20

    def __post_init__(self) -> None:
        for name in ("rounds", "critic_updates", "save_every", "log_every"):
            _require(getattr(self, name) >= 1, name, getattr(self, name), "at least 1")

    @property
    def refit_steps(self) -> int:
        """Updates of the critic after the actor; none where it learns to the end, or never."""
        return self.critic_refit_steps if self.order == "rounds" and self.critic_steps else 0

    @property
    def total_steps(self) -> int:
        """Optimiser steps from start to end."""
        if self.order == "joint":
            return self.critic_warmup_steps + self.joint_steps
        return self.rounds * (self.critic_steps + self.actor_steps) + self.refit_steps

    @property
    def actor_total(self) -> int:
        """Updates of the actor from start to end."""
        return self.joint_steps if self.order == "joint" else self.rounds * self.actor_steps

    @property
    def critic_total(self) -> int:
        """Updates of the critic from start to end."""
        if self.order == "joint":
            return self.critic_warmup_steps + self.joint_steps * self.critic_updates
        return self.rounds * self.critic_steps + self.refit_steps


@dataclass(frozen=True, kw_only=True)
class LoraConfig:
    # Rank of the adapters; the base weights stay as they are and need no optimiser state.
    rank: int = 16
    alpha: float = 32.0
    # Linear layers that get an adapter, by the end of their names.
    targets: tuple[str, ...] = ("q_proj", "k_proj", "v_proj", "o_proj")

    def __post_init__(self) -> None:
        _require(self.rank >= 1, "rank", self.rank, "at least 1")


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    # Share of each batch that comes from online episodes once there are any.
    online_fraction: float = 0.5
    # Share of the episodes held out for the probes.
    held_out_fraction: float = 0.1

    def __post_init__(self) -> None:
        _require(0 <= self.online_fraction <= 1, "online_fraction", self.online_fraction, "in 0…1")
        _require(
            0 <= self.held_out_fraction < 1,
            "held_out_fraction",
            self.held_out_fraction,
            "in [0, 1)",
        )


@dataclass(frozen=True, kw_only=True)
class LearnerConfig:
    model: ModelConfig = field(default_factory=ModelConfig)
    critic: CriticConfig = field(default_factory=CriticConfig)
    reward: RewardConfig = field(default_factory=RewardConfig)
    words: WordConfig = field(default_factory=WordConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    data: DataConfig = field(default_factory=DataConfig)
    # What learns, in the words of `trainable.py`: parts, or `part.layers.first-last`.
    trainable: tuple[str, ...] = ("actor", "critic")
    # Adapters instead of the actor's own weights, for small GPUs; None: the weights themselves.
    lora: LoraConfig | None = None
    seed: int = 42

    def __post_init__(self) -> None:
        if self.critic.kind == "distributional":
            low, high = self.reward.value_range
            if self.critic.value_min > low or self.critic.value_max < high:
                raise ConfigError(
                    f"the support of the critic [{self.critic.value_min}, {self.critic.value_max}] "
                    f"must hold every return of the reward scheme {self.reward.scheme!r}, "
                    f"[{low:.3g}, {high:.3g}]: widen value_min and value_max, or change the rewards"
                )
        if self.schedule.order == "joint" and self.words.mode == "two":
            raise ConfigError(
                "words.mode 'two' needs thresholds over all episodes, which schedule.order 'joint' "
                "never computes: use order 'rounds', or mode 'five'"
            )
        if self.schedule.order == "joint" and self.critic.learn_from != "td":
            raise ConfigError(
                "schedule.order 'joint' takes its advantages from one-chunk targets: set "
                "critic.learn_from to 'td', or use order 'rounds'"
            )
        if self.words.weighting == "awr" and self.words.mode != "none":
            raise ConfigError(
                f"words.weighting 'awr' replaces the words, but words.mode is {self.words.mode!r}: "
                "set it to 'none', or weighting to 'none'"
            )
        if self.lora is not None and self.model.start_from is None:
            raise ConfigError(
                "lora adapts trained weights, but model.start_from is not set: name the checkpoint "
                "to adapt, or train without lora"
            )


def _require(holds: bool, name: str, value: object, rule: str) -> None:  # noqa: FBT001
    if not holds:
        raise ConfigError(f"{name} is {value}, must be {rule}")
