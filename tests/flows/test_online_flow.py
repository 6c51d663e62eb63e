"""The online loop with real processes: server, actor and learner, each killed in turn.

An oracle sits in the operator's place: it waits until the untrained policy is stuck, takes over,
reaches for the cube and grades by the simulator's verdict; every third attempt it leaves alone.
"""

import signal
from typing import Any

import psutil
import pytest
import yaml

from backend.episodes.store import read_header, read_steps
from backend.jobs.online_orders import AUTHOR
from backend.learning.checkpoints import create_tiny_checkpoint
from backend.learning.inputs import range_stats
from backend.learning.published_files import read_note, weights_folder
from tests.flows.operator_client import ScriptedOperator
from tests.flows.processes import ROOT, HandrailProcess, end_of, wait_for

pytestmark = pytest.mark.flow

# Steps without a success after which the oracle takes over, and after which it gives up.
PATIENCE = 6
GIVES_UP = 40
FPS = 10
# The cube lies before the arm, where this leads to it.
TOWARDS_THE_CUBE = {"ArrowUp", "KeyF"}
SCENE = {
    "spawn_half_angle_deg": 5.0,
    "spawn_min_radius_m": 0.08,
    "spawn_max_radius_m": 0.1,
    "touch_margin_m": 0.03,
}
# Degrees, gripper in per cent.
FIDGETS = 5.0
RUN = "live"
# Online episodes between two exports.
EXPORT_EVERY = 4
JOINTS = ("shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll", "gripper")


class Oracle:
    """An operator at the page who knows what is right, and counts what it did."""

    def __init__(self, handrail: HandrailProcess) -> None:
        self.handrail = handrail
        # Policy and outcome of each attempt that it graded.
        self.graded: list[tuple[str, str]] = []
        self.sit_down()

    def sit_down(self) -> None:
        self.page = ScriptedOperator(self.handrail.port)
        self.page.take()
        wait_for("the lease", lambda: self.page.mine)
        self.page.keeping = True

    def stand_up(self) -> None:
        self.page.close()

    def press(self, command: str, **params: Any) -> None:
        answer = self.page.command(command, timeout_s=180, **params)
        assert answer["accepted"], answer

    def begin(self) -> str:
        """Start an attempt and wait until the policy is stuck; return which one it is."""
        self.press("start")
        wait_for("the policy to be stuck", lambda: self.steps() >= PATIENCE, timeout_s=120)
        return str(self.page.tick["policy"])

    def finish(self, policy: str) -> None:
        if len(self.graded) % 3 != 2:
            self.press("intervene")
            give_up = self.steps() + GIVES_UP
            self.page.held = TOWARDS_THE_CUBE
            wait_for("the oracle's turn", lambda: self.sees_success() or self.steps() >= give_up)
            self.page.held = set()
        outcome = "success" if self.sees_success() else "failure"
        self.press(outcome)
        self.graded.append((policy, outcome))
        self.handrail.wait_phase("idle")

    def attempt(self) -> str:
        policy = self.begin()
        self.finish(policy)
        return policy

    def sees_success(self) -> bool:
        """Whether the simulator has seen it in the present attempt."""
        ticks = [tick for tick in self.page.ticks if tick.get("episode")]
        number = ticks[-1]["episode"]["number"]
        return any(tick["verdict"] for tick in ticks if tick["episode"]["number"] == number)

    def steps(self) -> int:
        """Of the present attempt, so far."""
        return int((self.page.tick.get("episode") or {}).get("steps", 0))


