"""Datasets are read as LeRobot writes them, with the outcome that their columns tell."""

import numpy as np
import pytest

from backend.domain import Outcome
from backend.episodes.frames import decode
from backend.episodes.lerobot_folder import DatasetFolderError, LeRobotFolder
from tests.episodes.episode_fixtures import step_in_frame
from tests.jobs.train_fixtures import write_dataset

ZEROS = [0.0] * 21


def at(*rows: int) -> list[float]:
    return [1.0 if row in rows else 0.0 for row in range(21)]


def outcomes(root, **columns):
    folder = LeRobotFolder(
        write_dataset(root, columns={n.replace("_", "."): v for n, v in columns.items()})
    )
    return [episode.outcome for episode in folder.episodes]


def test_a_dataset_without_rewards_holds_successful_demonstrations(tmp_path):
    folder = LeRobotFolder(write_dataset(tmp_path / "d"))

    assert [e.outcome for e in folder.episodes] == [Outcome.SUCCESS] * 2
    assert all(e.is_demonstration for e in folder.episodes)
    assert [e.num_steps for e in folder.episodes] == [12, 9]
    assert folder.cameras == ("overhead", "wrist")


def test_rewards_and_flags_tell_success_failure_and_truncation(tmp_path):
    assert outcomes(tmp_path / "a", next_reward=at(11)) == [Outcome.SUCCESS, Outcome.FAILURE]
    assert outcomes(tmp_path / "b", next_success=at(20)) == [Outcome.FAILURE, Outcome.SUCCESS]
    assert outcomes(tmp_path / "c", next_reward=at(11), next_truncated=at(20)) == [
        Outcome.SUCCESS,
        Outcome.NONE,
    ]
    assert outcomes(tmp_path / "d", next_reward=ZEROS, next_done=at(11)) == [
        Outcome.FAILURE,
        Outcome.NONE,
    ]


def test_rewards_that_are_not_sparse_are_refused_by_name(tmp_path):
    with pytest.raises(DatasetFolderError, match=r"episode 0 of .* has a reward of -1"):
        outcomes(tmp_path / "d", next_reward=[-1.0] * 21)


@pytest.mark.parametrize("name", ["intervention", "complementary_info.is_intervention"])
def test_both_names_of_the_human_flag_are_read(tmp_path, name):
    folder = LeRobotFolder(write_dataset(tmp_path / "d", columns={name: at(2, 3, 13)}))

    assert np.flatnonzero(folder.is_human(0)).tolist() == [2, 3]
    assert [e.num_human_steps for e in folder.episodes] == [2, 1]


def test_steps_and_pictures_are_those_of_the_episode(tmp_path):
    folder = LeRobotFolder(write_dataset(tmp_path / "d"))

    assert folder.states(1)[:, 0].tolist() == list(range(9))
    assert folder.actions(1).dtype == np.float32
    overhead = decode(folder.pictures(1, "overhead"), 96)[:, 20:70]
    assert [step_in_frame(frame) for frame in overhead] == list(range(9))


def test_an_older_dataset_names_the_conversion(tmp_path):
    with pytest.raises(DatasetFolderError, match=r"v2\.1, needed is v3: convert it"):
        LeRobotFolder(write_dataset(tmp_path / "d", version="v2.1"))


def test_a_folder_without_a_dataset_is_refused(tmp_path):
    with pytest.raises(DatasetFolderError, match="holds no LeRobot dataset"):
        LeRobotFolder(tmp_path)
