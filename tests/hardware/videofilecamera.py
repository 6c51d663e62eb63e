"""A LeRobot plug-in for processes of their own: OpenCV cameras on video files, and patience.

A test that starts a real actor, or a program of LeRobot's, cannot put anything in OpenCV's place
there. So it installs this module as the plug-in `lerobot_camera_video_file`, which LeRobot imports
like every other; LeRobot's rule for plug-ins gives this module its name. It registers the camera
type `video_file`. The file is the device: moved away it is unplugged, put back it is there.

Motors and cameras in that process get the patience of `patience.py` too.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import cv2
from lerobot.cameras.configs import CameraConfig
from lerobot.cameras.opencv import OpenCVCamera, OpenCVCameraConfig

from tests.flows.processes import ROOT
from tests.hardware.cameras import FileDevice
from tests.hardware.patience import make_cameras_patient, make_drivers_patient

PLUGIN = "lerobot_camera_video_file"


@CameraConfig.register_subclass("video_file")
@dataclass
class VideoFileCameraConfig(OpenCVCameraConfig):
    """LeRobot's own keys; `index_or_path` is the video file."""


class VideoFileCamera(OpenCVCamera):
    """LeRobot's camera, under the name of the config's class."""


def adapt_process() -> None:
    """Put `FileDevice` in OpenCV's place, and be patient, for all of this process."""
    cv2.VideoCapture = FileDevice
    make_drivers_patient(setattr)
    make_cameras_patient(setattr)


def install_plugin(folder: Path) -> str:
    """Install this plug-in into `folder`; return the PYTHONPATH that makes programs find it."""
    metadata = folder / f"{PLUGIN}-1.dist-info" / "METADATA"
    metadata.parent.mkdir(parents=True)
    metadata.write_text(f"Metadata-Version: 2.1\nName: {PLUGIN}\nVersion: 1\n", encoding="utf-8")
    (folder / f"{PLUGIN}.py").write_text(
        f"from {__name__} import adapt_process\n\nadapt_process()\n", encoding="utf-8"
    )
    return os.pathsep.join([str(folder), str(ROOT)])
