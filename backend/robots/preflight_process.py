"""`python -m backend.robots.preflight_process`: a preflight for whoever may not import LeRobot.

    python -m backend.robots.preflight_process configs/robots/so101.yaml --data-dir data \
        --pictures FOLDER [--cameras-only]

Writes one JSON object a line, as it goes: `{"begin": "the cameras"}` for what is looked at,
`{"picture": "wrist"}` once `FOLDER/wrist.jpg` is there, and last `{"findings": [...], "may_move":
true}`. What drivers print goes to standard error.
"""

import argparse
import contextlib
import json
import signal
import sys
import threading
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from backend.robots.config import load_robot_config
from backend.robots.preflight import check, may_move

# Whoever started it may be gone; a driver that hangs must not keep the ports for ever.
LONGEST_S = 120
JPEG_QUALITY = 85


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m backend.robots.preflight_process")
    parser.add_argument("config", type=Path)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--pictures", type=Path, required=True)
    parser.add_argument("--cameras-only", action="store_true")
    flags = parser.parse_args()
    signal.alarm(LONGEST_S)
    lines, lock = sys.stdout, threading.Lock()

    def tell(line: dict[str, Any]) -> None:
        with lock:
            lines.write(json.dumps(line, ensure_ascii=False) + "\n")
            lines.flush()

    def keep(camera: str, picture: np.ndarray) -> None:
        path = flags.pictures / f"{camera}.jpg"
        bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
        _, jpeg = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        aside = path.with_suffix(".part")
        aside.write_bytes(jpeg.tobytes())
        aside.rename(path)
        tell({"picture": camera})

    with contextlib.redirect_stdout(sys.stderr):
        findings = check(
            load_robot_config(flags.config),
            data_dir=flags.data_dir,
            cameras_only=flags.cameras_only,
            begin=lambda what: tell({"begin": what}),
            keep=keep,
        )
    tell({"findings": [asdict(finding) for finding in findings], "may_move": may_move(findings)})


if __name__ == "__main__":
    main()
