"""Train, cancel, resume, score and render through the page's API, in real child processes."""

import shutil
import subprocess
import threading

import av
import httpx
import pytest

from backend.episodes.scores import read_scores
from tests.jobs.train_fixtures import record_graded

pytestmark = [pytest.mark.flow, pytest.mark.timeout(600)]
OVER = ("done", "failed", "cancelled")


class Jobs:
    """What a page does: it orders, and asks again and again how it goes."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client
        self._tick = threading.Event()

    def get(self, path, **params):
        answer = self._client.get(path, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path, **body):
        answer = self._client.post(path, json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def all(self):
        return self.get("/api/jobs")["items"]

    def until(self, id, condition, seconds=240):
        for _ in range(seconds * 10):
            job = self.get(f"/api/jobs/{id}")
            if condition(job):
                return job
            assert job["state"] not in OVER, (job["message"], self.log(id))
            self._tick.wait(0.1)
        raise AssertionError(f"waited {seconds} s in vain: {job['message']}")

    def until_done(self, id):
        job = self.until(id, lambda job: job["state"] in OVER)
        assert job["state"] == "done", (job["message"], self.log(id))
        return job

    def log(self, id):
        return self._client.get(f"/api/jobs/{id}/log").text


@pytest.fixture
def jobs(settings, server):
    record_graded(settings.data_dir)
    server.reconcile()
    with server.client() as client:
        yield Jobs(client)


def test_train_cancel_resume_score_render(jobs, settings):
    data_dir = settings.data_dir
    episodes = ["e0", "e3"]
    id = jobs.post(
        "/api/jobs",
        kind="train",
        params={
            "preset": "debug",
            "run": "touch",
            "overrides": {"schedule.critic_steps": 4, "schedule.actor_steps": 4},
        },
        then=[
            {"kind": "score", "params": {"checkpoint": "job:first"}},
            {"kind": "video", "params": {"checkpoint": "job:first", "episodes": episodes}},
        ],
    )["id"]
    follow = {job["kind"]: job["id"] for job in jobs.all()}
    jobs.until(id, lambda job: job["progress"] > 0)

    jobs.post(f"/api/jobs/{id}/cancel")
    jobs.until(id, lambda job: job["state"] == "cancelled")
    jobs.until(follow["video"], lambda job: job["state"] == "cancelled")

    first = jobs.get("/api/checkpoints")["items"][0]
    assert first["size_bytes"] > 0
    assert 0 < first["step"] < 8

    jobs.post(f"/api/jobs/{id}/resume")
    done = jobs.until_done(id)

    assert done["result"]["checkpoint"] == "touch/000008"
    metrics = jobs.get(f"/api/jobs/{id}/metrics", limit=10_000)["items"]
    steps = [metric["step"] for metric in metrics if metric["name"] == "train/loss_critic"]
    assert steps == sorted(set(steps)), "no step is made twice"

    scored = jobs.until_done(follow["score"])
    assert scored["params"]["checkpoint"] == "touch/000008"
    assert (scored["result"]["scored"], scored["result"]["skipped"]) == (4, [])
    made = jobs.until_done(follow["video"])
    assert [video["episode_id"] for video in made["result"]["videos"]] == episodes
    for episode, num_frames in zip(episodes, (14, 17), strict=True):
        check_video(data_dir / "videos/touch/000008" / f"{episode}.mp4", num_frames)

    before = read_scores(data_dir, "touch/000008", "e0")
    jobs.post("/api/episodes/e0/labels", kind="outcome", new={"outcome": "success"})
    again = jobs.post("/api/jobs", kind="score", params={"checkpoint": "touch/000008"})
    result = jobs.until_done(again["id"])["result"]
    assert (result["scored"], result["relabelled"], result["known"]) == (0, 1, 3)
    after = read_scores(data_dir, "touch/000008", "e0")
    assert (after.value == before.value).all()
    assert after.advantage[-1] > before.advantage[-1]

    jobs.post("/api/checkpoints/touch/000008/promote")
    jobs.post(f"/api/checkpoints/{first['id']}/delete")
    left = jobs.get("/api/checkpoints")["items"]
    assert first["id"] not in [checkpoint["id"] for checkpoint in left]
    assert left[0]["num_scored"] == 4


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
