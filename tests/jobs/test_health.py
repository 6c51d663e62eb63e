"""A dataset is broken in one way after the other, and each is told in plain words."""

import json
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from backend.domain import Role
from backend.episodes.video import VideoWriter
from backend.jobs import health_params
from backend.jobs.child import JobChild, JobFailedError
from backend.jobs.health import health, look_over, summary
from backend.jobs.health_finding import Severity, named
from backend.jobs.health_params import HealthParamsError, check
from tests.jobs.train_fixtures import write_dataset, write_orders

LENGTHS = (12, 11)
DATA = "data/chunk-000/file-000.parquet"
PLACES = "meta/episodes/chunk-000/file-000.parquet"
WRIST = "videos/observation.images.wrist/chunk-000/file-000.mp4"
WON = [0.0] * 11 + [1.0] + [0.0] * 11
HUMAN = [1.0] * 3 + [0.0] * 20


def whole(root):
    """A dataset of which only its size is worth a word."""
    write_dataset(root, LENGTHS, columns={"next.reward": WON, "intervention": HUMAN})
    change_json(root, total_episodes=2, total_frames=23)
    stats = {name: [1.0, 2.0, 3.0] for name in ("mean", "std", "min", "max")}
    (root / "meta/stats.json").write_text(json.dumps({"observation.state": stats, "action": stats}))
    pq.write_table(pa.table({"task": ["Touch"], "task_index": [0]}), root / "meta/tasks.parquet")
    return root


@pytest.fixture(scope="module")
def healthy(tmp_path_factory):
    return whole(tmp_path_factory.mktemp("datasets") / "healthy")


@pytest.fixture
def dataset(healthy, tmp_path):
    return shutil.copytree(healthy, tmp_path / "d")


def change_json(root, name="meta/info.json", **changes):
    content = json.loads((root / name).read_text())
    (root / name).write_text(json.dumps({**content, **changes}))


def change_column(root, name, values, path=DATA):
    table = pq.read_table(root / path)
    kind = table[name].type if name in table.column_names else None
    column = pa.array(values, kind)
    table = table.drop([name]) if name in table.column_names else table
    pq.write_table(table.append_column(name, column), root / path)


def drop_columns(root, *names):
    pq.write_table(pq.read_table(root / DATA).drop(list(names)), root / DATA)
    features = json.loads((root / "meta/info.json").read_text())["features"]
    change_json(root, features={n: f for n, f in features.items() if n not in names})


def film(path, pictures, *, fps=10, size=64):
    writer = VideoWriter(path, width=size, height=size, fps=fps)
    for picture in pictures:
        writer.add(np.full((size, size, 3), picture, np.uint8))
    writer.close()


def vectors(value):
    return [[value(row)] * 3 for row in range(23)]


def findings(root):
    return {f.code: f for f in look_over(root, report=lambda share, words: None)[1]}


def test_a_whole_dataset_has_nothing_but_its_size_to_tell(healthy):
    assert list(findings(healthy)) == ["few_episodes"]


def gone(name):
    return lambda root: (root / name).unlink()


def torn(name, size=200):
    return lambda root: (root / name).write_bytes((root / name).read_bytes()[:size])


def same_twice(root):
    change_column(root, "action", vectors(lambda row: row % 11 if row < 22 else 99))
    change_column(root, "frame_index", [*range(11), *range(11), 0])
    change_column(root, "episode_index", [0] * 11 + [1] * 11 + [2])


