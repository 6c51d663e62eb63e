"""The whole slice with real processes and the real simulator: from session to dataset."""

import json
import subprocess
import sys
import uuid
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tests.flows.operator_client import ScriptedOperator
from tests.flows.processes import ROOT, HandrailProcess, wait_for

pytestmark = pytest.mark.flow

# Run apart because lerobot takes long to import and warns while it does.
READ_DATASET = """
import json, sys
import numpy as np
from lerobot.datasets import LeRobotDataset
dataset = LeRobotDataset(sys.argv[1], root=sys.argv[2], video_backend="pyav")
table = dataset.hf_dataset.with_format("numpy")
first, last = dataset[0], dataset[len(dataset) - 1]
cameras = [k for k in dataset.features if k.startswith("observation.images.")]
print(json.dumps({
    "frames": len(dataset), "episodes": dataset.num_episodes, "fps": dataset.fps,
    "cameras": cameras,
    "shapes": [list(last[c].shape) for c in cameras],
    "spread": [float(last[c].std()) for c in cameras],
    "episode_index": np.asarray(table["episode_index"]).reshape(-1).tolist(),
    "timestamp": np.asarray(table["timestamp"]).reshape(-1).tolist(),
    "reward": np.asarray(table["next.reward"]).reshape(-1).tolist(),
    "done": np.asarray(table["next.done"]).reshape(-1).tolist(),
    "intervention": np.asarray(table["intervention"]).reshape(-1).tolist(),
    "rl_intervention": np.asarray(
        table["complementary_info.is_intervention"]).reshape(-1).tolist(),
    "action": np.asarray(table["action"]).tolist(),
    "tasks": sorted(str(t) for t in dataset.meta.tasks.index),
}))
"""


@pytest.fixture
def handrail(tmp_path):
    process = HandrailProcess(tmp_path / "data").start()
    yield process
    process.close()


def steps_table(data_dir: Path, episode_id: str) -> pa.Table:
    path = data_dir / "episodes" / episode_id / "steps.arrow"
    with pa.OSFile(str(path)) as file:
        return pa.ipc.open_stream(file).read_all()


