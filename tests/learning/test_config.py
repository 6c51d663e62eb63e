import json

import pytest

from backend.learning.config import ConfigError
from backend.learning.config_files import PRESETS_DIR, config_from_dict, config_to_dict, load_config
from backend.learning.seed_config import load_seed_config, seed_config_from_dict


@pytest.mark.parametrize("name", sorted(path.stem for path in PRESETS_DIR.glob("*.yaml")))
def test_every_preset_loads_and_survives_being_written(name):
    config = load_config(name)

    assert config_from_dict(json.loads(json.dumps(config_to_dict(config)))) == config


def test_the_seed_preset_has_the_seeds_numbers():
    config = load_config("seed")

    assert config.critic.kind == "scalar"
    assert (config.reward.step_cost_divisor, config.reward.terminal_failure_reward) == (8.0, -24.0)
    assert (config.reward.discount, config.critic.target_rate) == (0.97, 0.005)
    assert config.words.scaling == 0.16
    assert config.optimizer.update_size == 64
    assert config.words.mode == "five"


@pytest.mark.parametrize("name", ["seed", "recap"])
def test_presets_of_the_base_model_can_be_made_tiny(name):
    config = load_config(
        name,
        {
            "model": {"size": "tiny", "dtype": "float32", "start_from": None},
            "critic.depth": None,
            "trainable": ["actor", "critic"],
        },
    )

    assert config.model.size == "tiny"


def test_an_unknown_field_is_refused_with_the_nearest_known_one():
    with pytest.raises(ConfigError, match=r"unknown field words\.'droput': did you mean 'dropout'"):
        config_from_dict({"words": {"droput": 0.1}})


def test_an_unknown_preset_is_refused_with_those_there_are():
    with pytest.raises(ConfigError, match=r"presets: .*'debug'.*'online'.*'recap'.*'seed'"):
        load_config("racap")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"critic": {"value_min": 1.0}}, r"value_min \(1.0\) must be below value_max"),
        ({"words": {"dropout": 1.0}}, r"words\.dropout is 1.0, must be in \[0, 1\)"),
        ({"words": {"mode": "three"}}, "must be one of"),
        ({"schedule": {"order": "joint"}}, "needs thresholds over all episodes"),
        ({"words": {"weighting": "awr"}}, "'awr' replaces the words"),
        ({"lora": {"rank": 4}}, "model.start_from is not set"),
        ({"optimizer": {"batch_size": "many"}}, "must be int"),
        ({"optimizer": {"accumulation": True}}, "must be int"),
    ],
)
def test_contradictions_are_refused_by_name(fields, message):
    with pytest.raises(ConfigError, match=message):
        config_from_dict(fields)


def test_a_support_that_cannot_hold_the_rewards_is_refused():
    # Trap: the floor of c = 10 is -3.3, outside the [-2, 0] that was used with it.
    with pytest.raises(ConfigError, match=r"must hold every return .*\[-3.33, 0\]"):
        config_from_dict(
            {
                "reward": {"scheme": "seed", "step_cost_divisor": 10.0},
                "critic": {"value_min": -2.0},
            }
        )


def test_numbers_that_yaml_reads_as_text_are_numbers():
    assert config_from_dict({"optimizer": {"actor_lr": "1e-5"}}).optimizer.actor_lr == 1e-5


# The fields of the seed's file, with its values (the shapes and ports of its machine shortened).
HISERL = {
    "output_dir": None,
    "job_name": "default",
    "resume": False,
    "seed": 7,
    "num_workers": 4,
    "batch_size": 8,
    "log_freq": 5,
    "save_checkpoint": True,
    "save_freq": 50,
    "offline_output_dir": "outputs/offline",
    "offline_save_freq": 200,
    "online_buffer_save_episode_freq": 6,
    "wandb": {"enable": True, "project": "so101_real", "disable_artifact": True},
    "dataset": {"repo_id": "me/demos", "additional_offline_dataset_paths": ["a", "b"]},
    "policy": {
        "type": "pi05_rl",
        "task": "pick up the car",
        "pi05_checkpoint": "outputs/pretrained_model",
        "use_separate_critic": True,
        "inference_advantage": 1.0,
        "advantage_scaling": 0.2,
        "n_obs_steps": 1,
        "reward_normalization_constant": 5.0,
        "terminal_failure_reward": -16.0,
        "normalization_mapping": {"VISUAL": "MEAN_STD", "STATE": "MIN_MAX", "ACTION": "MIN_MAX"},
        "input_features": {"observation.state": {"type": "STATE", "shape": [6]}},
        "output_features": {"action": {"type": "ACTION", "shape": [6]}},
        "device": "cuda",
        "actor_device": "cuda:0",
        "learner_device": "cuda:1",
        "use_amp": False,
        "dataset_stats": None,
        "storage_device": "cpu",
        "dtype": "bfloat16",
        "gradient_checkpointing": True,
        "online_steps": 20000,
        "online_buffer_capacity": 40000,
        "offline_buffer_capacity": 20000,
        "online_step_before_learning": 10,
        "policy_update_freq": 1,
        "discount": 0.95,
        "async_prefetch": False,
        "num_critics": 1,
        "critic_lr": 0.0001,
        "actor_lr": 0.00005,
        "critic_target_update_weight": 0.02,
        "utd_ratio": 2,
        "grad_clip_norm": 2.0,
        "gradient_accumulation_steps": 16,
        "critic_network_kwargs": {"hidden_dims": [256, 256]},
        "actor_learner_config": {"learner_host": "127.0.0.1", "learner_port": 50051},
        "concurrency": {"actor": "threads", "learner": "threads"},
        "repo_id": "me/merged",
    },
    "env": {"type": "gym_manipulator", "fps": 10, "robot": {"type": "so101_follower"}},
}


def test_every_field_of_the_seeds_file_is_ours_or_named(tmp_path):
    path = tmp_path / "config-hiserl.json"
    path.write_text(json.dumps(HISERL))

    loaded = load_seed_config(path)

    config = loaded.config
    assert config.seed == 7
    assert config.model.start_from == "outputs/pretrained_model"
    assert (config.model.dtype, config.model.gradient_checkpointing) == ("bfloat16", True)
    assert config.model.normalization == "min_max"
    assert config.reward.step_cost_divisor == 5.0
    assert (config.reward.terminal_failure_reward, config.reward.discount) == (-16.0, 0.95)
    assert config.words.scaling == 0.2
    assert (config.optimizer.actor_lr, config.optimizer.critic_lr) == (5e-5, 1e-4)
    assert (config.optimizer.batch_size, config.optimizer.accumulation) == (8, 16)
    assert (config.critic.target_rate, config.schedule.critic_updates) == (0.02, 2)
    assert config.schedule.joint_steps == 20000
    assert "unknown: read by nothing here" not in loaded.without_meaning.values()
    assert {"wandb", "env", "policy.concurrency", "num_workers"} <= set(loaded.without_meaning)


def test_a_field_that_the_seed_never_had_is_named_too():
    loaded = seed_config_from_dict({"policy": {"magic": 3}})

    assert loaded.without_meaning == {"policy.magic": "unknown: read by nothing here"}


def test_a_later_seed_with_bins_becomes_distributional():
    theirs = {"num_value_bins": 201, "value_support_min": -5.0, "value_support_max": 0.0}

    loaded = seed_config_from_dict({"policy": theirs})

    assert loaded.config.critic.kind == "distributional"
    assert loaded.config.critic.value_min == -5.0
