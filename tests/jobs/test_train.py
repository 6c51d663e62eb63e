"""Whole trainings in one child process, because importing torch and LeRobot takes ten seconds."""

import json

import numpy as np
import pytest
from safetensors.numpy import load_file

from backend.jobs.label_file import LABELS_FILE, read_label_table, rethreshold
from tests.episodes.episode_fixtures import JOINTS
from tests.jobs.job_processes import run_jobs
from tests.jobs.train_fixtures import prepared, record_graded, write_dataset, write_orders

CHILD = """
import os, signal, sys
from pathlib import Path
import torch
from backend.jobs.child import run_child
from backend.jobs.train import train
from backend.learning.learner import Learner

torch.set_num_threads(1)
data_dir = Path(sys.argv[1])
def run(id):
    return run_child(train, ["--data-dir", str(data_dir), "--job-id", id])
codes = [run("whole")]
honest = Learner.train_step
def interrupted(learner):
    metrics = honest(learner)
    if learner.step == 3:
        os.kill(os.getpid(), signal.SIGTERM)
    return metrics
Learner.train_step = interrupted
codes.append(run("broken"))
Learner.train_step = honest
(data_dir / "jobs/broken/result.json").rename(data_dir / "jobs/broken/first.json")
codes.append(run("broken"))
codes += [run("unjudged"), run("taken"), run("wordy")]
def diverging(learner):
    raise FloatingPointError("gradient norm is nan")
Learner.train_step = diverging
codes.append(run("diverging"))
print(codes)
"""


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    data_dir = tmp_path_factory.mktemp("data")
    record_graded(data_dir)
    demos = write_dataset(tmp_path_factory.mktemp("demos") / "d")
    prepared(data_dir).close()
    mix = {
        "preset": "debug",
        # Rounds of two and two: step 3 lies in the middle of the actor's stage.
        "overrides": {"schedule.rounds": 2, "schedule.save_every": 3, "data.held_out_fraction": 0},
        "sources": [{"kind": "store", "share": 0.5}, {"kind": "dataset", "path": str(demos)}],
    }
    write_orders(data_dir, "whole", "train", **mix, run="whole", keep=1, wandb="offline")
    write_orders(data_dir, "broken", "train", **mix, run="broken")
    write_orders(data_dir, "unjudged", "train", preset="debug", sources=[
        {"kind": "store", "episodes": {"outcome": "none"}}
    ])  # fmt: skip
    write_orders(data_dir, "taken", "train", preset="debug", run="whole")
    short = {"model.tokenizer_max_length": 9}
    write_orders(data_dir, "wordy", "train", preset="debug", overrides=short)
    write_orders(data_dir, "diverging", "train", preset="debug", run="diverging")
    child = run_jobs(CHILD, data_dir)
    assert child.stdout.splitlines()[-1] == "[0, 1, 0, 1, 1, 1, 1]", child.stdout + child.stderr
    return data_dir


def ending(data_dir, id, name="result.json"):
    return json.loads((data_dir / "jobs" / id / name).read_text())


def inbox(data_dir, id, word):
    lines = (data_dir / "jobs" / id / "metrics.jsonl").read_text().splitlines()
    return [line[word] for line in map(json.loads, lines) if word in line]


def news(data_dir, id, word):
    return [said[word] for said in inbox(data_dir, id, "news") if word in said]


def weights(data_dir, checkpoint):
    folder = data_dir / "checkpoints" / checkpoint / "pretrained_model"
    return {**load_file(folder / "model.safetensors"), **load_file(folder / "critic.safetensors")}


def test_a_run_that_was_cancelled_and_resumed_equals_one_that_was_not(data_dir):
    assert ending(data_dir, "broken", "first.json")["state"] == "cancelled"
    assert ending(data_dir, "broken")["result"]["checkpoint"] == "broken/000008"

    whole, resumed = weights(data_dir, "whole/000008"), weights(data_dir, "broken/000008")

    assert whole.keys() == resumed.keys()
    for name in whole:
        np.testing.assert_array_equal(whole[name], resumed[name], err_msg=name)


def test_cancelling_finishes_the_step_and_writes_a_checkpoint(data_dir):
    steps = [said["step"] for said in news(data_dir, "broken", "checkpoint")]

    assert steps[0] == 3
    assert (data_dir / "checkpoints/broken/000003/training_state").is_dir()


