"""Server and actor with a disk each and a bad line between them: nothing is lost."""

import shutil
import subprocess
import uuid
from pathlib import Path

import pytest

from backend.learning.checkpoints import create_tiny_checkpoint
from tests.flows.distant_robot import DistantActor, same_files
from tests.flows.fault_proxy import FaultProxy, Faults
from tests.flows.operator_client import ScriptedOperator
from tests.flows.processes import HandrailProcess, wait_for

pytestmark = pytest.mark.flow


def episode(server: HandrailProcess, episode_id: str) -> dict:
    reply = server.api.get(f"/api/episodes/{episode_id}")
    return reply.json() if reply.status_code == 200 else {"state": "unknown"}


def attempt(server: HandrailProcess, operator: ScriptedOperator, *, steps: int = 20) -> str:
    """Start an attempt and let it go on for a while; return the episode's id."""
    assert operator.command("start", task="Wave")["accepted"]

    def running() -> str | None:
        now = operator.tick.get("episode") or {}
        return now["id"] if now.get("steps", 0) >= steps else None

    return wait_for("steps", running)


def make_checkpoint(server: HandrailProcess) -> None:
    now = server.session()
    create_tiny_checkpoint(
        server.data_dir / "checkpoints/tiny/000000",
        cameras=[camera["name"] for camera in now["cameras"]],
        state_dim=len(now["joints"]),
        action_dim=len(now["joints"]),
        action_names=now["joints"],
    )


@pytest.fixture
def server(tmp_path):
    server = HandrailProcess(tmp_path / "server", "--no-actor", robot="synthetic").start()
    yield server
    server.close()


@pytest.fixture
def proxy(server):
    proxy = FaultProxy(server.port, Faults(delay_s=0.01, breaks=2, damages=2))
    yield proxy
    proxy.close()


@pytest.fixture
def actor(server, proxy, tmp_path):
    token = (server.data_dir / "actor.token").read_text()
    actor = DistantActor(f"ws://127.0.0.1:{proxy.port}", tmp_path / "robot", token=token)
    yield actor
    actor.close()


def test_nothing_is_lost_between_two_computers_on_a_bad_line(server, proxy, actor):
    large = actor.spool_episode()
    actor.start()
    actor.wait_connected(server)
    with ScriptedOperator(server.port) as operator:
        operator.take()
        wait_for("the lease", lambda: operator.mine)
        operator.keeping = True
        assert operator.command("open", policy="hold")["accepted"]
        first = attempt(server, operator)
        wait_for("its row", lambda: episode(server, first)["state"] == "recording")
        before = operator.tick["step"]
        proxy.break_all()
        wait_for("the link", lambda: operator.tick["step"] > before + 5)
        wait_for("the same episode", lambda: episode(server, first)["state"] == "recording")
        if operator.tick["phase"] == "held":
            assert operator.command("start")["accepted"]
        assert operator.command("success")["accepted"]
        server.wait_phase("idle")

        # A checkpoint that only the server has, over the same line.
        make_checkpoint(server)
        assert operator.command("close")["accepted"]
        opened = operator.command("open", policy="tiny/000000", timeout_s=120)
        assert opened["accepted"], opened
        # More than the second that a killed recorder may lose.
        second = attempt(server, operator, steps=70)

    server.kill_server()
    server.start()
    actor.wait_connected(server)
    actor.kill()
    actor.start()

    def arrived(episode_id: str, state: str) -> None:
        wait_for(
            f"episode {episode_id} {state}",
            lambda: episode(server, episode_id)["state"] == state,
            timeout_s=240,
            tell=actor.last_words,
        )

    arrived(large.name, "finished")
    arrived(first, "finished")
    arrived(second, "unfinished")
    recovered = server.api.post(f"/api/episodes/{second}/recover").json()
    assert recovered["state"] == "recovered"
    assert recovered["checkpoint_id"] == "tiny/000000"
    assert episode(server, first)["outcome"] == "success"
    listing = server.api.get("/api/episodes").json()
    assert listing["total"] == 3
    # The server has the files a moment before the actor hears so.
    wait_for("every upload to be confirmed", lambda: actor.waiting() == [])
    for name in (large.name, first):
        there = server.data_dir / "episodes" / name
        assert same_files(actor.data_dir / "episodes" / name, there)
    assert (proxy.num_broken, proxy.num_damaged) == (2, 2)
    assert "came damaged" in actor.log
    assert server.session()["uploads"] == []


class Namespace:
    """A network of its own for one process, with a slow and lossy line to this one's."""

    HOST, ROBOT = "10.203.77.1", "10.203.77.2"

    def __init__(self) -> None:
        self.name = f"handrail-{uuid.uuid4().hex[:6]}"
        near, far = f"hr{self.name[-6:]}a", f"hr{self.name[-6:]}b"
        inside = ("ip", "netns", "exec", self.name)
        bad = ("netem", "loss", "5%", "delay", "50ms")
        try:
            self._run("ip", "netns", "add", self.name)
            self._run("ip", "link", "add", near, "type", "veth", "peer", "name", far)
            self._run("ip", "link", "set", far, "netns", self.name)
            self._run("ip", "addr", "add", f"{self.HOST}/30", "dev", near)
            self._run("ip", "link", "set", near, "up")
            self._run(*inside, "ip", "addr", "add", f"{self.ROBOT}/30", "dev", far)
            self._run(*inside, "ip", "link", "set", far, "up")
            self._run("tc", "qdisc", "add", "dev", near, "root", *bad)
            self._run(*inside, "tc", "qdisc", "add", "dev", far, "root", *bad)
        except BaseException:
            self.close()
            raise
        self.under = inside

    def close(self) -> None:
        # Both ends of the line go with it.
        subprocess.run(["ip", "netns", "del", self.name], capture_output=True, check=False)

    def _run(self, *command: str) -> None:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            pytest.skip(f"this machine cannot emulate a bad network: {done.stderr.strip()}")


@pytest.fixture
def namespace():
    if shutil.which("ip") is None or shutil.which("tc") is None:
        pytest.skip("this machine has no iproute2, so there are no networks to make")
    namespace = Namespace()
    yield namespace
    namespace.close()


def test_an_episode_crosses_a_network_with_loss_and_delay(namespace, tmp_path: Path):
    """5 % loss and 100 ms there and back, by netem between two network namespaces."""
    server = HandrailProcess(
        tmp_path / "server",
        *("--no-actor", "--host", namespace.HOST, "--token", "people"),
        robot="synthetic",
        host=namespace.HOST,
        token="people",
    )
    actor = None
    try:
        server.start()
        token = (server.data_dir / "actor.token").read_text()
        actor = DistantActor(
            f"ws://{namespace.HOST}:{server.port}",
            tmp_path / "robot",
            token=token,
            under=namespace.under,
        )
        earlier = actor.spool_episode(num_steps=3)
        actor.start()
        actor.wait_connected(server)
        for command in ("open", "start"):
            assert server.command(command, uuid.uuid4().hex).status_code == 200
        now = wait_for(
            "steps",
            lambda: (
                found if (found := server.session()["episode"] or {}).get("steps", 0) > 20 else None
            ),
        )
        assert server.command("success", uuid.uuid4().hex).status_code == 200
        for name in (now["id"], earlier.name):
            wait_for(f"{name} here", lambda name=name: episode(server, name)["state"] == "finished")
            assert same_files(
                actor.data_dir / "episodes" / name, server.data_dir / "episodes" / name
            )
        assert episode(server, now["id"])["outcome"] == "success"
    finally:
        if actor is not None:
            actor.close()
        server.close()