def test_a_session_becomes_a_lerobot_dataset(handrail):
    handrail.wait_actor()
    with ScriptedOperator(handrail.port) as operator:
        operator.take()
        wait_for("the lease", lambda: operator.mine)
        operator.keeping = True
        opened = operator.command("open", policy="scripted", timeout_s=120)
        assert opened["accepted"], opened

        refused = operator.command("success")
        assert not refused["accepted"]
        assert refused["error"]["code"] == "refused"
        assert "success" in refused["error"]["message"]
        assert "idle" in refused["error"]["message"]

        assert operator.command("start", task="Touch the red cube")["accepted"]
        wait_for("frames of two cameras", lambda: len(operator.frames) == 2)
        wait_for("policy steps", lambda: operator.tick.get("step", 0) >= 5)
        assert operator.command("intervene")["phase"] == "human"
        before = operator.tick["step"]
        operator.drive("ArrowUp", for_s=0.7)
        wait_for("human steps", lambda: operator.tick["step"] >= before + 5)
        success_id = uuid.uuid4().hex
        assert operator.command("success", command_id=success_id)["accepted"]
        again = operator.command("success", command_id=success_id)
        assert again["accepted"], "a repeated command is answered like the first"
        handrail.wait_phase("idle")

        assert operator.command("start")["accepted"]
        wait_for("steps", lambda: (operator.tick.get("episode") or {}).get("steps", 0) >= 8)
        assert operator.command("failure")["accepted"]
        handrail.wait_phase("idle")

    listing = handrail.api.get("/api/episodes").json()
    assert listing["total"] == 2
    by_outcome = {episode["outcome"]: episode for episode in listing["items"]}
    won, lost = by_outcome["success"], by_outcome["failure"]
    assert won["num_human_steps"] > 0
    assert lost["num_human_steps"] == 0
    assert handrail.session()["counts"]["success"] == 1

    history = handrail.api.get(f"/api/episodes/{won['id']}/labels").json()["items"]
    assert [event["kind"] for event in history] == ["outcome"]

    job = handrail.api.post(
        "/api/jobs",
        json={"kind": "export", "params": {"repo_id": "local/flow", "episodes": "all"}},
    ).json()
    done = wait_for(
        "the export",
        lambda: (
            found
            if (found := handrail.api.get(f"/api/jobs/{job['id']}").json())["state"]
            in ("done", "failed", "cancelled")
            else None
        ),
        timeout_s=180,
    )
    log = handrail.api.get(f"/api/jobs/{job['id']}/log").text
    assert done["state"] == "done", log
    assert done["progress"] == 1

    read = subprocess.run(
        [
            sys.executable,
            "-W",
            "ignore",
            "-c",
            READ_DATASET,
            "local/flow",
            str(handrail.data_dir / "datasets/local/flow"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert read.returncode == 0, read.stderr
    dataset = json.loads(read.stdout.splitlines()[-1])
    assert dataset["episodes"] == 2
    assert dataset["frames"] == won["num_steps"] + lost["num_steps"]
    assert dataset["fps"] == 10
    assert len(dataset["cameras"]) == 2
    assert min(dataset["spread"]) > 0.01, "the last frames show something"
    assert dataset["tasks"] == ["Touch the red cube"]
    assert dataset["rl_intervention"] == [float(flag) for flag in dataset["intervention"]]
    for index, episode in enumerate(sorted((won, lost), key=lambda e: e["started_s"])):
        rows = np.flatnonzero(np.array(dataset["episode_index"]) == index)
        steps = steps_table(handrail.data_dir, episode["id"])
        human = [driver == "human" for driver in steps["driver"].to_pylist()]
        assert [dataset["intervention"][row] for row in rows] == human
        reward = [dataset["reward"][row] for row in rows]
        assert reward == [0.0] * (len(rows) - 1) + [1.0 if episode is won else 0.0]
        assert [dataset["done"][row] for row in rows] == [False] * (len(rows) - 1) + [True]
        assert np.diff([dataset["timestamp"][row] for row in rows]) == pytest.approx(
            np.full(len(rows) - 1, 0.1), abs=1e-3
        )
        np.testing.assert_allclose(
            [dataset["action"][row] for row in rows],
            np.array(steps["action"].to_pylist()),
            atol=1e-5,
        )


def test_killing_actor_and_server_loses_at_most_a_second(handrail):
    handrail.wait_actor()
    assert handrail.command("open", uuid.uuid4().hex, policy="scripted").json()["accepted"]
    assert handrail.command("start", uuid.uuid4().hex).json()["accepted"]

    def steps() -> int:
        episode = handrail.session()["episode"]
        return episode["steps"] if episode else 0

    seen = wait_for("25 steps", lambda: count if (count := steps()) >= 25 else None)
    handrail.kill_server()
    handrail.kill_actor()

    handrail.start()
    takes = handrail.api.get("/api/episodes/unfinished").json()["items"]
    assert len(takes) == 1
    recovered = handrail.api.post(f"/api/episodes/{takes[0]['id']}/recover")
    assert recovered.status_code == 200, recovered.text
    episode = handrail.api.get(f"/api/episodes/{takes[0]['id']}").json()
    assert episode["state"] == "recovered"
    assert episode["outcome"] == "none"
    assert episode["num_steps"] >= seen - episode["fps"] - 1
    for camera in ("overhead", "wrist"):
        video = handrail.api.get(f"/api/episodes/{takes[0]['id']}/video/{camera}.mp4")
        assert video.status_code == 200
        assert video.content[4:8] == b"ftyp"


def test_the_server_finds_an_actor_that_outlived_it(handrail):
    pid = handrail.wait_actor()
    assert handrail.command("open", uuid.uuid4().hex, policy="scripted").json()["accepted"]
    assert handrail.command("start", uuid.uuid4().hex).json()["accepted"]
    episode_id = wait_for("an episode", lambda: (handrail.session()["episode"] or {}).get("id"))
    handrail.kill_server()

    handrail.start()
    assert handrail.wait_actor() == pid
    held = handrail.wait_phase("held")
    assert held["episode"]["id"] == episode_id
    assert handrail.command("failure", uuid.uuid4().hex).json()["accepted"]
    handrail.wait_phase("idle")
    assert handrail.api.get(f"/api/episodes/{episode_id}").json()["outcome"] == "failure"
