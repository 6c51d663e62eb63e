"""What an online learner may be asked for."""

import pytest

from backend.jobs.online_params import CAPACITY, Every, check, read_online_params
from backend.jobs.train_config import TrainParamsError

DEBUG = {"preset": "debug"}


def test_without_orders_the_online_preset_publishes_every_two_minutes_until_stopped(tmp_path):
    params = read_online_params({}, tmp_path)

    assert params.train.preset == "online"
    assert params.publish == Every(steps=None, time_s=120.0)
    assert params.checkpoint == Every(steps=params.train.config.schedule.save_every, time_s=None)
    assert (params.max_steps, params.max_time_s) == (None, None)
    assert (params.start_after_episodes, params.online_capacity) == (1, CAPACITY)
    assert (params.dataset_every_episodes, params.video_every_episodes) == (10, None)
    assert params.promote
    (online,) = params.train.sources
    assert (online.name, online.share) == ("online episodes", None)


def test_offline_sources_share_what_the_online_ones_leave(tmp_path):
    (tmp_path / "demos").mkdir()
    params = read_online_params(
        {
            **DEBUG,
            "online_share": 0.6,
            "sources": [
                {"kind": "store", "share": 0.25},
                {"kind": "dataset", "path": str(tmp_path / "demos"), "share": 0.75},
            ],
        },
        tmp_path,
    )

    assert [source.share for source in params.train.sources] == pytest.approx([0.6, 0.1, 0.3])


def test_extra_critic_updates_are_said_in_either_schedule(tmp_path):
    joint = read_online_params(
        {"preset": "seed", "overrides": {"model.start_from": None}, "utd": 3}, tmp_path
    )
    rounds = read_online_params({**DEBUG, "utd": 3, "accumulation": 5}, tmp_path)

    assert joint.train.config.schedule.critic_updates == 3
    schedule = rounds.train.config.schedule
    assert schedule.critic_steps == 3 * schedule.actor_steps
    assert rounds.train.config.optimizer.accumulation == 5


def test_something_is_due_after_its_steps_or_its_time(tmp_path):
    params = read_online_params(
        {**DEBUG, "publish_every_steps": 10, "publish_every_s": 60, "max_hours": 0.5}, tmp_path
    )

    assert not params.publish.is_due(steps=9, time_s=59.0)
    assert params.publish.is_due(steps=10, time_s=0.0)
    assert params.publish.is_due(steps=0, time_s=60.0)
    assert params.max_time_s == 1800


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"steps": 5}, r"an online learner takes .*max_steps.*; got steps too"),
        ({"online_share": 0}, r"online_share is a number in \(0, 1\], got 0"),
        ({"start_after_episodes": -1}, "a whole number of at least 0, got -1"),
        ({"publish_every_s": 0}, "publish_every_s is a number above 0, got 0"),
        ({"promote": "yes"}, "promote is true or false, got 'yes'"),
        ({"session_id": 7}, "session_id is a session's id, got 7"),
        ({"sources": "all"}, "sources is a list of objects, got 'all'"),
        (
            {"sources": [{"kind": "store", "share": 0.7}, {"kind": "store", "share": 0.7}]},
            r"sum to 1\.4, at most is 1: they are shares of what online_share leaves",
        ),
        ({"run": "taken"}, "run taken exists already"),
    ],
)
def test_what_cannot_be_done_is_refused_by_name(tmp_path, params, message):
    (tmp_path / "checkpoints/taken").mkdir(parents=True)

    with pytest.raises(TrainParamsError, match=message):
        check({**DEBUG, **params}, tmp_path)
