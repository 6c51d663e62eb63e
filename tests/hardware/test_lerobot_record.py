"""LeRobot's own program records a dataset that the keys of our small page have driven."""

import itertools
import json
import threading

import numpy as np
import pyarrow.parquet as pq
import pytest
from lerobot.datasets.lerobot_dataset import LeRobotDataset
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.flows.processes import free_port, wait_for
from tests.hardware.arms import JOINTS
from tests.hardware.cameras import write_video
from tests.hardware.distant_arm import DistantArm
from tests.hardware.lerobot_program import LeRobotProgram

pytestmark = pytest.mark.flow
FPS = 10


@pytest.fixture
def follower_arm(tmp_path):
    arm = DistantArm(tmp_path, name="follower", pose={"shoulder_lift": -40, "elbow_flex": 50})
    yield arm
    arm.close()


def hold_key(port: int, over: threading.Event) -> None:
    """Keep a key down, as the page does, until the program closes its page."""
    url = f"ws://127.0.0.1:{port}/keys?token=sesame"
    with connect(url, compression=None, open_timeout=60) as socket:
        for _ in itertools.count():
            if over.wait(1 / 30):
                return
            try:
                socket.send(json.dumps({"held": ["ArrowLeft"], "axes": []}))
                socket.recv(timeout=60)
            except (ConnectionClosed, TimeoutError):
                return


def test_lerobot_record_makes_a_dataset_of_what_the_page_drives(tmp_path, follower_arm):
    port, root = free_port(), tmp_path / "dataset"
    camera = {
        "type": "video_file",
        "index_or_path": str(write_video(tmp_path / "wrist.mp4")),
        "width": 160,
        "height": 120,
        "fps": 30,
    }
    program = LeRobotProgram(
        "lerobot-record",
        "--robot.type=so101_follower",
        *(f"--robot.{key}={value}" for key, value in follower_arm.lerobot_fields().items()),
        "--robot.num_read_retries=5",
        "--robot.max_relative_target=10",
        f"--robot.cameras={json.dumps({'wrist': camera})}",
        "--teleop.type=handrail_browser",
        f"--teleop.page_port={port}",
        "--teleop.page_token=sesame",
        "--dataset.repo_id=local/page",
        f"--dataset.root={root}",
        "--dataset.single_task=Turn to the left",
        "--dataset.num_episodes=1",
        "--dataset.episode_time_s=3",
        f"--dataset.fps={FPS}",
        "--dataset.push_to_hub=false",
        "--dataset.rgb_encoder.vcodec=h264",
        "--play_sounds=false",
        folder=tmp_path / "elsewhere",
    )
    over = threading.Event()
    try:
        wait_for(
            "a stiff arm",
            lambda: follower_arm.torque() == set(JOINTS),
            timeout_s=240,
            tell=program.log.read_text,
        )
        keys = threading.Thread(target=hold_key, args=(port, over))
        keys.start()
        assert program.wait(timeout_s=240) == 0, program.log.read_text()
    finally:
        over.set()
        program.close()
    keys.join(timeout=60)

    assert follower_arm.torque() == set()
    dataset = LeRobotDataset("local/page", root=root)
    assert (dataset.num_episodes, dataset.fps) == (1, FPS)
    assert dataset[0]["task"] == "Turn to the left"
    assert dataset[0]["observation.images.wrist"].shape == (3, 120, 160)
    (table,) = (pq.read_table(file) for file in root.glob("data/**/*.parquet"))
    pan = np.array(table["action"].to_pylist())[:, 0]
    assert np.abs(pan - pan[0]).max() > 5, "the key has turned the arm"
