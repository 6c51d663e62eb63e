"""`python -m backend.robots.preview_process CONFIG`: what cameras see, for as long as it is read.

For whoever may not import LeRobot: the server's process. Writes to standard output, a JSON object a
line: `{"problem": …}` where a camera gives nothing, and `{"camera", "width", "height", "bytes"}`
followed by that many bytes of JPEG. Width and height are the camera's own; the picture may be
smaller. Nothing is cut out, for what to cut out is being chosen.

A simulated robot holds still for it; of a real one the motors are left alone. Ends when nobody
reads any more, and on SIGTERM.
"""

import argparse
import contextlib
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import cv2
import numpy as np

from backend.control import Arm
from backend.robots import make
from backend.robots.config import RobotConfig, load_robot_config
from backend.robots.motor_buses import in_one_line
from backend.robots.preflight import SIMULATED
from backend.robots.preflight_motors import make_devices

Pictures = dict[str, np.ndarray]

RATE_HZ = 10.0
MAX_WIDTH_PX = 640
JPEG_QUALITY = 80
# A picture older than this is not shown as a live one.
STALE_MS = 1000


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m backend.robots.preview_process")
    parser.add_argument("config", type=Path)
    config = load_robot_config(parser.parse_args().config)
    # Libraries print; what they say is no picture.
    out = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    over = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: over.set())
    # Whoever read this is gone: that is the usual end.
    with contextlib.suppress(BrokenPipeError), contextlib.closing(_pictures(config, out)) as seen:
        for pictures in seen:
            for camera, picture in pictures.items():
                _send(out, camera, picture)
            out.flush()
            if over.wait(1 / RATE_HZ):
                break


def _pictures(config: RobotConfig, out: BinaryIO) -> Iterator[Pictures]:
    # The whole picture, at the camera's own size.
    config = replace(config, cameras_view={})
    if config.robot["type"] in SIMULATED:
        arm = make.make_arm(config)
        try:
            yield from _simulated(arm)
        finally:
            arm.close()
        return
    cameras = make_devices(config).cameras
    try:
        yield from _real(cameras, out)
    finally:
        for camera in cameras.values():
            with contextlib.suppress(Exception):
                if camera.is_connected:
                    camera.disconnect()


def _simulated(arm: Arm) -> Iterator[Pictures]:
    arm.connect()
    still = arm.position(arm.observe().state)
    while True:
        yield arm.observe().frames
        arm.act(still)


def _real(cameras: Mapping[str, Any], out: BinaryIO) -> Iterator[Pictures]:
    problems: dict[str, str] = {}

    def tell(name: str, problem: str) -> None:
        if problem and problems.get(name) != problem:
            _say(out, {"problem": f"{name}: {problem}"})
        problems[name] = problem

    for name, camera in cameras.items():
        try:
            camera.connect()
        except Exception as error:
            # Whatever a driver raises, the other cameras can still be seen.
            tell(name, in_one_line(error))
    while True:
        pictures: Pictures = {}
        for name, camera in cameras.items():
            if not camera.is_connected:
                continue
            try:
                pictures[name] = camera.read_latest(max_age_ms=STALE_MS)
                tell(name, "")
            except Exception as error:  # drivers raise of every kind
                tell(name, in_one_line(error))
        if not pictures:
            # Nothing is written then, so nobody would be missed; a line finds out.
            _say(out, {"waited_s": time.monotonic()})
        yield pictures


def _send(out: BinaryIO, camera: str, picture: np.ndarray) -> None:
    height, width = picture.shape[:2]
    if width > MAX_WIDTH_PX:
        size = (MAX_WIDTH_PX, round(height * MAX_WIDTH_PX / width))
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    _, jpeg = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    _say(out, {"camera": camera, "width": width, "height": height, "bytes": len(jpeg)})
    out.write(jpeg.tobytes())


def _say(out: BinaryIO, line: dict[str, Any]) -> None:
    out.write(json.dumps(line).encode() + b"\n")
    out.flush()


if __name__ == "__main__":
    main()
