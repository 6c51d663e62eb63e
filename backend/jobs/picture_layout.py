"""Where things lie on a critic video's pictures, and which steps belong together."""

from collections.abc import Mapping

import numpy as np

MAX_WIDTH = 1280
MAX_CAMERA_HEIGHT = 400
HEADER_PX = 48


def camera_places(
    cameras: Mapping[str, tuple[int, int]],
) -> dict[str, tuple[int, int, int, int]]:
    """Left, top, width, height of each camera, side by side at one height."""
    if not cameras:
        return {}
    ratio = sum(width / height for width, height in cameras.values())
    height = even(min(MAX_CAMERA_HEIGHT, int(MAX_WIDTH / ratio)))
    places, x = {}, 0
    for name, (full_width, full_height) in cameras.items():
        width = round(height * full_width / full_height)
        places[name] = (x, HEADER_PX, width, height)
        x += width + 4
    return places


def spans(marked: np.ndarray) -> list[tuple[int, int]]:
    """First step and end of every run of marked steps."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], marked, [False]]).astype(int)))
    return [(int(first), int(end)) for first, end in zip(edges[::2], edges[1::2], strict=True)]


def second_ticks(seconds: float) -> list[float]:
    """Round times from 0 to `seconds`, at most eleven."""
    for apart in (0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600):
        if seconds / apart <= 10:
            break
    return [apart * number for number in range(int(seconds / apart) + 1)]


def even(number: float) -> int:
    """The even number at or below, which H.264 wants."""
    return int(number) // 2 * 2
