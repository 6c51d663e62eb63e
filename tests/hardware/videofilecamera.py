"""A LeRobot camera plug-in for processes of their own: the OpenCV camera on a video file.

A test that starts a real actor cannot put anything in OpenCV's place there. So it installs this
module as the plug-in `lerobot_camera_video_file`, which LeRobot finds when a config names the
camera type `video_file`; LeRobot's rule for plug-ins gives this module its name. The file is the
device: moved away it is unplugged, put back it is there.

The drivers in that process get the patience of `patience.py` too.
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
from lerobot.cameras.configs import CameraConfig
from lerobot.cameras.opencv import OpenCVCamera, OpenCVCameraConfig

from tests.hardware.cameras import FileDevice
from tests.hardware.patience import make_drivers_patient

PLUGIN = "lerobot_camera_video_file"
EXTRA_REPLY_TIME_MS = 400.0


@CameraConfig.register_subclass("video_file")
@dataclass
class VideoFileCameraConfig(OpenCVCameraConfig):
    """LeRobot's own keys; `index_or_path` is the video file."""


class VideoFileCamera(OpenCVCamera):
    """LeRobot's camera, with `FileDevice` in OpenCV's place for all of its process."""

    def __init__(self, config: VideoFileCameraConfig) -> None:
        if cv2.VideoCapture is not FileDevice:
            cv2.VideoCapture = FileDevice
            make_drivers_patient(setattr)
        super().__init__(config)


def install_plugin(folder: Path) -> Path:
    """Make a folder that, on PYTHONPATH, is an installation of this plug-in; return it."""
    metadata = folder / f"{PLUGIN}-1.dist-info" / "METADATA"
    metadata.parent.mkdir(parents=True)
    metadata.write_text(f"Metadata-Version: 2.1\nName: {PLUGIN}\nVersion: 1\n", encoding="utf-8")
    (folder / f"{PLUGIN}.py").write_text(f"import {__name__}\n", encoding="utf-8")
    return folder
