"""Reads pictures that a LeRobot dataset keeps one by one in its tables, instead of as video."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq

from backend.episodes.frames import FramesError


def stored_images(path: Path, column: str, *, episode: int, root: Path) -> Iterator[np.ndarray]:
    """The pictures of one episode in order, uint8 [height, width, 3] RGB.

    Args:
        path: A table of the dataset.
        column: The feature's full name.
        episode: Its number.
        root: The dataset's folder, from where pictures beside the table are named.

    Raises:
        FramesError: One cannot be read.
    """
    filters = [("episode_index", "=", episode)]
    table = pq.read_table(path, columns=[column, "frame_index"], filters=filters)
    for cell in table.sort_by("frame_index")[column]:
        stored = cell.as_py()
        content = stored["bytes"] or (root / stored["path"]).read_bytes()
        bgr = cv2.imdecode(np.frombuffer(content, dtype=np.uint8), cv2.IMREAD_COLOR)
        if bgr is None:
            raise FramesError(f"a picture of {column} in {path} cannot be read")
        yield cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
