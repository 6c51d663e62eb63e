"""Checkpoints: whole or refused, what travels with them, and which robots they fit."""

import dataclasses
import json

import pytest
import torch
from lerobot.policies.pi05.configuration_pi05 import PI05Config
from safetensors.torch import load_file, save_file

from backend.learning.checkpoints import (
    checkpoint_steps,
    load_training_state,
)
from backend.learning.embodiment import embodiment_of
from backend.learning.inputs import dataset_stats
from backend.learning.models import start_models
from backend.learning.pi05_rl.modeling_pi05_rl import PI05RLPolicy
from backend.learning.training import resume_run, run_training, save_run, start_run
from tests.learning.conftest import debug_config
from tests.learning.synthetic import make_episode


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
