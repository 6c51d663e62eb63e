"""Reads a dataset's tables as far as they can be read, for the checks that follow.

Unlike `LeRobotFolder` this refuses nothing: what is missing or torn becomes a finding, and the
checks go on with the rest.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from backend.jobs.health_finding import Finding, Severity

CAMERA_PREFIX = "observation.images."
PICTURE_TYPES = ("video", "image")


class DatasetTables:
    """What could be read. Lists and tables are empty where nothing could."""

    def __init__(self, root: Path) -> None:
        """Read the dataset at `root`; see `findings` for what could not be read."""
        self.root = root
        self.findings: list[Finding] = []
        self.info: dict[str, Any] = self._read_json("meta/info.json", needed=True)
        self.stats: dict[str, Any] = self._read_json("meta/stats.json", needed=False)
        features, fps = self.info.get("features"), self.info.get("fps")
        self.features: dict[str, Any] = features if isinstance(features, dict) else {}
        self.fps = float(fps) if isinstance(fps, int | float) else 0.0
        self.places: list[dict[str, Any]] = self._read_places()
        self.rows = self._read_rows()
        self.episode_of_row = self._column("episode_index").astype(np.int64)
        # First row and row behind the last, by the episode's number.
        numbers, starts, counts = np.unique(
            self.episode_of_row, return_index=True, return_counts=True
        )
        self.spans = {
            int(number): slice(int(start), int(start + count))
            for number, start, count in zip(numbers, starts, counts, strict=True)
        }

    @property
    def are_whole(self) -> bool:
        """Whether everything could be read."""
        return not self.findings

    def num_rows(self, episode: int) -> int:
        """Rows of an episode; 0 when it is not there."""
        span = self.spans.get(episode)
        return span.stop - span.start if span else 0

    @property
    def num_frames(self) -> int:
        return len(self.rows)

    @property
    def cameras(self) -> Mapping[str, Mapping[str, Any]]:
        """Features of pictures by their full name."""
        return {
            name: feature
            for name, feature in self.features.items()
            if isinstance(feature, dict) and feature.get("dtype") in PICTURE_TYPES
        }

    def numbers(self, name: str) -> np.ndarray | None:
        """float64 [rows, width] of a column of numbers; None when there is none."""
        if name not in self.rows.column_names or not self.num_frames:
            return None
        return self._column(name).reshape(self.num_frames, -1)

    def number_columns(self) -> Sequence[str]:
        """Columns that hold numbers."""
        return [name for name in self.rows.column_names if _holds_numbers(self.rows[name].type)]

    def dimension_names(self, name: str, width: int) -> list[str]:
        """Names of a column's dimensions, as far as the dataset gives them."""
        given = (self.features.get(name) or {}).get("names")
        if isinstance(given, dict):
            given = [each for part in given.values() for each in part]
        if isinstance(given, list) and len(given) == width:
            return [str(each) for each in given]
        return [f"dimension {index}" for index in range(width)] if width > 1 else [name]

    def _column(self, name: str) -> np.ndarray:
        if name not in self.rows.column_names:
            return np.zeros(0)
        column = self.rows[name].combine_chunks()
        while pa.types.is_list(column.type) or pa.types.is_fixed_size_list(column.type):
            column = column.flatten()
        values = column.to_numpy(zero_copy_only=False)
        return np.asarray(values, dtype=np.float64)

    def _read_json(self, name: str, *, needed: bool) -> dict[str, Any]:
        try:
            content = json.loads((self.root / name).read_text(encoding="utf-8"))
            if isinstance(content, dict):
                return content
            problem = f"it holds a {type(content).__name__}"
        except (OSError, ValueError) as error:
            problem = str(error)
        if needed:
            self.findings.append(
                Finding(
                    severity=Severity.BROKEN,
                    code="no_info",
                    title=f"{name} is missing or cannot be read",
                    detail=f"Without it nothing knows what the dataset holds: {problem}.",
                    remedy="Copy the dataset again, whole; a recording must be ended with "
                    "finalize().",
                )
            )
        return {}

    def _read_places(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        for table in self._read_parquet("meta/episodes", wanted=lambda n: n[:6] != "stats/"):
            rows.extend(table.to_pylist())
        return sorted(rows, key=lambda row: int(row.get("episode_index", 0)))

    def _read_rows(self) -> pa.Table:
        images = {n for n, f in self.cameras.items() if f.get("dtype") == "image"}
        tables = self._read_parquet("data", wanted=lambda name: name not in images)
        tables = [table for table in tables if "episode_index" in table.column_names]
        if not tables:
            return pa.table({})
        try:
            rows = pa.concat_tables(tables, promote_options="default")
        except pa.ArrowInvalid as error:
            self._unreadable("data", f"its files have different columns: {error}")
            rows = tables[0]
        order = [(n, "ascending") for n in ("episode_index", "frame_index")]
        return rows.sort_by([by for by in order if by[0] in rows.column_names])

    def _read_parquet(self, folder: str, *, wanted: Any) -> list[pa.Table]:
        files = sorted((self.root / folder).glob("*/*.parquet"))
        if not files and self.info:
            self._unreadable(folder, "the folder is missing or empty")
        tables = []
        for file in files:
            try:
                names = [name for name in pq.read_schema(file).names if wanted(name)]
                tables.append(pq.read_table(file, columns=names))
            except (pa.ArrowInvalid, OSError) as error:
                self._unreadable(file.relative_to(self.root).as_posix(), str(error))
        return tables

    def _unreadable(self, what: str, why: str) -> None:
        self.findings.append(
            Finding(
                severity=Severity.BROKEN,
                code="unreadable_table",
                title=f"{what} cannot be read",
                detail=f"The file is torn or was never finished: {why.splitlines()[0]}",
                remedy="Copy it again from where it came; a recording must be ended with "
                "finalize().",
            )
        )


def _holds_numbers(kind: pa.DataType) -> bool:
    while pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind):
        kind = kind.value_type
    return bool(
        pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)
    )
