"""LeRobot's own program drives the emulated follower with the keys of our small page."""

import json
import time

import httpx
import pytest
from websockets.sync.client import connect

from tests.flows.processes import free_port, wait_for
from tests.hardware.arms import JOINTS
from tests.hardware.distant_arm import DistantArm
from tests.hardware.lerobot_program import LeRobotProgram

pytestmark = pytest.mark.flow
KEEP_S = 1 / 30


@pytest.fixture
def follower_arm(tmp_path):
    arm = DistantArm(tmp_path, name="follower", pose={"shoulder_lift": -40, "elbow_flex": 50})
    yield arm
    arm.close()


@pytest.fixture
def program(tmp_path, follower_arm):
    """`lerobot-teleoperate` with a stiff arm, and its page's port."""
    port = free_port()
    program = LeRobotProgram(
        "lerobot-teleoperate",
        "--robot.type=so101_follower",
        *(f"--robot.{key}={value}" for key, value in follower_arm.lerobot_fields().items()),
        "--robot.num_read_retries=5",
        "--robot.max_relative_target=10",
        "--teleop.type=handrail_browser",
        f"--teleop.page_port={port}",
        "--teleop.page_token=sesame",
        "--fps=20",
        folder=tmp_path / "elsewhere",
    )
    try:
        wait_for(
            "a stiff arm",
            lambda: follower_arm.torque() == set(JOINTS),
            timeout_s=240,
            tell=program.log.read_text,
        )
        yield program, port
    finally:
        program.close()


def hold(socket, *codes: str, until, timeout_s: float = 60) -> None:
    """Keep keys down, as the page does, until something is so."""
    deadline_s = time.monotonic() + timeout_s
    while not until():
        assert time.monotonic() < deadline_s, "the keys did nothing"
        socket.send(json.dumps({"held": list(codes), "axes": []}))
        socket.recv(timeout=60)
        time.sleep(KEEP_S)


def test_lerobot_teleoperate_is_driven_by_the_page(program, follower_arm):
    running, port = program
    before = follower_arm.pose()
    url = f"http://127.0.0.1:{port}"
    with httpx.Client(timeout=60) as browser:
        assert browser.get(url).status_code == 401
        page = browser.get(f"{url}/?token=sesame")
        script = browser.get(f"{url}/handrail-static/jog/page.js")
    assert "Drive the robot" in page.text
    assert script.headers["content-type"].startswith("text/javascript")

    keys = f"ws://127.0.0.1:{port}/keys?token=sesame"
    with connect(keys, compression=None, open_timeout=60) as socket:
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
        wait_for("the arm to rest", rests)
        for command, stopped in (("stop", True), ("clear", False)):
            socket.send(json.dumps({"command": command}))
            assert json.loads(socket.recv(timeout=60))["stopped"] is stopped
        shut = follower_arm.pose()["gripper"]
        hold(socket, "Space", until=lambda: abs(follower_arm.pose()["gripper"] - shut) > 20)

    running.interrupt()
    assert running.wait(timeout_s=60) == 0, running.log.read_text()
    assert follower_arm.torque() == set()
