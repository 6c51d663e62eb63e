"""Robot configs that lead to emulated hardware, made from the one that is shipped."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from backend.robots.config import ROBOTS_DIR, RobotConfig, load_robot_config
from tests.hardware.arms import EmulatedArm
from tests.hardware.distant_arm import DistantArm


def so101_config(
    folder: Path,
    *,
    follower: EmulatedArm | DistantArm,
    leader: EmulatedArm | DistantArm | None = None,
    cameras: Mapping[str, Path] | None = None,
    camera_type: str = "opencv",
    **changes: Any,
) -> RobotConfig:
    """Write `configs/robots/so101.yaml` with the emulated ports into `folder` and read it.

    Args:
        folder: Where the file goes.
        follower: The robot.
        leader: The teleoperator; without one the page drives.
        cameras: Video files of 160x120 at 30 Hz by camera name.
        camera_type: `video_file` for processes of their own, see `videofilecamera.py`.
        changes: Other top-level keys.
    """
    content = yaml.safe_load((ROBOTS_DIR / "so101.yaml").read_text(encoding="utf-8"))
    content["robot"] |= follower.lerobot_fields()
    content["robot"]["cameras"] = {
        name: {
            "type": camera_type,
            "index_or_path": str(path),
            "width": 160,
            "height": 120,
            "fps": 30,
            # LeRobot takes whole seconds, and waits for none of them to see a first picture.
            "warmup_s": 0,
        }
        for name, path in (cameras or {}).items()
    }
    if leader is None:
        content["teleop"] = {"type": "handrail_browser"}
    else:
        content["teleop"] |= leader.lerobot_fields()
    path = folder / "so101_emulated.yaml"
    path.write_text(yaml.safe_dump({**content, **changes}), encoding="utf-8")
    return load_robot_config(path)
