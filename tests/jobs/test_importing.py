"""LeRobot datasets become episodes of the store, by the real job in this process."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import av
import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from backend.db.models import DatasetRow, EpisodeRow, JobRow
from backend.db.queries import label_events
from backend.domain import Outcome, Role
from backend.episodes import video
from backend.episodes.format import CameraSize
from backend.episodes.lerobot_folder import LeRobotFolder
from backend.episodes.store import read_end, read_header, read_steps, video_path
from backend.episodes.video import VideoReader
from backend.jobs import importing_params
from backend.jobs.child import run_child
from backend.jobs.importing import import_dataset, record, take_news
from backend.jobs.importing_params import ImportParamsError, check, read_import_params
from backend.jobs.importing_plan import make_import_plan
from tests.episodes.episode_fixtures import step_in_frame
from tests.jobs.train_fixtures import prepared, write_dataset, write_orders

AT_THE_END = [0.0] * 11 + [1.0] + [0.0] * 9
HUMAN = [1.0 if row in (2, 3, 14) else 0.0 for row in range(21)]


@pytest.fixture
def data_dir(tmp_path):
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    prepared(data_dir).close()
    return data_dir


@pytest.fixture
def run(data_dir):
    """Carries out one import; returns its ending and what it announced."""
    numbers = iter(range(100))

    def run(**params):
        id = f"job{next(numbers)}"
        write_orders(data_dir, id, "import", **params)
        before = signal.getsignal(signal.SIGTERM)
        niceness, os.nice = os.nice, lambda _: 0
        try:
            run_child(import_dataset, ["--data-dir", str(data_dir), "--job-id", id])
        finally:
            signal.signal(signal.SIGTERM, before)
            os.nice = niceness
        ending = json.loads((data_dir / "jobs" / id / "result.json").read_text())
        inbox = (data_dir / "jobs" / id / "metrics.jsonl").read_text().splitlines()
        return ending, [json.loads(line) for line in inbox]

    return run


def dataset(data_dir, name="local/a", **how):
    how.setdefault("columns", {"next.reward": AT_THE_END, "intervention": HUMAN})
    return write_dataset(data_dir / "datasets" / name, **how)


def folders(data_dir):
    return sorted(p for p in (data_dir / "episodes").glob("*") if p.is_dir())


def test_steps_pictures_drivers_and_tasks_are_those_of_the_dataset(data_dir, run):
    dataset(data_dir)

    ending, _ = run(repo_id="local/a")

    assert ending["state"] == "done", ending
    first, second = (data_dir / "episodes" / id for id in ending["result"]["episode_ids"])
    header = read_header(first)
    assert (header.task, header.fps, header.policy) == ("Touch the red cube", 10.0, "imported")
    assert header.action_names == LeRobotFolder(data_dir / "datasets/local/a").action_names
    steps = read_steps(second)
    assert steps.state[:, 0].tolist() == list(range(9))
    assert np.flatnonzero(steps.is_human).tolist() == [2]
    assert np.flatnonzero(read_steps(first).is_human).tolist() == [2, 3]
    assert read_end(first).outcome is Outcome.SUCCESS
    assert read_end(second).outcome is Outcome.FAILURE
    with VideoReader(video_path(second, "overhead")) as reader:
        assert [step_in_frame(reader.frame(index)) for index in range(9)] == list(range(9))
    # The second episode begins between two key frames: those two are encoded again.
    assert ending["result"]["videos_copied"] == 2
    assert ending["result"]["videos_encoded_again"] == 2


def test_importing_again_adds_nothing_and_a_grown_dataset_adds_what_is_new(data_dir, run):
    root = dataset(data_dir)
    run(repo_id="local/a")
    before = folders(data_dir)

    again, _ = run(repo_id="local/a")
    assert again["state"] == "done"
    assert again["result"]["episodes"] == 0
    assert "is in the store already" in again["result"]["skipped"][0]["reason"]
    assert folders(data_dir) == before

    root.rename(data_dir / "old")
    dataset(data_dir, lengths=(12, 9, 5), columns={})
    grown, _ = run(repo_id="local/a", outcomes="none")
    assert grown["result"]["episodes"] == 1
    assert len(folders(data_dir)) == 3


def test_the_outcome_becomes_a_label_event_with_the_source_import(data_dir, run):
    dataset(data_dir)
    ending, said = run(repo_id="local/a")
    database = prepared(data_dir.parent / "other")
    news = [line["news"] for line in said if "news" in line]

    with database.write() as db:
        for each in [*news, *news]:
            take_news(db, JobRow(), each)

    with database.read() as db:
        rows = {row.id: row for row in db.query(EpisodeRow).all()}
        events = label_events(db)
    assert sorted(rows) == sorted(ending["result"]["episode_ids"])
    assert [(e.source, e.author, e.new) for e in events] == [
        ("import", "local/a", {"outcome": "success"}),
        ("import", "local/a", {"outcome": "failure"}),
    ]
    assert rows[ending["result"]["episode_ids"][0]].num_human_steps == 2
    database.close()


def test_subtasks_become_ranges_once(data_dir, run):
    texts = ["reach"] * 5 + [""] * 2 + ["grasp"] * 5 + ["reach"] * 9
    dataset(data_dir, columns={"next.reward": AT_THE_END, "subtask": texts})
    ending, said = run(repo_id="local/a")
    database = prepared(data_dir.parent / "other")

    with database.write() as db:
        for line in [*said, *said]:
            take_news(db, JobRow(), line.get("news", {}))

    first, second = ending["result"]["episode_ids"]
    with database.read() as db:
        found = [
            (e.episode_id, e.start_step, e.end_step, e.new["text"], e.source)
            for e in label_events(db)
            if e.kind == "subtask"
        ]
    assert found == [
        (first, 0, 5, "reach", "import"),
        (first, 7, 12, "grasp", "import"),
        (second, 0, 9, "reach", "import"),
    ]
    database.close()


def test_without_rewards_nobody_has_judged_unless_they_are_called_demonstrations(data_dir, run):
    dataset(data_dir, columns={})
    plain, _ = run(repo_id="local/a")
    assert plain["result"]["outcomes"] == {"none": 2}
    dataset(data_dir, "local/b", columns={}, lengths=(7, 8))

    ending, _ = run(repo_id="local/b", outcomes="success")

    assert ending["result"]["outcomes"] == {"success": 2}
    folder = data_dir / "episodes" / ending["result"]["episode_ids"][0]
    assert read_end(folder).num_human_steps == 7
    assert read_steps(folder).is_human.all()


def test_dense_rewards_are_refused_with_the_remedy_and_imported_without_judgement(data_dir, run):
    dataset(data_dir, columns={"next.reward": [-0.5] * 21})

    refused, _ = run(repo_id="local/a")
    assert refused["state"] == "failed"
    assert "reward of -0.5" in refused["message"]
    unjudged, _ = run(repo_id="local/a", outcomes="none")
    assert unjudged["result"]["outcomes"] == {"none": 2}


def encoded(source: Path, codec: str, **options: str) -> None:
    """Encode a video again, in place."""
    aside = source.with_suffix(".other.mp4")
    with av.open(str(source)) as old, av.open(str(aside), "w") as new:
        stream = new.add_stream(codec, rate=10, options=options)
        stream.width, stream.height = old.streams.video[0].width, old.streams.video[0].height
        stream.pix_fmt = "yuv420p"
        for frame in old.decode(video=0):
            new.mux(stream.encode(frame.reformat(format="yuv420p")))
        new.mux(stream.encode(None))
    aside.replace(source)


@pytest.mark.parametrize(
    ("codec", "options"),
    [("libx264", {"bf": "2", "preset": "medium"}), ("libsvtav1", {"preset": "12"})],
)
def test_videos_that_cannot_be_copied_are_encoded_again_frame_for_frame(
    data_dir, run, codec, options
):
    root = dataset(data_dir)
    encoded(root / "videos/observation.images.overhead/chunk-000/file-000.mp4", codec, **options)

    ending, _ = run(repo_id="local/a")

    assert ending["result"]["videos_encoded_again"] == 3
    folder = data_dir / "episodes" / ending["result"]["episode_ids"][1]
    with VideoReader(video_path(folder, "overhead")) as reader:
        assert [step_in_frame(reader.frame(index)) for index in range(9)] == list(range(9))
        with pytest.raises(IndexError):
            reader.frame(9)
    with av.open(str(video_path(folder, "overhead"))) as container:
        assert container.streams.video[0].codec_context.name == "h264"


def test_pictures_that_are_no_video_become_one(data_dir, run):
    root = dataset(data_dir)
    info = json.loads((root / "meta/info.json").read_text())
    info["features"]["observation.images.wrist"]["dtype"] = "image"
    (root / "meta/info.json").write_text(json.dumps(info))
    cells = []
    for step in [*range(12), *range(9)]:
        odd = np.full((65, 63, 3), 40 + 6 * step, np.uint8)
        cells.append({"bytes": cv2.imencode(".png", odd)[1].tobytes(), "path": None})
    path = root / "data/chunk-000/file-000.parquet"
    table = pq.read_table(path)
    pq.write_table(table.append_column("observation.images.wrist", pa.array(cells)), path)

    ending, _ = run(repo_id="local/a")

    folder = data_dir / "episodes" / ending["result"]["episode_ids"][1]
    # H.264 needs even sizes.
    assert read_header(folder).cameras["wrist"] == CameraSize(width=62, height=64)
    with VideoReader(video_path(folder, "wrist")) as reader:
        levels = [float(reader.frame(step).mean()) for step in range(9)]
    assert levels == pytest.approx([40 + 6 * step for step in range(9)], abs=2)


def test_an_episode_that_cannot_be_read_is_named_and_the_others_come_in(data_dir, run):
    root = dataset(data_dir)
    path = root / "videos/observation.images.wrist/chunk-000/file-000.mp4"
    writer = video.VideoWriter(path, width=64, height=64, fps=10)
    for level in range(15):
        writer.add(np.full((64, 64, 3), level, np.uint8))
    writer.close()

    ending, _ = run(repo_id="local/a")

    assert ending["state"] == "done"
    assert ending["result"]["episodes"] == 1
    (left_out,) = ending["result"]["skipped"]
    assert left_out["index"] == 1
    assert "holds 3 pictures from 1.2 s on, the episode has 9 steps" in left_out["reason"]
    assert [p.name for p in folders(data_dir)] == ending["result"]["episode_ids"]
    path.unlink()
    failed, _ = run(repo_id="local/a")
    assert "no episode could be imported; episode 1" in failed["message"]
    assert "file-000.mp4" in failed["message"]


def test_an_episode_that_was_exported_from_here_does_not_come_back(data_dir):
    root = dataset(data_dir, episode_ids=["mine", "of another machine"])
    database = prepared(data_dir)
    with database.write() as db:
        db.add(EpisodeRow(**{**_row(), "id": "mine"}))

    with database.read() as db:
        plan = make_import_plan(db, data_dir, read_import_params({"path": str(root)}, data_dir))

    assert [episode.index for episode in plan.episodes] == [1]
    assert plan.skipped == {0: "was exported from episode mine, which is here"}
    assert plan.summary()["repo_id"] == "local/a"
    database.close()


def _row():
    from tests.db.database_fixtures import episode_row  # noqa: PLC0415

    row = episode_row()
    return {name.name: getattr(row, name.name) for name in EpisodeRow.__table__.columns}


@pytest.mark.parametrize(
    ("params", "why"),
    [
        ({}, "two names with a slash"),
        ({"repo_id": "../../x"}, "two names with a slash"),
        ({"repo_id": "a/b", "outcome": "success"}, "got outcome too"),
        ({"repo_id": "a/b", "outcomes": "good"}, "stored, success, none"),
        ({"repo_id": "a/b", "hub": "yes"}, "true or false"),
        ({"path": "/x/a/b", "hub": True}, "path is a folder on the server"),
        ({"repo_id": "a/b"}, 'say "hub": true'),
        ({"path": "/nowhere/a"}, "holds meta/info.json"),
    ],
)
def test_an_import_that_makes_no_sense_is_refused_by_name(tmp_path, params, why):
    with pytest.raises(ImportParamsError, match=why):
        check(params, tmp_path)


def test_only_an_admin_names_a_folder_of_the_server():
    assert importing_params.role({"path": "/x"}) is Role.ADMIN
    assert importing_params.role({"repo_id": "a/b"}) is Role.OPERATOR


def test_a_camera_whose_name_leads_out_of_the_store_is_refused(data_dir, run):
    root = dataset(data_dir)
    info = (root / "meta/info.json").read_text()
    (root / "meta/info.json").write_text(info.replace("images.wrist", "images.../../wrist"))

    ending, _ = run(repo_id="local/a")

    assert ending["state"] == "failed"
    assert "names are letters, digits" in ending["message"]
    assert not folders(data_dir)


def test_a_killed_import_leaves_nothing_half_done(data_dir, run):
    dataset(data_dir)
    aside = data_dir / "episodes/.killed.e1"
    aside.mkdir(parents=True)
    (data_dir / "datasets/.killed.new").mkdir()

    importing_params.remove_leftovers(data_dir, "killed")

    assert not aside.exists()
    assert not (data_dir / "datasets/.killed.new").exists()


def test_importing_needs_no_lerobot():
    code = "import sys, backend.jobs.importing; print({'torch', 'lerobot'} & set(sys.modules))"
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )

    assert told.stdout.strip() == "set()"


def test_a_downloaded_dataset_is_entered_as_a_dataset(data_dir):
    database = prepared(data_dir)
    result = {
        "repo_id": "owner/set",
        "downloaded": True,
        "dataset_episodes": 2,
        "dataset_frames": 21,
        "size_bytes": 5,
    }
    with database.write() as db:
        record(db, JobRow(id=None, created_s=1.0, started_s=2.0, result=result))
        record(db, JobRow(id=None, created_s=1.0, result={**result, "downloaded": False}))
    with database.read() as db:
        (row,) = db.query(DatasetRow).all()
    assert (row.repo_id, row.num_episodes, row.num_frames) == ("owner/set", 2, 21)
    database.close()
