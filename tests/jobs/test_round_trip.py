"""Store → LeRobot v3 → store: what goes out comes back frame by frame, by the real jobs."""

import json

import numpy as np
import pytest

from backend.db.engine import open_database, sqlite_url
from backend.db.queries import EpisodeFilter, all_episodes
from backend.domain import Outcome
from backend.episodes.store import read_header, read_steps, video_path
from backend.episodes.video import VideoReader
from backend.intake import reconcile
from tests.episodes.episode_fixtures import STARTED_S, make_header, record
from tests.jobs.job_processes import run_jobs
from tests.jobs.train_fixtures import prepared, write_orders

EPISODES = {
    "won": (25, Outcome.SUCCESS, range(5, 10)),
    "lost": (37, Outcome.FAILURE, range(0)),
    "open": (11, Outcome.NONE, range(11)),
}
CHILD = """
import sys
from backend.jobs.child import run_child
from backend.jobs.export import export
from backend.jobs.importing import import_dataset

here, there = sys.argv[1:]
out = run_child(export, ["--data-dir", here, "--job-id", "out"])
print([out, run_child(import_dataset, ["--data-dir", there, "--job-id", "in"])])
"""


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    """The store that was exported, and the one that imported it."""
    here, there = tmp_path_factory.mktemp("here"), tmp_path_factory.mktemp("there")
    for position, (id, (num_steps, outcome, human)) in enumerate(EPISODES.items()):
        header = make_header(id, started_s=STARTED_S + position * 60, task=f"Task {position // 2}")
        record(here / "episodes", header, num_steps=num_steps, outcome=outcome, human=human)
    for data_dir in (here, there):
        prepared(data_dir).close()
    write_orders(here, "out", "export", repo_id="local/a")
    write_orders(there, "in", "import", path=str(here / "datasets/local/a"))
    child = run_jobs(CHILD, here, there)
    assert child.stdout.splitlines()[-1:] == ["[0, 0]"], child.stderr
    return here, there


def result_of(there):
    return json.loads((there / "jobs/in/result.json").read_text())["result"]


def pairs(stores):
    here, there = stores
    for source, id in zip(EPISODES, result_of(there)["episode_ids"], strict=True):
        yield here / "episodes" / source, there / "episodes" / id


def test_every_column_comes_back_as_it_was(stores):
    for recorded, imported in pairs(stores):
        before, after = read_steps(recorded), read_steps(imported)
        np.testing.assert_array_equal(after.step, before.step)
        np.testing.assert_array_equal(after.timestamp_s, before.timestamp_s)
        np.testing.assert_array_equal(after.state, before.state)
        np.testing.assert_array_equal(after.action, before.action)
        np.testing.assert_array_equal(after.driver, before.driver)
        old, new = read_header(recorded), read_header(imported)
        for name in ("task", "fps", "state_names", "action_names", "cameras", "robot_type"):
            assert getattr(new, name) == getattr(old, name)


def test_every_picture_comes_back_undecoded(stores):
    _here, there = stores
    assert result_of(there)["videos_encoded_again"] == 0
    for recorded, imported in pairs(stores):
        for camera in read_header(recorded).cameras:
            with (
                VideoReader(video_path(recorded, camera)) as before,
                VideoReader(video_path(imported, camera)) as after,
            ):
                for step in range(len(read_steps(recorded))):
                    np.testing.assert_array_equal(after.frame(step), before.frame(step))
                with pytest.raises(IndexError):
                    after.frame(len(read_steps(recorded)))


def test_outcomes_come_back_as_labels_in_the_order_of_recording(stores):
    _here, there = stores
    database = open_database(sqlite_url(there))
    reconcile(database, there)

    with database.read() as db:
        rows = all_episodes(db, EpisodeFilter())
    database.close()

    assert [row.id for row in rows] == result_of(there)["episode_ids"]
    assert [row.outcome for row in rows] == [outcome for _, outcome, _ in EPISODES.values()]
    assert [row.num_human_steps for row in rows] == [5, 0, 11]
    assert {row.operator for row in rows} == {"local/a"}