class Learner:
    """The job, as the page sees it."""

    def __init__(self, handrail: HandrailProcess, **params: Any) -> None:
        self.handrail = handrail
        job = handrail.api.post("/api/jobs", json={"kind": "online", "params": params})
        assert job.is_success, job.text
        self.id = job.json()["id"]

    def now(self) -> dict[str, Any]:
        job = self.handrail.api.get(f"/api/jobs/{self.id}").raise_for_status().json()
        assert job["state"] != "failed" or "killed by SIGKILL" in job["message"], job
        return job

    def version(self) -> int:
        return int(self.now()["result"].get("published", {}).get("version", 0))

    def wait_version(self, least: int) -> str:
        def check() -> str:
            return self.now()["result"]["published"]["id"] if self.version() >= least else ""

        return wait_for(f"version {least}", check, timeout_s=240, tell=self.log)

    def wait_episodes(self, count: int) -> None:
        def check() -> bool:
            return self.now()["result"].get("buffer", {}).get("online_episodes") == count

        wait_for(f"{count} episodes to be learned from", check, timeout_s=240, tell=self.log)

    def log(self) -> str:
        """What the page and the job's log say of it last."""
        log = end_of(self.handrail.data_dir / "jobs" / self.id / "log.txt")
        return f"{self.now()['message']}\n{log}"

    def kill(self) -> None:
        row = self.now()
        (pid,) = (
            process.pid
            for process in psutil.process_iter(["cmdline"])
            if row["id"] in (process.info["cmdline"] or [])
        )
        psutil.Process(pid).send_signal(signal.SIGKILL)
        wait_for("the job to be seen dead", lambda: self.now()["state"] == "failed")

    def order(self, what: str) -> None:
        assert self.handrail.api.post(f"/api/jobs/{self.id}/{what}").is_success


@pytest.fixture
def handrail(tmp_path):
    data_dir = tmp_path / "data"
    config = yaml.safe_load((ROOT / "configs/robots/so101_sim_touch.yaml").read_text())
    assert config["fps"] == FPS
    camera = config["robot"]["cameras"]["overhead"]
    config["robot"]["cameras"] = {"overhead": {**camera, "width": 96, "height": 96}}
    config["scene"].update(SCENE)
    robot = tmp_path / "light.yaml"
    robot.write_text(yaml.safe_dump(config))
    # Untrained, it fidgets about the pose in which it begins, and touches nothing.
    start = [float(config["reset"]["pose"][f"{joint}.pos"]) for joint in JOINTS]
    about = ([value - FIDGETS for value in start], [value + FIDGETS for value in start])
    create_tiny_checkpoint(
        data_dir / "checkpoints/start/000000",
        cameras=["overhead"],
        state_dim=len(JOINTS),
        action_dim=len(JOINTS),
        action_names=[f"{joint}.pos" for joint in JOINTS],
        chunk_size=8,
        stats=range_stats({"observation.state": about, "action": about}),
    )
    process = HandrailProcess(data_dir, robot=str(robot)).start()
    yield process
    process.close()


def is_published(policy: str, *, least: int = 1) -> bool:
    """Whether these are weights of the learner, of this version or a newer one."""
    return policy.startswith(f"{RUN}@") and policy >= f"{RUN}@{least:06d}"


def driven(oracle: Oracle, version: str) -> None:
    """Wait until the robot drives by this version or a newer one."""
    least = int(version.removeprefix(f"{RUN}@"))
    wait_for(
        f"{version} to drive",
        lambda: is_published(str(oracle.page.tick.get("policy", "")), least=least),
        timeout_s=240,
        tell=oracle.handrail.logs,
    )


def exported(handrail: HandrailProcess) -> dict[str, Any]:
    """The dataset of the online episodes, once it has enough of them."""

    def check() -> dict[str, Any] | None:
        found = handrail.api.get("/api/datasets").raise_for_status().json()["items"]
        mine = [one for one in found if one["repo_id"] == f"local/{RUN}-online"]
        # Its folder comes first, then the row that says who made it.
        return mine[0] if mine and mine[0]["origin"] else None

    return wait_for("the online episodes to be exported", check, timeout_s=240, tell=handrail.logs)