BROKEN = {
    "no_info": (gone("meta/info.json"), "meta/info.json is missing"),
    "old_version": (lambda r: change_json(r, codebase_version="v2.1"), "version v2.1, not v3"),
    "no_rate": (lambda r: change_json(r, fps=0), "frames a second are 0"),
    "unreadable_table": (torn(DATA), "data/chunk-000/file-000.parquet cannot be read"),
    "missing_features": (lambda r: drop_columns(r, "observation.state"), "no observation.state"),
    "missing_columns": (
        lambda r: pq.write_table(pq.read_table(r / DATA).drop(["intervention"]), r / DATA),
        "columns that the data lacks: intervention",
    ),
    "wrong_count": (lambda r: change_json(r, total_frames=30), "total_frames is 30 in meta"),
    "wrong_length": (
        lambda r: change_column(r, "length", [12, 9], PLACES),
        "Other numbers of rows than the metadata says: episode 1",
    ),
    "unknown_episodes": (
        lambda r: change_column(r, "episode_index", [0] * 12 + [1] * 6 + [5] * 5),
        "episode 5, which meta/episodes does not know",
    ),
    "index_gaps": (lambda r: change_column(r, "index", [7] * 23), "does not count 0, 1, 2"),
    "frame_index_gaps": (
        lambda r: change_column(r, "frame_index", [*range(12), *range(2, 13)]),
        "frame_index of episode 1 does not count",
    ),
    "time_drift": (
        lambda r: change_column(r, "timestamp", [i / 10 if i < 12 else i / 9 for i in range(23)]),
        "Timestamps of episode 1 are not those of 10 frames a second",
    ),
    "no_tasks": (gone("meta/tasks.parquet"), "tasks.parquet is missing"),
    "not_finite": (
        lambda r: change_column(r, "action", vectors(lambda row: np.nan if row == 4 else row)),
        "action holds numbers that are none in episode 0",
    ),
    "constant_column": (
        lambda r: change_column(r, "action", vectors(lambda row: 1.0)),
        "In action, nothing ever changes",
    ),
    "missing_video": (gone(WRIST), "The video of wrist is missing for every episode"),
    "torn_video": (lambda r: film(r / WRIST, range(50, 65)), "file-000.mp4 is torn"),
    "wrong_rate": (
        lambda r: film(r / WRIST, range(50, 73), fps=30),
        "The videos of wrist run at 30 frames a second, the data at 10",
    ),
}
DOUBTFUL = {
    "no_instruction": (
        lambda r: change_column(r, "tasks", [["Touch"], [" "]], PLACES),
        "No task in words: episode 1",
    ),
    "no_stats": (gone("meta/stats.json"), "no usable statistics of observation.state, action"),
    "constant_column": (
        lambda r: change_column(r, "action", [[row, row, 5.0] for row in range(23)]),
        "action: gripper.pos never changes",
    ),
    "never_moved": (
        lambda r: change_column(r, "observation.state", vectors(lambda row: min(row, 11))),
        "The robot never moves in episode 1",
    ),
    "too_short": (lambda r: change_json(r, fps=12), "Shorter than 1 s: episode 1"),
    "doubles": (same_twice, "The actions of episode 1 are exactly those of an earlier"),
    "dense_rewards": (
        lambda r: change_column(r, "next.reward", [-0.5] * 23),
        "not 0 and 1 but from -0.5 to -0.5",
    ),
    "one_outcome": (
        lambda r: change_column(r, "next.reward", [1.0] * 23),
        "All 2 episodes succeeded",
    ),
    "done_early": (
        lambda r: change_column(r, "next.done", [1.0] * 23),
        "next.done is set before the last frame of episodes 0 and 1",
    ),
    "drivers_disagree": (
        lambda r: change_column(r, "complementary_info.is_intervention", [0.0] * 23),
        "disagree on who drove",
    ),
    "wrong_size": (lambda r: film(r / WRIST, range(50, 73), size=32), "of wrist are 32×32"),
    "black_pictures": (lambda r: film(r / WRIST, [0] * 23), "wrist is black in episodes 0 and 1"),
    "frozen_pictures": (
        lambda r: film(r / WRIST, [90] * 23),
        "wrist shows one still picture in episodes 0 and 1",
    ),
}
NOTED = {
    "no_rewards": (lambda r: drop_columns(r, "next.reward"), "Nothing says how its episodes ended"),
    "no_drivers": (lambda r: drop_columns(r, "intervention"), "Nothing says which steps a person"),
    "never_done": (
        lambda r: change_column(r, "next.done", [0.0] * 23),
        "next.done is never set in episodes 0 and 1",
    ),
}


@pytest.mark.parametrize(
    ("severity", "code", "spoil", "says"),
    [
        (severity, code, *how)
        for severity, ways in (
            (Severity.BROKEN, BROKEN),
            (Severity.WARNING, DOUBTFUL),
            (Severity.NOTE, NOTED),
        )
        for code, how in ways.items()
    ],
)
def test_what_is_wrong_is_told_in_plain_words_with_a_remedy(dataset, severity, code, spoil, says):
    spoil(dataset)

    found = findings(dataset)

    assert code in found, found
    assert says in found[code].title
    assert found[code].severity is severity
    assert found[code].detail.endswith((".", "]"))
    assert found[code].remedy


def test_videos_that_browsers_do_not_play_are_named(dataset):
    import av  # noqa: PLC0415 - for this one only

    with av.open(str(dataset / WRIST), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        for level in range(23):
            picture = np.full((64, 64, 3), 50 + level, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))

    assert "do not play the videos of wrist (mpeg4" in findings(dataset)["not_playable"].title


def test_the_job_leaves_findings_worst_first_and_counts_them(healthy, tmp_path):
    shutil.copytree(healthy, tmp_path / "datasets/local/a")
    gone(WRIST)(tmp_path / "datasets/local/a")
    write_orders(tmp_path, "j", "health", repo_id="local/a")
    child = JobChild(data_dir=tmp_path, job_id="j", clock=lambda: 0.0)

    result = health(child)
    child.close()

    assert [f["code"] for f in result["findings"]] == ["missing_video", "few_episodes"]
    assert result["counts"] == {"broken": 1, "warning": 0, "note": 1}
    assert (result["episodes"], result["frames"]) == (2, 23)
    said = (tmp_path / "jobs/j/metrics.jsonl").read_text()
    assert "1 broken, 1 good to know" in said


def test_a_check_of_nothing_is_refused_with_the_remedy(tmp_path):
    with pytest.raises(HealthParamsError, match=r"no dataset at .*datasets/a/b: name one"):
        check({"repo_id": "a/b"}, tmp_path)
    with pytest.raises(HealthParamsError, match="got hub too"):
        check({"repo_id": "a/b", "hub": True}, tmp_path)
    write_orders(tmp_path, "j", "health", repo_id="a/b")
    child = JobChild(data_dir=tmp_path, job_id="j", clock=lambda: 0.0)
    with pytest.raises(JobFailedError, match="no dataset"):
        health(child)
    child.close()
    assert health_params.role({"repo_id": "a/b"}) is Role.LABELER
    assert health_params.role({"path": "/x/y"}) is Role.ADMIN


def test_words_agree_with_their_numbers():
    assert named([3]) == "episode 3"
    assert named([3, 7]) == "episodes 3 and 7"
    assert named(list(range(9))) == "episodes 0, 1, 2, 3, 4 and 4 more"
    assert summary({"broken": 0, "warning": 0, "note": 0}) == "nothing to complain of"
