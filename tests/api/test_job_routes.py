"""Background work over REST."""

import pytest

from backend.db.models import JobRow, MetricRow
from backend.domain import Outcome
from tests.episodes.episode_fixtures import make_header, record


@pytest.fixture
def server(server):
    # Jobs stay queued: what becomes of them is the runner's business and its own tests'.
    server.backend.jobs.close()
    return server


@pytest.fixture
def episodes(server, settings):
    record(settings.data_dir / "episodes", make_header("won"))
    record(settings.data_dir / "episodes", make_header("lost"), outcome=Outcome.FAILURE)
    record(settings.data_dir / "episodes", make_header("open"), outcome=Outcome.NONE)
    server.reconcile()


def export(api, repo_id="local/touch", **params):
    return api.post("/api/jobs", json={"kind": "export", "params": {"repo_id": repo_id, **params}})


def change(server, job_id, **fields):
    with server.backend.database.write() as db:
        row = db.get(JobRow, job_id)
        for name, value in fields.items():
            setattr(row, name, value)


def test_a_job_is_queued_with_its_exact_command_line(api):
    job = export(api, episodes="all").json()

    assert job["state"] == "queued"
    assert job["kind"] == "export"
    assert job["progress"] == 0
    assert job["author"] == "guest"
    assert job["params"] == {"repo_id": "local/touch", "episodes": "all"}
    assert job["command"][1:3] == ["-m", "backend.jobs.export"]
    assert api.get(f"/api/jobs/{job['id']}").json() == job
    assert api.get("/api/jobs").json() == {"items": [job], "total": 1, "next_cursor": None}


def test_jobs_are_listed_newest_first_and_by_state(server, api):
    first, second = (export(api, f"local/d{n}").json()["id"] for n in range(2))
    change(server, first, created_s=1.0)
    change(server, second, state="done", created_s=2.0)

    def ids(**params):
        return [job["id"] for job in api.get("/api/jobs", params=params).json()["items"]]

    assert ids() == [second, first]
    assert ids(state="done") == [second]
    assert ids(kind="train") == []
    page = api.get("/api/jobs", params={"limit": 1}).json()
    assert ids(limit=1, cursor=page["next_cursor"]) == [first]


@pytest.mark.parametrize(
    ("params", "named"),
    [
        ({}, "repo_id"),
        ({"repo_id": "../etc"}, "repo_id"),
        ({"repo_id": "a/b", "episodes": "some"}, "episodes"),
        ({"repo_id": "a/b", "surprise": 1}, "surprise"),
    ],
)
@pytest.mark.parametrize("path", ["/api/jobs", "/api/jobs/dry-run"])
def test_orders_that_make_no_sense_are_refused_before_anything_is_queued(api, path, params, named):
    response = api.post(path, json={"kind": "export", "params": params})

    assert response.status_code == 422
    assert response.json()["error"]["code"] == "params"
    assert named in response.json()["error"]["message"]
    assert api.get("/api/jobs").json()["total"] == 0


@pytest.mark.parametrize("path", ["/api/jobs", "/api/jobs/dry-run"])
def test_a_kind_that_is_none_is_refused(api, path):
    response = api.post(path, json={"kind": "bake", "params": {}})

    assert response.status_code == 422
    assert "'export'" in response.json()["error"]["message"]


def test_a_dry_run_says_what_an_export_would_write_and_writes_nothing(episodes, api, settings):
    body = {"kind": "export", "params": {"repo_id": "local/touch", "episodes": "all"}}

    preview = api.post("/api/jobs/dry-run", json=body).json()

    assert preview["episodes"] == 3
    assert preview["frames"] == 75
    assert preview["fps"] == 10
    assert preview["outcomes"] == {"success": 1, "failure": 1, "none": 1}
    assert preview["unlabeled"] == ["open"]
    assert "observation.images.wrist" in preview["columns"]
    assert preview["bytes"] > 0
    assert not (settings.data_dir / "datasets").exists()
    assert api.get("/api/jobs").json()["total"] == 0


def test_a_dry_run_obeys_the_filter(episodes, api):
    body = {
        "kind": "export",
        "params": {"repo_id": "local/touch", "episodes": {"outcome": "success"}},
    }

    assert api.post("/api/jobs/dry-run", json=body).json()["episodes"] == 1


def test_a_job_is_cancelled_once_and_resumed(api):
    job_id = export(api).json()["id"]

    assert api.post(f"/api/jobs/{job_id}/cancel").json()["state"] == "cancelled"

    again = api.post(f"/api/jobs/{job_id}/cancel")
    assert again.status_code == 409
    assert "cancelled already" in again.json()["error"]["message"]
    assert api.post(f"/api/jobs/{job_id}/resume").json()["state"] == "queued"
    assert api.post(f"/api/jobs/{job_id}/resume").status_code == 409


def test_numbers_come_in_pages(server, api):
    job_id = export(api).json()["id"]
    with server.backend.database.write() as db:
        for step in range(5):
            db.add(
                MetricRow(job_id=job_id, name="loss", step=step, value=1.0 / (step + 1), t_s=step)
            )

    first = api.get(f"/api/jobs/{job_id}/metrics", params={"limit": 3}).json()
    cursor = first["next_cursor"]
    rest = api.get(f"/api/jobs/{job_id}/metrics", params={"cursor": cursor}).json()

    assert first["total"] == 5
    assert [metric["step"] for metric in first["items"] + rest["items"]] == list(range(5))
    assert first["items"][1] == {"name": "loss", "step": 1, "value": 0.5, "t_s": 1.0}
    assert rest["next_cursor"] is None
    wrong = api.get(f"/api/jobs/{job_id}/metrics", params={"cursor": "x"})
    assert wrong.status_code == 400


def test_a_log_is_text_and_its_end_can_be_read_alone(server, api):
    job_id = export(api).json()["id"]
    assert api.get(f"/api/jobs/{job_id}/log").text == ""
    server.backend.jobs.log_path(job_id).write_text("first line\nlast line\n")

    whole = api.get(f"/api/jobs/{job_id}/log")
    end = api.get(f"/api/jobs/{job_id}/log", headers={"range": "bytes=-10"})

    assert whole.text == "first line\nlast line\n"
    assert whole.headers["content-type"].startswith("text/plain")
    assert end.text == "last line\n"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/jobs/none"),
        ("GET", "/api/jobs/none/metrics"),
        ("GET", "/api/jobs/none/log"),
        ("POST", "/api/jobs/none/cancel"),
        ("POST", "/api/jobs/none/resume"),
    ],
)
def test_a_job_that_is_not_there_is_named(api, method, path):
    response = api.request(method, path)

    assert response.status_code == 404
    assert "'none'" in response.json()["error"]["message"] or "none" in response.text
