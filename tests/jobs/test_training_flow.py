"""Train, cancel, resume, score and render through the job runner, as the page's API does."""

import shutil
import subprocess
import threading
import time

import av
import pytest

from backend.checkpoints import delete, promote
from backend.db.checkpoint_queries import list_checkpoints
from backend.db.models import JobRow, ScoreRow
from backend.db.queries import job_metrics
from backend.domain import JobKind, JobState
from backend.episodes.labels import LabelKind
from backend.episodes.scores import read_scores
from backend.jobs.runner import JobRunner
from backend.review import add_label
from tests.jobs.train_fixtures import graded

__all__ = ["graded"]

pytestmark = [pytest.mark.flow, pytest.mark.timeout(600)]


class Jobs:
    def __init__(self, data_dir, database):
        self.database = database
        self.runner = JobRunner(database, data_dir, clock=time.time)
        self._tick = threading.Event()

    def row(self, id):
        with self.database.read() as db:
            return db.get(JobRow, id)

    def until(self, id, condition, seconds=240):
        for _ in range(seconds * 20):
            self.runner.poll()
            row = self.row(id)
            if condition(row):
                return row
            assert not JobState(row.state).is_over, (row.message, self.log(id))
            self._tick.wait(0.05)
        raise AssertionError(f"waited {seconds} s in vain: {self.row(id).message}")

    def until_over(self, id):
        return self.until(id, lambda row: JobState(row.state).is_over)

    def log(self, id):
        return self.runner.log_path(id).read_text()

    def submit(self, kind, **params):
        return self.runner.submit(kind, params, "ana").id

    def run(self, kind, **params):
        id = self.submit(kind, **params)
        row = self.until_over(id)
        assert row.state == JobState.DONE, (row.message, self.log(id))
        return row


@pytest.fixture
def jobs(graded):
    data_dir, database = graded
    jobs = Jobs(data_dir, database)
    yield jobs
    jobs.runner.close()


def test_train_cancel_resume_score_render(graded, jobs):
    data_dir, database = graded
    id = jobs.submit(
        JobKind.TRAIN,
        preset="debug",
        run="touch",
        overrides={"schedule.critic_steps": 4, "schedule.actor_steps": 4},
    )
    jobs.until(id, lambda row: row.progress > 0)

    jobs.runner.cancel(id)
    cancelled = jobs.until_over(id)

    assert cancelled.state == JobState.CANCELLED
    with database.read() as db:
        first = list_checkpoints(db).items[0]
    assert first.has_files
    assert 0 < first.row.step < 8

    jobs.runner.resume(id)
    done = jobs.until_over(id)

    assert done.state == JobState.DONE, (done.message, jobs.log(id))
    assert done.result["checkpoint"] == "touch/000008"
    with database.read() as db:
        steps = [m.step for m in job_metrics(db, id) if m.name == "train/loss_critic"]
    assert steps == sorted(set(steps)), "no step is made twice"

    scored = jobs.run(JobKind.SCORE, checkpoint="touch/000008")
    assert (scored.result["scored"], scored.result["skipped"]) == (4, [])
    with database.read() as db:
        assert {row.episode_id for row in db.query(ScoreRow)} == {"e0", "e1", "e2", "e3"}
    before = read_scores(data_dir, "touch/000008", "e0")

    with database.write() as db:
        add_label(
            db, episode_id="e0", kind=LabelKind.OUTCOME, new={"outcome": "success"},
            author="ana", source="review", created_s=1.0, event_id="changed my mind",
        )  # fmt: skip
    again = jobs.run(JobKind.SCORE, checkpoint="touch/000008")
    assert (again.result["scored"], again.result["relabelled"], again.result["known"]) == (0, 1, 3)
    after = read_scores(data_dir, "touch/000008", "e0")
    assert (after.value == before.value).all()
    assert after.advantage[-1] > before.advantage[-1]

    made = jobs.run(JobKind.VIDEO, checkpoint="touch/000008", episodes=["e0", "e3"])
    assert [video["episode_id"] for video in made.result["videos"]] == ["e0", "e3"]
    for id, num_frames in (("e0", 14), ("e3", 17)):
        check_video(data_dir / "videos/touch/000008" / f"{id}.mp4", num_frames)

    with database.write() as db:
        promote(db, data_dir, "touch/000008", now_s=2.0)
        delete(db, data_dir, first.row.id)
    with database.read() as db:
        left = list_checkpoints(db).items
    assert first.row.id not in [checkpoint.row.id for checkpoint in left]
    assert left[0].num_scored == 4


def check_video(path, num_frames):
    content = path.read_bytes()
    assert content.find(b"moov") < content.find(b"mdat"), "the index is in front"
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert sum(1 for _ in container.decode(stream)) == num_frames
    if shutil.which("ffprobe"):
        probed = subprocess.run(
            ["ffprobe", "-v", "error", "-show_entries", "stream=codec_name,pix_fmt", "-of",
             "csv=p=0", str(path)],
            capture_output=True, text=True, timeout=30, check=True,
        )  # fmt: skip
        assert (probed.stdout.strip(), probed.stderr) == ("h264,yuv420p", "")
