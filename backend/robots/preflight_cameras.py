"""Cameras: named so that they stay the same, opened all at once, and counted for a second.

All at once, because that is how a session uses them: cameras that work one by one may be too much
for one USB hub together.
"""

import os
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from backend.robots.motor_buses import in_one_line
from backend.robots.preflight_finding import Finding, blocking, ok, warning
from backend.robots.preflight_ports import stable_name

V4L_BY_ID = Path("/dev/v4l/by-id")
MEASURE_S = 1.5
# A first picture may take this long, a next one at most that.
FIRST_FRAME_MS = 5000.0
NEXT_FRAME_MS = 1000.0
# Below this share of what is needed a camera is too slow.
SLOW_SHARE = 0.9
# A mean below this, of 255, is a lens cap.
DARK = 6.0
CABLE = "check its cable, plug it into another USB port, close programs that use it"


def check_cameras(
    cameras: Mapping[str, Any],
    *,
    fps: float,
    by_id: Path = V4L_BY_ID,
    keep: Callable[[str, np.ndarray], object] = lambda _camera, _picture: None,
    clock: Callable[[], float] = time.perf_counter,
) -> list[Finding]:
    """Look at where the cameras are, then open them all and measure.

    Args:
        cameras: LeRobot's cameras by name, not connected; they are not connected afterwards.
        fps: Control steps a second, each of which wants a new picture.
        by_id: Where the system keeps names that do not change.
        keep: Given the last picture of each by its name, uint8 [height, width, 3] RGB, in a thread.
        clock: Monotonic seconds.
    """
    findings = check_paths(cameras, by_id=by_id)
    gone = {finding.message.split(" ")[0] for finding in findings if finding.level == "blocking"}
    usable = {name: camera for name, camera in cameras.items() if name not in gone}
    if not usable:
        return findings
    with ThreadPoolExecutor(max_workers=len(usable)) as pool:
        opened = dict(zip(usable, pool.map(_open, usable.values()), strict=True))
        for name, failure in opened.items():
            if failure:
                findings.append(blocking("cameras", f"{name} cannot be opened: {failure}", CABLE))
        working = [name for name, failure in opened.items() if not failure]
        findings += pool.map(
            lambda name: _measure(name, usable[name], fps=fps, keep=keep, clock=clock), working
        )
        list(pool.map(lambda name: usable[name].disconnect(), working))
    return findings


def check_paths(cameras: Mapping[str, Any], *, by_id: Path = V4L_BY_ID) -> list[Finding]:
    """Look at the devices that OpenCV cameras name; other kinds have serial numbers."""
    findings = []
    first_use: dict[str, str] = {}
    for name, camera in cameras.items():
        given = getattr(getattr(camera, "config", None), "index_or_path", None)
        if given is None:
            continue
        path = f"/dev/video{given}" if isinstance(given, int) else str(given)
        real = os.path.realpath(path)
        if real in first_use:
            text = f"{name} and {first_use[real]} are the same camera {path!r}"
            findings.append(blocking("cameras", text, "give each its own path"))
        elif not Path(path).exists():
            there = sorted(str(link) for link in by_id.iterdir()) if by_id.is_dir() else []
            findings.append(
                blocking(
                    "cameras",
                    f"{name} {path!r} does not exist",
                    f"{CABLE}; there now: {', '.join(there) or 'no camera with a stable name'}",
                )
            )
        elif Path(path).name.startswith("video") and Path(path).parent == Path("/dev"):
            link = stable_name(path, by_id)
            findings.append(
                warning(
                    "cameras",
                    f"{name} {path!r} may be another camera after the next start",
                    f"write {str(link)!r} instead, which stays the same"
                    if link
                    else f"use a name from {by_id}, or from /dev/v4l/by-path for twin cameras",
                )
            )
        first_use.setdefault(real, name)
    return findings


def _open(camera: Any) -> str:
    """Connect; return what failed."""
    try:
        camera.connect()
    except Exception as error:
        # Whatever a driver raises, the other cameras are still to be measured.
        return in_one_line(error)
    return ""


def _measure(
    name: str,
    camera: Any,
    *,
    fps: float,
    keep: Callable[[str, np.ndarray], object],
    clock: Callable[[], float],
) -> Finding:
    try:
        picture = camera.async_read(timeout_ms=FIRST_FRAME_MS)
        began_s = now_s = clock()
        count, slowest_s = 0, 0.0
        while now_s - began_s < MEASURE_S:
            picture = camera.async_read(timeout_ms=NEXT_FRAME_MS)
            last_s, now_s = now_s, clock()
            slowest_s = max(slowest_s, now_s - last_s)
            count += 1
    except Exception as error:  # drivers raise of every kind
        return blocking("cameras", f"{name} gives no pictures: {in_one_line(error)}", CABLE)
    keep(name, picture)
    height, width = picture.shape[:2]
    rate = count / (now_s - began_s)
    text = (
        f"{name} gives {width}x{height} at {rate:.1f} pictures a second, the longest gap was "
        f"{slowest_s * 1000:.0f} ms"
    )
    needed = min(fps, camera.fps or fps)
    if rate < SLOW_SHARE * needed:
        return warning(
            "cameras",
            f"{text}; {needed:g} are needed",
            "give it more light (long exposures are slow), set `fourcc: MJPG`, a smaller size, or "
            "another USB hub; or lower fps",
        )
    if float(np.mean(picture)) < DARK:
        return warning("cameras", f"{text}; its picture is black", "take the lens cap off")
    return ok("cameras", text)
