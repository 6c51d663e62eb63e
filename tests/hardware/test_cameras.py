"""LeRobot's OpenCV camera on a video file."""

import time

import cv2
import pytest
from lerobot.cameras.opencv import OpenCVCamera, OpenCVCameraConfig

from tests.hardware.cameras import FileDevice, write_video


@pytest.fixture
def device(monkeypatch):
    monkeypatch.setattr(cv2, "VideoCapture", FileDevice)
    yield FileDevice
    FileDevice.frozen.clear()
    FileDevice.unplugged.clear()
    FileDevice.slowed_to_hz = None


@pytest.fixture
def camera(tmp_path, device):
    config = OpenCVCameraConfig(
        index_or_path=write_video(tmp_path / "wrist.mp4", num_frames=5),
        width=160,
        height=120,
        fps=30,
        warmup_s=0,
    )
    camera = OpenCVCamera(config)
    camera.connect()
    yield camera
    if camera.thread is not None:
        camera.disconnect()


def read_many(camera, count: int) -> None:
    for _ in range(count):
        camera.read()


def read_until_it_fails(camera, *, timeout_ms: float) -> None:
    for _ in range(10):
        camera.async_read(timeout_ms=timeout_ms)


def test_the_file_begins_again_at_its_end(tmp_path):
    device = FileDevice(write_video(tmp_path / "wrist.mp4", num_frames=5))

    levels = [round(float(device.read()[1].mean()), -1) for _ in range(12)]

    device.release()
    assert len(set(levels)) == 5
    assert levels[5:10] == levels[:5]


def test_frames_come_at_the_files_rate(camera):
    camera.read()
    began_s = time.perf_counter()
    read_many(camera, 15)

    # Never faster than 30 a second; how much slower is the machine's affair.
    assert time.perf_counter() - began_s > 14 / 30


def test_another_size_or_rate_than_the_files_is_refused_as_a_device_would(tmp_path, device):
    path = write_video(tmp_path / "wrist.mp4", num_frames=5)
    config = OpenCVCameraConfig(index_or_path=path, width=640, height=480, fps=30, warmup_s=0)

    with pytest.raises(RuntimeError, match="failed to set capture_width=640"):
        OpenCVCamera(config).connect()


def test_a_frozen_camera_is_a_timeout(camera, device):
    camera.read()
    device.frozen.set()

    with pytest.raises(TimeoutError, match="Timed out waiting for frame"):
        read_until_it_fails(camera, timeout_ms=300)
    with pytest.raises(TimeoutError, match="latest frame is too old"):
        camera.read_latest(max_age_ms=200)
    device.frozen.clear()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_unplugged_camera_ends_its_thread_and_every_read_says_so(camera, device):
    thread = camera.thread
    device.unplugged.set()
    thread.join(timeout=60)

    assert not thread.is_alive()
    # LeRobot's camera asks OpenCV, which knows that the device is gone.
    with pytest.raises(ConnectionError, match="not connected"):
        camera.read_latest()