def test_weights_advance_and_nothing_is_lost_whoever_is_killed(handrail):
    handrail.wait_actor()
    oracle = Oracle(handrail)
    oracle.press("open", policy="start/000000")
    learner = Learner(
        handrail,
        preset="debug",
        start="start/000000",
        run=RUN,
        session_id=handrail.session()["session_id"],
        publish_every_s=4,
        checkpoint_every_s=10,
        dataset_every_episodes=EXPORT_EVERY,
    )
    try:
        # It waits for an episode while it starts.
        assert oracle.attempt() == "start/000000"

        # Weights go live between two attempts, and the next one bears their name.
        driven(oracle, learner.wait_version(1))
        assert is_published(oracle.attempt())

        # The learner dies; the robot goes on, and what was recorded meanwhile is caught up with.
        learner.kill()
        reached = learner.version()
        oracle.attempt()
        learner.order("resume")
        wait_for("the learner to begin again", lambda: learner.now()["state"] == "running")

        # The server dies in the midst of an attempt; learner and robot go on without it.
        policy = oracle.begin()
        handrail.kill_server()
        oracle.stand_up()
        handrail.start()
        handrail.wait_actor()
        oracle.sit_down()
        if handrail.wait_phase("held", "policy")["phase"] == "held":
            oracle.press("start")
        oracle.finish(policy)
        learner.wait_episodes(4)
        driven(oracle, learner.wait_version(reached + 1))

        # The actor dies in the midst of an attempt; the next one drives the newest weights.
        oracle.begin()
        # What is killed loses at most its last second.
        wait_for("more than that", lambda: oracle.steps() > 2 * FPS)
        killed = handrail.actor_pid()
        handrail.kill_actor()
        wait_for("another actor", lambda: handrail.actor_pid() not in (None, killed))
        handrail.wait_actor()
        (take,) = wait_for(
            "the unfinished take",
            lambda: handrail.api.get("/api/episodes/unfinished").json()["items"],
        )
        recovered = handrail.api.post(f"/api/episodes/{take['id']}/recover")
        assert recovered.is_success, recovered.text
        oracle.press("open")
        assert is_published(oracle.attempt(), least=reached + 1)
        # The recovered one has no grade, and is learned from all the same.
        learner.wait_episodes(6)
    finally:
        learner.order("cancel")
        oracle.stand_up()
    ended = wait_for("the learner to end", lambda: _ended(learner.now()), timeout_s=120)
    assert ended["state"] == "cancelled"

    # Ordered when there were enough episodes, by the server that was started again.
    dataset = exported(handrail)
    assert (dataset["problem"], dataset["origin"]["author"]) == ("", AUTHOR)
    assert dataset["episodes"] >= EXPORT_EVERY

    listed = handrail.api.get("/api/episodes").json()["items"]
    assert len(listed) == len(oracle.graded) + 1
    by_version: dict[str, int] = {}
    for episode in listed:
        folder = handrail.data_dir / "episodes" / episode["id"]
        assert len(read_steps(folder)) == episode["num_steps"]
        assert read_header(folder).checkpoint_id == episode["checkpoint_id"]
        by_version[episode["checkpoint_id"]] = by_version.get(episode["checkpoint_id"], 0) + 1
    assert {policy for policy, _ in oracle.graded} <= by_version.keys()
    assert len(by_version) >= 3, "the checkpoint, and at least two versions"

    statistics = handrail.api.get("/api/statistics").json()
    successes = [outcome for _, outcome in oracle.graded].count("success")
    assert 0 < successes < len(oracle.graded), "the simulator saw both"
    assert statistics["summary"]["success"] == successes
    assert statistics["summary"]["failure"] == len(oracle.graded) - successes
    assert statistics["summary"]["unlabeled"] == 1
    counts = {v["version"]: _attempts(v["summary"]) for v in statistics["versions"]}
    assert counts == by_version

    result = learner.now()["result"]
    assert result["buffer"]["online_steps"] == sum(episode["num_steps"] for episode in listed)
    newest = result["published"]
    run = handrail.data_dir / "checkpoints" / RUN
    note = read_note(weights_folder(run, newest["version"]))
    assert (note.id, note.step) == (newest["id"], newest["step"])


def _attempts(summary: dict[str, Any]) -> int:
    return int(summary["success"] + summary["failure"] + summary["unlabeled"])


def _ended(job: dict[str, Any]) -> dict[str, Any] | None:
    return job if job["state"] in ("done", "failed", "cancelled") else None
