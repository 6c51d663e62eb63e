"""Critic, trainable rules, optimiser, adapters, checkpoints, acting and scoring."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from lerobot.policies.common.vla_utils import prepare_attention_masks_4d
from lerobot.policies.pi05.configuration_pi05 import PI05Config
from safetensors.torch import load_file, save_file

from backend.domain import Outcome
from backend.learning.acting import CheckpointPolicy
from backend.learning.checkpoints import (
    checkpoint_steps,
    create_tiny_checkpoint,
    load_training_state,
)
from backend.learning.config_files import load_config
from backend.learning.critic import Critic, Features
from backend.learning.embodiment import embodiment_of
from backend.learning.inputs import dataset_stats
from backend.learning.learner import Learner
from backend.learning.lora import merged_weights
from backend.learning.models import load_models, start_models
from backend.learning.optimizer import MasterOptimizer
from backend.learning.pi05_rl.configuration_pi05_rl import PI05RLConfig
from backend.learning.pi05_rl.modeling_pi05_rl import PI05RLPolicy
from backend.learning.pi05_rl.network import PI05RLPytorch
from backend.learning.scoring import score_episode
from backend.learning.trainable import ACTOR_PARTS, TrainableError, describe, select_trainable
from backend.learning.training import resume_run, run_training, save_run, start_run
from tests.learning.conftest import debug_config
from tests.learning.synthetic import make_episode


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Path:
    return create_tiny_checkpoint(
        tmp_path_factory.mktemp("made") / "tiny",
        cameras=["front"],
        state_dim=2,
        action_dim=2,
        chunk_size=4,
    )


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


def test_updates_too_small_for_bf16_still_add_up():
    # Trap: a bf16 weight of 1 moves in steps of 0.0078; 100 updates of 1e-4 used to vanish.
    weight = torch.nn.Parameter(torch.ones(4, dtype=torch.bfloat16))
    optimizer = MasterOptimizer(
        [({"w": weight}, 1e-4)], betas=(0.9, 0.95), weight_decay=0.0, grad_clip=10.0, warmup_steps=0
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
        [({"w": weight}, 1.0)], betas=(0.9, 0.95), weight_decay=0.0, grad_clip=1e9, warmup_steps=0
    )
    for scale in (256.0, 1.0, 1.0, 1.0):
        (weight.sum() * scale).backward()

    assert weight.grad is None
    assert optimizer.master("w").grad.item() == 259.0


def test_gradients_are_clipped_and_learning_rates_warm_up():
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = MasterOptimizer(
        [({"w": weight}, 1.0)], betas=(0.9, 0.95), weight_decay=0.0, grad_clip=0.5, warmup_steps=3
    )
    moved = []
    for _ in range(4):
        before = weight.item()
        (weight * 100).sum().backward()
        assert optimizer.step() == pytest.approx(100.0)
        moved.append(before - weight.item())

    assert moved == pytest.approx([0.25, 0.5, 0.75, 1.0], rel=1e-3)


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


@pytest.fixture
def lora_run(tiny):
    def start(episodes):
        overrides = {
            "model.start_from": str(tiny),
            "critic": {"depth": None, "num_queries": 32, "num_bins": 201},
            "lora": {"rank": 2, "alpha": 4.0},
        }
        return start_run(debug_config(overrides), episodes, device="cpu")

    return start


def test_adapters_learn_alone_and_are_merged_into_the_checkpoint(lora_run, episodes, tmp_path):
    learner = lora_run(episodes)
    before = {n: p.clone() for n, p in learner.models.policy.state_dict().items()}
    folder = run_training(learner, tmp_path, on_step=lambda *_: None)

    after = learner.models.policy.state_dict()
    moved = {n for n in before if not torch.equal(before[n], after[n])}
    whole = ("model.action_in_proj", "model.action_out_proj", "model.time_mlp")
    assert moved
    assert all(".lora_" in name or name.startswith(whole) for name in moved)
    loaded = load_models(folder, device="cpu").policy.state_dict()
    merged = merged_weights(learner.models.policy)
    assert loaded.keys() == merged.keys()
    assert all(torch.equal(loaded[name], merged[name]) for name in merged)


def test_adapters_resume_bit_for_bit(lora_run, episodes, tmp_path):
    unbroken = lora_run(episodes)
    run_training(unbroken, tmp_path / "a", on_step=lambda *_: None)
    folder = run_training(lora_run(episodes), tmp_path / "b", on_step=lambda *_: None, until=3)

    resumed = resume_run(folder, episodes, device="cpu")
    run_training(resumed, tmp_path / "b", on_step=lambda *_: None)

    for part in ("policy", "critic"):
        expected = getattr(unbroken.models, part).state_dict()
        for name, weight in getattr(resumed.models, part).state_dict().items():
            assert torch.equal(weight, expected[name]), name


def test_a_checkpoint_is_loaded_whole_or_not_at_all(tiny, tmp_path):
    # Trap: LeRobot's loader prints a warning and returns random weights.
    source = tiny / "pretrained_model"
    for path in source.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    weights = load_file(tmp_path / "model.safetensors")
    weights.pop("model.action_out_proj.bias")
    save_file(weights, tmp_path / "model.safetensors")

    with pytest.raises(RuntimeError, match=r"action_out_proj\.bias"):
        PI05RLPolicy.from_pretrained(tmp_path)


def test_trained_embeddings_survive_saving_and_loading(make_learner, tmp_path):
    # Trap: LeRobot's key repair lays the untrained lm_head over the embeddings.
    learner = make_learner()
    embedding = "paligemma.model.language_model.embed_tokens.weight"
    with torch.no_grad():
        dict(learner.models.policy.named_parameters())[
            f"model.paligemma_with_expert.{embedding}"
        ].add_(1.0)
    folder = save_run(learner, tmp_path)

    loaded = PI05RLPolicy.from_pretrained(folder / "pretrained_model").state_dict()

    for name, weight in learner.models.policy.state_dict().items():
        assert torch.equal(loaded[name], weight), name


def test_a_stock_checkpoint_of_openpis_names_is_a_place_to_start(tiny, episodes, tmp_path):
    weights = load_file(tiny / "pretrained_model" / "model.safetensors")
    embedding = "model.paligemma_with_expert.paligemma.model.language_model.embed_tokens.weight"
    head = "model.paligemma_with_expert.paligemma.lm_head.weight"
    # openpi's files tie the embedding to the language head and lack LeRobot's prefix.
    stock = {n: w for n, w in weights.items() if n != embedding and "expert.lm_head" not in n}
    stock[head] = weights[embedding].clone()
    stock = {name.removeprefix("model."): weight for name, weight in stock.items()}
    save_file(stock, tmp_path / "model.safetensors")
    PI05Config(device="cpu")._save_pretrained(tmp_path)
    config = debug_config({"model.start_from": str(tmp_path)})

    models = start_models(
        config, embodiment_of(episodes), data_stats=dataset_stats(episodes), device="cpu"
    )

    ours = models.policy.state_dict()
    assert torch.equal(ours[embedding], weights[embedding])
    assert torch.equal(ours["model.action_in_proj.weight"], weights["model.action_in_proj.weight"])


def test_statistics_and_tokenizer_travel_with_the_checkpoint(make_learner, episodes, tmp_path):
    # Trap: statistics of the checkpoint and of the data disagreed.
    learner = make_learner()
    learner.train_step()
    folder = save_run(learner, tmp_path)
    shifted = [
        dataclasses.replace(e, states=e.states + 100.0, episode_id=f"far {e.episode_id}")
        for e in episodes
    ]

    config = debug_config({"model.start_from": str(folder)})
    again = start_run(config, shifted, device="cpu")
    refit = start_run(
        debug_config({"model": {"start_from": str(folder), "statistics": "data"}}),
        shifted,
        device="cpu",
    )

    def q01(run):
        return run.models.preprocessor.steps[3].stats["observation.state"]["q01"]

    assert q01(again) == pytest.approx(q01(learner))
    assert q01(refit) == pytest.approx(q01(learner) + 100.0)


def test_a_checkpoint_that_was_never_trained_takes_the_datas_statistics(tiny, episodes):
    overrides = {"model.start_from": str(tiny), "critic": {"depth": None}}

    run = start_run(debug_config(overrides), episodes, device="cpu")

    stats = run.models.preprocessor.steps[3].stats["observation.state"]
    assert stats["q99"] == pytest.approx(dataset_stats(episodes)["observation.state"]["q99"])


def test_a_checkpoint_of_another_robot_is_refused(tiny):
    config = debug_config({"model.start_from": str(tiny)})

    with pytest.raises(ValueError, match="the episodes are of"):
        start_run(config, [make_episode("a", cameras=("top",))], device="cpu")


def test_a_checkpoint_knows_the_joints_it_moves_and_keeps_to_them(make_learner, episodes, tmp_path):
    joints = ["shoulder_pan.pos", "gripper.pos"]
    config = debug_config({"model.start_from": str(save_run(make_learner(), tmp_path / "old"))})

    named = start_run(config, episodes, device="cpu", action_names=joints)
    folder = save_run(named, tmp_path / "named")

    assert resume_run(folder, episodes, device="cpu").models.policy.config.action_feature_names == (
        joints
    )
    again = debug_config({"model.start_from": str(folder)})
    other = [joints[0], "elbow_flex.pos"]
    with pytest.raises(
        ValueError, match=r"moves shoulder_pan\.pos, gripper\.pos, the episodes are"
    ):
        start_run(again, episodes, device="cpu", action_names=other)
    with pytest.raises(ValueError, match=r"2 numbers cannot have the names shoulder_pan\.pos$"):
        start_run(again, episodes, device="cpu", action_names=joints[:1])


def test_checkpoints_hold_safetensors_and_json_only_and_hide_while_written(make_learner, tmp_path):
    learner = make_learner()
    run_training(learner, tmp_path, on_step=lambda *_: None)

    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == {".safetensors", ".json"}
    assert checkpoint_steps(tmp_path) == [2, 4]
    (tmp_path / ".000009.writing" / "pretrained_model").mkdir(parents=True)
    assert checkpoint_steps(tmp_path) == [2, 4]


def test_a_checkpoint_without_training_state_cannot_be_resumed(tiny):
    with pytest.raises(FileNotFoundError, match=r"start a new run with model\.start_from"):
        load_training_state(tiny)


def test_a_checkpoint_says_what_its_values_mean(make_learner, tmp_path):
    learner = make_learner()
    folder = run_training(learner, tmp_path, on_step=lambda *_: None)

    meaning = json.loads((folder / "pretrained_model" / "handrail.json").read_text())

    assert meaning["learner"]["reward"]["scheme"] == "recap"
    assert meaning["longest"] == {"follow the dot": 12}
    assert set(meaning["thresholds"]) == {"follow the dot"}


def test_a_loaded_checkpoint_acts_and_judges(tiny):
    policy = CheckpointPolicy.load(tiny)
    episode = make_episode("a")
    seen = (episode.states[0], {"front": episode.images["front"][0], "spare": None}, episode.task)
    noise = np.zeros((4, 32), np.float32)

    chunk = policy.predict_chunk(*seen, noise=noise)
    estimate = policy.value(*seen)

    assert chunk.shape == (4, 2)
    assert np.array_equal(chunk, policy.predict_chunk(*seen, noise=noise))
    assert -1.0 <= estimate.value <= 0.0
    assert 0.0 < estimate.spread < 1.0


def test_an_observation_of_another_robot_is_refused(tiny):
    policy = CheckpointPolicy.load(tiny)
    episode = make_episode("a")

    with pytest.raises(ValueError, match="no picture of camera 'front', have"):
        policy.value(episode.states[0], {"top": episode.images["front"][0]}, "go")
    with pytest.raises(ValueError, match=r"state has shape \(3,\), must be \(2,\)"):
        policy.value(np.zeros(3, np.float32), {"front": episode.images["front"][0]}, "go")


def test_actions_come_back_in_the_robots_own_units(make_learner):
    episodes = [
        dataclasses.replace(e, actions=e.actions * 50 + 30)
        for e in (make_episode("a"), make_episode("b", outcome=Outcome.FAILURE))
    ]
    learner = make_learner(of=episodes)
    policy = CheckpointPolicy(learner.models)
    normalised = torch.tensor([[[-1.0, -1.0], [1.0, 1.0]]])
    actions = np.concatenate([e.actions for e in episodes])
    low, high = np.quantile(actions, [0.01, 0.99], axis=0)

    robot = policy.postprocessor(normalised)[0].numpy()

    assert robot == pytest.approx(np.stack([low, high]), rel=1e-4)
