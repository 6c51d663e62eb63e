"""LeRobot's own program drives the emulated follower with the keys of our small page."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from websockets.sync.client import connect

from tests.flows.processes import free_port, wait_for
from tests.hardware.arms import JOINTS, EmulatedArm

pytestmark = [pytest.mark.flow, pytest.mark.emulation]
PROGRAM = Path(sys.executable).parent / "lerobot-teleoperate"
PLUGIN = "lerobot_teleoperator_handrail_browser"
SOURCE = Path(__file__).parents[2] / "plugins" / PLUGIN
KEEP_S = 1 / 30


@pytest.fixture
def follower_arm(tmp_path):
    arm = EmulatedArm(tmp_path, name="follower", pose={"shoulder_lift": -40, "elbow_flex": 50})
    yield arm
    arm.close()


@pytest.fixture
def installed(tmp_path) -> str:
    """A search path on which the plug-in is installed, whether .venv has it or not."""
    metadata = tmp_path / "installed" / f"{PLUGIN}-0.1.0.dist-info" / "METADATA"
    metadata.parent.mkdir(parents=True)
    metadata.write_text(f"Metadata-Version: 2.1\nName: {PLUGIN}\nVersion: 0.1.0\n")
    return os.pathsep.join([str(SOURCE), str(metadata.parents[1])])


@pytest.fixture
def program(tmp_path, follower_arm, installed):
    """`lerobot-teleoperate`, started elsewhere, with the plug-in found by itself; and its port."""
    port = free_port()
    fields = follower_arm.lerobot_fields()
    log = (tmp_path / "log.txt").open("wb")
    process = subprocess.Popen(
        [
            str(PROGRAM),
            "--robot.type=so101_follower",
            *(f"--robot.{key}={value}" for key, value in fields.items()),
            "--robot.num_read_retries=5",
            "--robot.max_relative_target=10",
            "--teleop.type=handrail_browser",
            f"--teleop.page_port={port}",
            "--teleop.page_token=sesame",
            "--fps=20",
        ],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": installed},
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    try:
        wait_for("a stiff arm", lambda: follower_arm.torque() == set(JOINTS), timeout_s=90)
        yield process, port
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(timeout=10)
        log.close()


def hold(socket, *codes: str, until, timeout_s: float = 20) -> None:
    """Keep keys down, as the page does, until something is so."""
    deadline_s = time.monotonic() + timeout_s
    while not until():
        assert time.monotonic() < deadline_s, "the keys did nothing"
        socket.send(json.dumps({"held": list(codes), "axes": []}))
        socket.recv(timeout=5)
        time.sleep(KEEP_S)


def test_lerobot_teleoperate_is_driven_by_the_page(program, follower_arm):
    process, port = program
    before = follower_arm.pose()
    url = f"http://127.0.0.1:{port}"
    assert httpx.get(url).status_code == 401
    page = httpx.get(f"{url}/?token=sesame")
    assert "Drive the robot" in page.text
    script = httpx.get(f"{url}/handrail-static/jog/page.js")
    assert script.headers["content-type"].startswith("text/javascript")

    with connect(f"ws://127.0.0.1:{port}/keys?token=sesame", compression=None) as socket:
        # Nothing moves before a key does.
        assert follower_arm.pose() == pytest.approx(before, abs=1.5)
        turned = before["shoulder_pan"]
        hold(
            socket,
            "ArrowLeft",
            until=lambda: abs(follower_arm.pose()["shoulder_pan"] - turned) > 10,
        )

        def rests() -> bool:
            pose = follower_arm.goal()
            time.sleep(0.3)
            return follower_arm.goal() == pose

        # The page fell silent with a key down.
        wait_for("the arm to rest", rests, timeout_s=10)
        shut = follower_arm.pose()["gripper"]
        hold(socket, "Space", until=lambda: abs(follower_arm.pose()["gripper"] - shut) > 20)

    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=20) == 0
    assert follower_arm.torque() == set()
