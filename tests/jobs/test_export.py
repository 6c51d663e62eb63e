"""Real exports with LeRobot, in one child process because importing it takes ten seconds."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from backend.db.engine import migrate, open_database, sqlite_url
from backend.domain import Outcome
from backend.episodes.remux import count_frames
from backend.episodes.store import read_steps, video_path
from backend.episodes.video import VideoReader
from backend.intake import reconcile
from tests.episodes.episode_fixtures import STARTED_S, make_header, record
from tests.jobs.job_processes import run_jobs

EPISODES = [("won", 25, Outcome.SUCCESS), ("lost", 40, Outcome.FAILURE), ("open", 31, Outcome.NONE)]

CHILD = """
import shutil, sys
from pathlib import Path
from backend.db.engine import open_database, sqlite_url
from backend.episodes import lerobot_io
from backend.episodes.labels import LabelKind
from backend.jobs.child import run_child
from backend.jobs.export import export
from backend.review import add_label

data_dir = Path(sys.argv[1])
def run(id):
    return run_child(export, ["--data-dir", str(data_dir), "--job-id", id])
codes = [run("first")]
shutil.copytree(data_dir / "datasets/local/a", data_dir / "first")
codes += [run("taken"), run("replacing"), run("nothing")]
honest = lerobot_io.export_columns
lerobot_io.export_columns = lambda human, outcome, ranges: honest(
    human, lerobot_io.Outcome.SUCCESS, ranges
)
codes.append(run("wrong"))
lerobot_io.export_columns = honest
database = open_database(sqlite_url(data_dir))
with database.write() as db:
    for number, (kind, new, start, end) in enumerate([
        ("terminal", {"step": 12}, None, None),
        ("subtask", {"text": "reach"}, 0, 8),
        ("subtask", {"text": "touch"}, 6, 25),
        ("mistake", {}, 2, 4),
        ("recovery", {}, 20, 24),
    ]):
        add_label(db, episode_id="won", kind=LabelKind(kind), new=new, author="ben", source="cli",
                  created_s=1.0, event_id=f"l{number}", start_step=start, end_step=end)