def test_the_plan_counts_successes_and_failures_of_each_source_first(data_dir):
    plan = ending(data_dir, "whole")["result"]["plan"]

    recorded, demos = plan["sources"]
    assert recorded["outcomes"] == {"failure": 2, "success": 2}
    assert demos["outcomes"] == {"success": 2}
    assert (recorded["share"], demos["share"]) == (0.5, 0.5)
    assert plan["steps"] == 14 + 15 + 16 + 17 + 21
    assert plan["label_revision"] == 4


def test_numbers_have_the_seeds_names(data_dir):
    names = {name for metrics in inbox(data_dir, "whole", "metrics") for name in metrics}

    assert {
        "train/loss_critic",
        "train/critic_grad_norm",
        "train/target_value_mean_critic",
        "train/loss_actor",
        "train/actor_grad_norm",
        "train/advantage_mean",
        "train/advantage_positive_label_fraction",
        "train/Optimization frequency loop [Hz]",
        "train/data_wait_share",
        "probe/auc",
        "probe/conditioning_gap",
    } <= names
    numbers = [v for metrics in inbox(data_dir, "whole", "metrics") for v in metrics.values()]
    assert np.isfinite(numbers).all()


def test_the_share_of_time_spent_waiting_for_data_is_measured(data_dir):
    assert 0 < ending(data_dir, "whole")["result"]["data_wait_share"] < 0.5


def test_old_checkpoints_go_by_the_rule_and_are_told(data_dir):
    left = sorted(p.name for p in (data_dir / "checkpoints/whole").iterdir() if p.is_dir())

    assert left == ["000008"]
    assert news(data_dir, "whole", "deleted") == ["whole/000003", "whole/000006"]


def test_every_checkpoint_is_told_with_its_lineage(data_dir):
    told = news(data_dir, "whole", "checkpoint")

    assert [said["id"] for said in told] == ["whole/000003", "whole/000006", "whole/000008"]
    assert {said["job_id"] for said in told} == {"whole"}
    assert {said["label_revision"] for said in told} == {4}
    assert all(said["size_bytes"] > 1e6 for said in told)


def test_a_checkpoint_knows_the_joints_of_the_episodes_it_learned_from(data_dir):
    config = data_dir / "checkpoints/whole/000008/pretrained_model/config.json"

    assert json.loads(config.read_text())["action_feature_names"] == list(JOINTS)


def test_the_label_run_can_be_thresholded_anew_without_a_model(data_dir):
    table = read_label_table(data_dir / "jobs/whole" / LABELS_FILE)

    assert len(table.values) == 14 + 15 + 16 + 17 + 21
    assert table.sources[0] == "recorded episodes"
    present = rethreshold(table)
    generous = rethreshold(table, positive_fraction=0.9)
    assert generous.positive > present.positive
    assert set(present.positive_by_source) == set(table.sources)


def test_orders_that_cannot_be_obeyed_fail_before_torch_is_needed(data_dir):
    assert "no episode to learn from" in ending(data_dir, "unjudged")["message"]
    assert "run whole was made by job whole" in ending(data_dir, "taken")["message"]


def test_a_run_that_diverges_says_so_as_alarm_and_as_failure(data_dir):
    assert (
        "the run diverged in step 0: gradient norm is nan"
        in (ending(data_dir, "diverging")["message"])
    )
    assert news(data_dir, "diverging", "alarm") == [
        {"name": "not_finite", "step": 0, "text": "gradient norm is nan"}
    ]


def test_a_prompt_that_would_be_cut_stops_the_run_before_its_first_step(data_dir):
    assert (
        "must be at most 9, else its end with the advantage word is cut"
        in (ending(data_dir, "wordy")["message"])
    )
    assert [said["name"] for said in news(data_dir, "wordy", "alarm")] == ["prompt_too_long"]
    assert inbox(data_dir, "wordy", "metrics") == []


def test_who_wants_wandb_gets_an_offline_run_and_nobody_else_does(data_dir):
    assert len(list((data_dir / "jobs/whole/wandb").glob("offline-run-*/*.wandb"))) == 1
    assert not (data_dir / "jobs/broken/wandb").exists()
