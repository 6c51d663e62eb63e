"""The actor as the process it is, with the synthetic robot and a plain server."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from backend.domain import Command, Driver, EndReason, Phase
from backend.episodes.store import read_end, read_header, read_steps
from backend.learning.checkpoints import create_tiny_checkpoint
from backend.wire import EpisodeFinished, LeaseMessage, PolicyMessage
from tests.actor.plain_server import PlainServer

pytestmark = pytest.mark.flow

ROOT = Path(__file__).parents[2]
TOKEN = "secret"


class ActorProcess:
    def __init__(self, server: PlainServer, data_dir: Path, robot: str = "synthetic") -> None:
        data_dir.mkdir(parents=True, exist_ok=True)
        (data_dir / "actor.token").write_text(TOKEN + "\n")
        self.data_dir = data_dir
        self.log = data_dir / "actor.log"
        environment = {k: v for k, v in os.environ.items() if k != "HANDRAIL_ACTOR_TOKEN"}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "backend.actor", "--server", server.url),
                    *("--robot", robot, "--data-dir", str(data_dir)),
                ],
                cwd=ROOT,
                stdout=log,
                stderr=log,
                env=environment,
            )

    def stop(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        return self.process.wait(timeout=30)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(timeout=10)

    def episode(self) -> Path:
        (folder,) = (self.data_dir / "episodes").glob("*-*")
        return folder


@pytest.fixture
def server():
    server = PlainServer(token=TOKEN)
    yield server
    server.close()


@pytest.fixture
def actor(server, tmp_path):
    actor = ActorProcess(server, tmp_path / "data")
    server.wait("the hello", lambda: server.hellos or None)
    yield actor
    actor.close()


@pytest.fixture
def driving(server, actor):
    """An attempt runs, driven by `hold`."""
    assert server.command(Command.OPEN).accepted
    assert server.command(Command.START, task="Wave").accepted
    server.wait_tick("ten steps", lambda tick: tick.episode and tick.episode.steps >= 10)
    return actor


def test_an_attempt_with_a_human_in_it_is_recorded_as_it_was_driven(server, driving):
    over = threading.Event()

    def keep() -> None:
        seq = 0
        while not over.wait(1 / 30):
            seq += 1
            server.keep("ArrowLeft", seq=seq)

    keeping = threading.Thread(target=keep)
    keeping.start()
    try:
        server.send(LeaseMessage(holder="ana"))
        assert server.command(Command.INTERVENE).phase is Phase.HUMAN
        server.wait_tick("human steps", lambda tick: tick.episode and tick.episode.human_steps > 9)
        assert server.command(Command.SUCCESS, command_id="graded").phase is Phase.ENDED
        server.wait_tick("the reset", lambda tick: tick.phase is Phase.IDLE)
    finally:
        over.set()
        keeping.join()

    finished = server.said(EpisodeFinished)[0]
    folder = driving.episode()
    assert read_header(folder).task == "Wave"
    end = read_end(folder)
    assert (end.end_reason, end.command_id) == (EndReason.SUCCESS, "graded")
    steps = read_steps(folder)
    assert len(steps.driver) == end.num_steps == finished.num_steps
    drivers = list(steps.driver)
    assert drivers.count(Driver.HUMAN) == end.num_human_steps > 0
    assert drivers == sorted(drivers, key=[Driver.POLICY, Driver.HUMAN].index)
    assert abs(steps.action[-1] - steps.action[9]).max() > 1, "the arrow moved the arm"
    assert set(server.frames) == {0, 1}
    assert server.ticks[-1].rates.target_hz == 30

    assert driving.stop(signal.SIGTERM) == 0
    assert not (driving.data_dir / "actor.json").exists()


def test_a_checkpoint_promoted_in_an_attempt_drives_the_next_one(server, driving):
    """`hold` drives the first attempt, a real checkpoint of the small size the second."""
    first = server.ticks[-1].policy
    cameras = [camera.name for camera in server.hellos[-1].cameras]
    joints = server.hellos[-1].joints
    path = create_tiny_checkpoint(
        driving.data_dir / "checkpoints/tiny/000000",
        cameras=cameras,
        state_dim=len(joints),
        action_dim=len(joints),
        action_names=joints,
    )
    server.send(PolicyMessage(checkpoint_id="tiny/000000", path=str(path), promoted_s=1.0))
    server.command(Command.FAILURE)
    server.wait_tick("the new policy", lambda tick: tick.policy == "tiny/000000")
    assert server.command(Command.START).accepted

    tick = server.wait_tick(
        "actions and a value", lambda tick: tick.acting and tick.acting.queue and tick.value
    )

    assert (first, tick.driver) == ("hold", Driver.POLICY)
    assert -1 <= tick.value <= 0
    server.wait_tick("steps", lambda tick: tick.episode and tick.episode.steps > 30)
    assert driving.stop(signal.SIGTERM) == 0
    headers = [read_header(f) for f in (driving.data_dir / "episodes").glob("*-*")]
    assert {(h.number, h.checkpoint_id) for h in headers} == {(1, None), (2, "tiny/000000")}


def test_sigkill_loses_at_most_the_last_second(server, driving):
    seen = server.wait_tick("steps", lambda tick: tick.episode and tick.episode.steps >= 75)

    driving.stop(signal.SIGKILL)

    folder = driving.episode()
    assert read_end(folder) is None
    steps = read_steps(folder)
    assert len(steps.driver) >= seen.episode.steps - 30
    assert list(steps.step) == list(range(len(steps.step)))
    assert json.loads((driving.data_dir / "actor.json").read_text())["pid"] == driving.process.pid

    heir = ActorProcess(server, driving.data_dir)
    try:
        server.wait("the next actor", lambda: server.hellos[-1].pid == heir.process.pid)
    finally:
        heir.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_polite_end_keeps_the_attempt_as_aborted(driving, number):
    assert driving.stop(number) == 0

    end = read_end(driving.episode())
    assert end.end_reason is EndReason.ABORT
    assert end.num_steps == len(read_steps(driving.episode()).driver) >= 10


def test_a_server_that_vanishes_holds_the_attempt_and_finds_it_again(server, driving):
    port = server.port
    server.close()
    gone_s = time.monotonic()
    again = None
    try:
        while time.monotonic() - gone_s < 1.5:
            assert driving.process.poll() is None
            threading.Event().wait(0.1)
        again = PlainServer(token=TOKEN, port=port)
        again.wait("the hello", lambda: again.hellos or None)
        assert again.hellos[0].pid == driving.process.pid
        tick = again.wait_tick("held", lambda tick: tick.phase is Phase.HELD)
        assert "no link" in tick.reason
        assert again.command(Command.FAILURE).accepted
        again.wait("the end", lambda: again.said(EpisodeFinished) or None)
    finally:
        if again is not None:
            again.close()

    assert read_end(driving.episode()).end_reason is EndReason.FAILURE


def test_the_data_directory_says_which_actor_lives_and_keeps_a_second_one_away(server, actor):
    content = json.loads((actor.data_dir / "actor.json").read_text())
    process = psutil.Process(actor.process.pid)
    assert content == {
        "pid": process.pid,
        "pid_started_s": process.create_time(),
        "robot": "synthetic",
        "server": server.url,
    }

    second = ActorProcess(server, actor.data_dir)
    assert second.process.wait(timeout=30) == 1
    assert f"another actor (pid {process.pid})" in second.log.read_text()
    assert (actor.data_dir / "actor.json").exists()


def test_an_unknown_robot_ends_the_actor_with_the_known_ones(server, tmp_path):
    actor = ActorProcess(server, tmp_path / "data", robot="so102_sim_touch")
    try:
        assert actor.process.wait(timeout=30) == 1
        assert "so101_sim_touch" in actor.log.read_text()
    finally:
        actor.close()