database.close()
codes.append(run("labelled"))
print(codes)
"""


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    data_dir = tmp_path_factory.mktemp("data")
    for position, (id, num_steps, outcome) in enumerate(EPISODES):
        header = make_header(id, started_s=STARTED_S + position * 60, task=f"Task {position // 2}")
        record(data_dir / "episodes", header, num_steps=num_steps, outcome=outcome)
    migrate(sqlite_url(data_dir))
    database = open_database(sqlite_url(data_dir))
    reconcile(database, data_dir)
    database.close()
    for id, params in {
        "first": {"repo_id": "local/a", "episodes": "all"},
        "taken": {"repo_id": "local/a"},
        "replacing": {"repo_id": "local/a", "episodes": ["lost"], "overwrite": True, "columns": []},
        "nothing": {"repo_id": "local/b", "episodes": {"q": "nobody"}},
        "wrong": {"repo_id": "local/c"},
        "labelled": {"repo_id": "local/d"},
    }.items():
        (data_dir / "jobs" / id).mkdir(parents=True)
        orders = {"kind": "export", "params": params}
        (data_dir / "jobs" / id / "config.json").write_text(json.dumps(orders))
    child = run_jobs(CHILD, data_dir)
    assert child.stdout.splitlines()[-1] == "[0, 1, 0, 1, 1, 0]", child.stderr
    return data_dir


def ending(data_dir, id):
    return json.loads((data_dir / "jobs" / id / "result.json").read_text())


def columns(dataset):
    return pq.read_table(dataset / "data/chunk-000/file-000.parquet").to_pydict()


def test_every_step_arrives_with_its_derived_columns(data_dir):
    table = columns(data_dir / "first")

    start = 0
    for index, (id, num_steps, outcome) in enumerate(EPISODES):
        rows = slice(start, start + num_steps)
        steps = read_steps(data_dir / "episodes" / id)
        np.testing.assert_array_equal(table["action"][rows], steps.action)
        np.testing.assert_array_equal(table["observation.state"][rows], steps.state)
        assert table["episode_index"][rows] == [index] * num_steps
        assert table["task_index"][rows] == [index // 2] * num_steps
        assert table["intervention"][rows] == [5 <= step < 10 for step in range(num_steps)]
        last = [0.0] * (num_steps - 1)
        assert table["next.reward"][rows] == [*last, float(outcome is Outcome.SUCCESS)]
        assert table["next.truncated"][rows][-1] == (outcome is Outcome.NONE)
        assert table["next.done"][rows] == [False] * (num_steps - 1) + [True]
        start += num_steps
    assert start == len(table["index"])


def test_the_videos_hold_the_recorded_pictures_and_the_metadata_says_where(data_dir):
    episodes = pq.read_table(data_dir / "first/meta/episodes/chunk-000/file-000.parquet")

    for camera in ("overhead", "wrist"):
        key = f"observation.images.{camera}"
        path = data_dir / "first/videos" / key / "chunk-000/file-000.mp4"
        assert count_frames(path) == 25 + 40 + 31
        begins = episodes[f"videos/{key}/from_timestamp"].to_pylist()
        assert begins == pytest.approx([0.0, 2.5, 6.5])
        assert episodes[f"videos/{key}/to_timestamp"].to_pylist() == pytest.approx([2.5, 6.5, 9.6])
        with VideoReader(path) as joined:
            for begin, (id, num_steps, _) in zip(begins, EPISODES, strict=True):
                with VideoReader(video_path(data_dir / "episodes" / id, camera)) as recorded:
                    for step in (0, num_steps - 1):
                        np.testing.assert_array_equal(
                            joined.frame(round(begin * 10) + step), recorded.frame(step)
                        )


def test_picture_statistics_are_those_of_the_pictures(data_dir):
    stats = json.loads((data_dir / "first/meta/stats.json").read_text())

    wrist = stats["observation.images.wrist"]
    levels = [220 - (20 + 6 * (s % 30)) for _, n, _ in EPISODES for s in range(n)]
    assert np.shape(wrist["mean"]) == (3, 1, 1)
    assert np.ravel(wrist["mean"]) == pytest.approx([np.mean(levels) / 255] * 3, abs=0.01)
    assert np.ravel(wrist["std"]) == pytest.approx([np.std(levels) / 255] * 3, abs=0.01)
    assert np.ravel(wrist["max"])[0] == pytest.approx(max(levels) / 255, abs=0.02)


def test_the_manifest_tells_what_is_in_it_and_what_labels_it_saw(data_dir):
    manifest = json.loads((data_dir / "first/manifest.json").read_text())

    assert manifest == ending(data_dir, "first")["result"]
    assert manifest["episode_ids"] == ["won", "lost", "open"]
    assert manifest["episode_outcomes"] == ["success", "failure", "none"]
    assert manifest["unlabeled"] == ["open"]
    assert (manifest["episodes"], manifest["frames"]) == (3, 96)
    assert manifest["label_revision"] == 2
    assert manifest["path"] == str(data_dir / "datasets/local/a")


def test_an_existing_dataset_is_not_touched_unless_told(data_dir):
    assert ending(data_dir, "taken")["state"] == "failed"
    assert "exists already" in ending(data_dir, "taken")["message"]


def test_an_overwritten_dataset_is_replaced_as_a_whole(data_dir):
    table = columns(data_dir / "datasets/local/a")

    assert len(table["index"]) == 40
    assert "next.reward" not in table
    assert sorted(p.name for p in (data_dir / "datasets").iterdir()) == ["local"]


def test_nothing_to_export_is_said_so(data_dir):
    assert "no episode to export" in ending(data_dir, "nothing")["message"]


def test_a_dataset_that_differs_from_the_store_is_not_kept(data_dir):
    failed = ending(data_dir, "wrong")

    assert failed["state"] == "failed"
    assert "next.reward of episode lost differs from frame 39 on: 1.0 instead" in failed["message"]
    assert not (data_dir / "datasets/local/c").exists()
    assert sorted(p.name for p in (data_dir / "datasets/local").iterdir()) == ["a", "d"]


def test_an_episode_ends_where_people_have_seen_the_success(data_dir):
    table = columns(data_dir / "datasets/local/d")
    manifest = json.loads((data_dir / "datasets/local/d/manifest.json").read_text())

    assert table["episode_index"][:14] == [0] * 13 + [1]
    assert table["next.reward"][:13] == [0.0] * 12 + [1.0]
    assert table["next.done"][:13] == [False] * 12 + [True]
    assert (
        count_frames(
            data_dir / "datasets/local/d/videos/observation.images.wrist/chunk-000/file-000.mp4"
        )
        == 13 + 40 + 31
    )
    assert (manifest["frames"], manifest["frames_behind_end"]) == (84, 12)
    assert manifest["episode_steps_behind"] == [12, 0, 0]


def test_subtasks_are_a_column_and_other_ranges_are_told_in_the_manifest(data_dir):
    table = columns(data_dir / "datasets/local/d")
    manifest = json.loads((data_dir / "datasets/local/d/manifest.json").read_text())

    assert table["subtask"][:14] == ["reach"] * 6 + ["touch"] * 7 + [""]
    assert "subtask" in manifest["columns"]
    assert "subtask" not in columns(data_dir / "first")
    # The recovery lies behind the end.
    assert manifest["ranges"] == {"subtask": 2, "mistake": 1}
    assert [each["kind"] for each in manifest["episode_ranges"][0]] == [
        "subtask",
        "mistake",
        "subtask",
        "recovery",
    ]
