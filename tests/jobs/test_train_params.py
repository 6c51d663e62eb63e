import json

import pytest

from backend.domain import Outcome
from backend.jobs.train_config import TrainParamsError
from backend.jobs.train_params import DatasetSource, check, launcher, read_train_params


def make_checkpoint(data_dir, id="tiny/000500", *, size="tiny", chunk_size=16):
    folder = data_dir / "checkpoints" / id / "pretrained_model"
    folder.mkdir(parents=True)
    model = {"size": size, "chunk_size": chunk_size}
    learner = {"model": model, "critic": {"depth": 1}}
    (folder / "handrail.json").write_text(json.dumps({"learner": learner}))
    return folder.parent


def test_without_orders_all_recorded_episodes_are_learned_from_by_recap(tmp_path):
    params = read_train_params({}, tmp_path)

    assert params.preset == "recap"
    assert params.config.words.mode == "two"
    assert [source.name for source in params.sources] == ["recorded episodes"]
    assert (params.wandb, params.device, params.keep, params.processes) == ("off", "auto", 3, 1)


def test_a_preset_for_base_becomes_tiny_when_it_starts_from_tiny(tmp_path):
    config = read_train_params({"preset": "seed", "start": "tiny"}, tmp_path).config

    assert (config.model.size, config.model.dtype, config.model.start_from) == (
        "tiny",
        "float32",
        None,
    )
    assert config.trainable == ("actor", "critic")
    assert config.critic.kind == "scalar"


def test_a_run_takes_its_sizes_from_the_checkpoint_it_starts_from(tmp_path):
    folder = make_checkpoint(tmp_path)

    params = read_train_params({"preset": "recap", "start": "tiny/000500"}, tmp_path)

    assert params.parent_id == "tiny/000500"
    assert params.config.model.start_from == str(folder)
    assert (params.config.model.size, params.config.model.chunk_size) == ("tiny", 16)
    assert params.config.critic.depth == 1
    assert not params.needs_hub


def test_what_has_to_be_fetched_is_known_beforehand(tmp_path):
    assert read_train_params({"preset": "recap"}, tmp_path).needs_hub
    assert not read_train_params({"preset": "debug"}, tmp_path).needs_hub
    somewhere = {"preset": "debug", "sources": [{"kind": "dataset", "repo_id": "lerobot/pusht"}]}
    assert read_train_params(somewhere, tmp_path).needs_hub


@pytest.mark.parametrize(
    ("preset", "steps", "stages"),
    [("recap", 1300, (400, 800, 100)), ("recap", 2, (1, 1, 0)), ("debug", 7, (4, 3, 0))],
)
def test_total_steps_stretch_the_stages_in_proportion(tmp_path, preset, steps, stages):
    schedule = read_train_params({"preset": preset, "steps": steps}, tmp_path).config.schedule

    counts = (schedule.critic_steps, schedule.actor_steps, schedule.critic_refit_steps)
    assert counts == stages
    assert schedule.total_steps == steps


def test_a_joint_schedule_takes_all_steps(tmp_path):
    params = read_train_params({"preset": "seed", "steps": 30}, tmp_path)

    assert params.config.schedule.total_steps == 30


def test_overrides_lie_over_a_config_as_over_a_preset(tmp_path):
    config = {"model": {"size": "tiny"}, "words": {"mode": "none"}}
    overrides = {"optimizer.batch_size": 3, "schedule": {"critic_steps": 5}}

    params = read_train_params({"config": config, "overrides": overrides}, tmp_path)

    assert params.config.optimizer.batch_size == 3
    assert params.config.schedule.critic_steps == 5
    assert params.config.words.mode == "none"


def test_sources_name_episodes_and_datasets_with_shares(tmp_path):
    (tmp_path / "datasets/local/demos").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    params = read_train_params(
        {
            "sources": [
                {"kind": "store", "episodes": {"outcome": "success"}, "share": 0.25},
                {"kind": "dataset", "repo_id": "local/demos"},
            ],
            "additional_dataset_paths": [str(tmp_path / "elsewhere")],
        },
        tmp_path,
    )

    store, local, path = params.sources
    assert store.wanted.outcome is Outcome.SUCCESS
    assert store.share == 0.25
    assert isinstance(local, DatasetSource)
    assert local.root == tmp_path / "datasets/local/demos"
    assert path.root == tmp_path / "elsewhere"


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"presets": "seed"}, "got presets too"),
        ({"preset": "sed"}, "no learner config 'sed'; presets"),
        ({"preset": "seed", "config": {}}, "not both"),
        ({"overrides": {"optimizer.batchsize": 3}}, "did you mean 'batch_size'"),
        ({"start": "touch/000500"}, "no such checkpoint"),
        ({"start": "/nowhere"}, "no such folder"),
        ({"run": "../up"}, "run is a name of letters"),
        ({"sources": []}, "sources is empty"),
        ({"sources": [{"kind": "shop"}]}, "a source is {kind: store"),
        ({"sources": [{"kind": "store", "share": 0.5}]}, "must sum to 1, got 0.5"),
        ({"sources": [{"kind": "store", "share": 2}]}, r"a number in \(0, 1\], got 2"),
        ({"sources": [{"kind": "dataset", "repo_id": "local/none"}]}, "there is no dataset"),
        ({"sources": [{"kind": "dataset"}]}, "named by repo_id or by path"),
        ({"steps": 0}, "steps is a whole number of at least 1, got 0"),
        ({"steps": 1}, "too few for 1 rounds"),
        ({"wandb": "sometimes"}, "off, offline, online, got 'sometimes'"),
        ({"processes": True}, "processes is a whole number"),
    ],
)
def test_orders_that_cannot_be_obeyed_name_the_word_and_the_remedy(tmp_path, params, said):
    with pytest.raises(TrainParamsError, match=said):
        read_train_params(params, tmp_path)


def test_a_run_of_the_same_name_is_refused_before_it_is_queued(tmp_path):
    (tmp_path / "checkpoints/touch").mkdir(parents=True)

    with pytest.raises(TrainParamsError, match="run touch exists already"):
        check({"preset": "debug", "run": "touch"}, tmp_path)


def test_several_processes_are_started_by_accelerate(tmp_path):
    assert launcher({}) == ()
    assert launcher({"processes": 4})[:2] == ("-m", "accelerate.commands.launch")
    assert "4" in launcher({"processes": 4})
