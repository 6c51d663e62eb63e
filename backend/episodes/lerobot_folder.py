"""Reads a LeRobot v3 dataset from its folder: outcomes, states, actions, where pictures are.

LeRobot itself is not needed, so the server can count what a dataset holds before a job starts. The
layout is LeRobot's (`meta/info.json`, `meta/episodes`, `data`, `videos`); downloading from the Hub
is the caller's business.

What an episode's columns say of its outcome:
- no `next.reward` and no `next.success`: a demonstration, taken as a success;
- `next.success`, or without that column a reward above 0: a success; truncated, or never done:
  nobody judged it; else a failure. Rewards that decide must be the sparse 0/1 of LeRobot's tools.
- who drove is read from `intervention` and `complementary_info.is_intervention`, either or both.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from backend.domain import Outcome
from backend.episodes.frames import Pictures
from backend.episodes.lerobot_images import stored_images
from backend.episodes.outcomes import SUBTASK_COLUMN

CAMERA_PREFIX = "observation.images."
HUMAN_COLUMNS = ("intervention", "complementary_info.is_intervention")
OUTCOME_COLUMNS = ("next.reward", "next.success", "next.done", "next.truncated")
# Kept by LeRobot itself; a recording has them without storing them.
COUNTING_COLUMNS = ("timestamp", "frame_index", "episode_index", "index", "task_index")
# Becomes the name of a file.
CAMERA_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,95}")
MANIFEST_FILE = "manifest.json"


class DatasetFolderError(ValueError):
    """A folder that is no dataset this reads. Says what came, what was expected, what to do."""


@dataclass(frozen=True, kw_only=True)
class DatasetEpisode:
    """One episode of a dataset."""

    index: int
    task: str
    num_steps: int
    num_human_steps: int
    outcome: Outcome
    # Neither rewards nor successes are stored.
    is_demonstration: bool


class LeRobotFolder:
    """One dataset on the disk; its tables are read once."""

    def __init__(self, root: Path, *, judged: bool = True) -> None:
        """Read the tables of the dataset at `root`.

        Args:
            root: Its folder.
            judged: Read outcomes; else no episode has one, whatever its columns say.

        Raises:
            DatasetFolderError: There is none, or it is of another version or kind.
        """
        self.root = root
        self._judged = judged
        try:
            info: dict[str, Any] = json.loads((root / "meta/info.json").read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise DatasetFolderError(f"{root} holds no LeRobot dataset: {error}") from error
        version = str(info.get("codebase_version"))
        if not version.startswith("v3."):
            raise DatasetFolderError(
                f"{root} is a LeRobot dataset {version}, needed is v3: convert it with "
                "lerobot.scripts.convert_dataset_v21_to_v30"
            )
        self._info = info
        features: dict[str, Any] = info["features"]
        self.fps = float(info["fps"])
        self.cameras = tuple(
            sorted(
                name.removeprefix(CAMERA_PREFIX)
                for name, feature in features.items()
                if name.startswith(CAMERA_PREFIX) and feature["dtype"] in ("video", "image")
            )
        )
        missing = [name for name in ("observation.state", "action") if name not in features]
        missing += [] if self.cameras else [f"{CAMERA_PREFIX}<camera>"]
        if missing:
            raise DatasetFolderError(
                f"{root} has no {' and no '.join(missing)}, which a policy learns from"
            )
        self._check_names()
        self.state_dim = int(features["observation.state"]["shape"][0])
        self.action_dim = int(features["action"]["shape"][0])
        self._table = self._read_rows(features)
        self._places = {int(row["episode_index"]): row for row in self._read_places().to_pylist()}
        self.episodes = [self._episode(index) for index in sorted(self._places)]

    @property
    def robot_type(self) -> str:
        """LeRobot's word for the robot; empty when the dataset does not say."""
        return str(self._info.get("robot_type") or "")

    @property
    def state_names(self) -> tuple[str, ...]:
        """Names of the state's dimensions."""
        return self._names("observation.state", self.state_dim)

    @property
    def action_names(self) -> tuple[str, ...]:
        """Names of the action's dimensions."""
        return self._names("action", self.action_dim)

    @property
    def unread_columns(self) -> list[str]:
        """Features beyond those that are read here."""
        cameras = {CAMERA_PREFIX + camera for camera in self.cameras}
        known = {"observation.state", "action", *HUMAN_COLUMNS, *OUTCOME_COLUMNS, SUBTASK_COLUMN}
        return sorted(self._info["features"].keys() - known - cameras - {*COUNTING_COLUMNS})

    @property
    def says_who_drove(self) -> bool:
        """Whether it flags human steps."""
        return bool({*HUMAN_COLUMNS} & {*self._table.column_names})

    @property
    def source_ids(self) -> dict[int, str]:
        """Ids of the recorded episodes that Handrail exported into this dataset, by index."""
        try:
            manifest = json.loads((self.root / MANIFEST_FILE).read_text("utf-8"))
            return {index: str(id) for index, id in enumerate(manifest["episode_ids"])}
        except (OSError, ValueError, KeyError, TypeError):
            return {}

    def states(self, index: int) -> np.ndarray:
        """float32 [steps, state dim]."""
        return self._vectors("observation.state", index)

    def actions(self, index: int) -> np.ndarray:
        """float32 [steps, action dim]."""
        return self._vectors("action", index)

    def is_human(self, index: int) -> np.ndarray:
        """bool [steps]: a person produced the action."""
        rows = self._rows(index)
        human = np.zeros(len(rows), dtype=bool)
        for name in HUMAN_COLUMNS:
            if name in self._table.column_names:
                human |= self._numbers(name, rows) > 0.5
        return human

    def subtasks(self, index: int) -> list[str]:
        """The subtask of each step; all empty when the dataset names none."""
        rows = self._rows(index)
        if SUBTASK_COLUMN not in self._table.column_names:
            return [""] * len(rows)
        texts = self._table[SUBTASK_COLUMN].take(pa.array(rows)).to_pylist()
        return [str(text or "").strip() for text in texts]

    def pictures(self, index: int, camera: str) -> Pictures:
        """Where the pictures of one camera are."""
        key = CAMERA_PREFIX + camera
        place = self._places[index]
        steps = int(place["length"])
        if self._info["features"][key]["dtype"] == "video":
            path = self.root / self._info["video_path"].format(
                video_key=key,
                chunk_index=place[f"videos/{key}/chunk_index"],
                file_index=place[f"videos/{key}/file_index"],
            )
            first_s = float(place[f"videos/{key}/from_timestamp"])
            return Pictures(path=path, num_frames=steps, fps=self.fps, first_s=first_s)
        path = self._data_path(place["data/chunk_index"], place["data/file_index"])
        return Pictures(
            path=path,
            num_frames=steps,
            fps=self.fps,
            rows=lambda: stored_images(path, key, episode=index, root=self.root),
            part=f"{key} {index}",
        )

    def _episode(self, index: int) -> DatasetEpisode:
        rows = self._rows(index)
        names = self._table.column_names
        place = self._places[index]
        if len(rows) != place["length"]:
            raise DatasetFolderError(
                f"episode {index} of {self.root} has {len(rows)} rows, its metadata says "
                f"{place['length']}: was finalize() called?"
            )
        demonstration = not {"next.reward", "next.success"} & set(names)
        outcome = Outcome.NONE
        if self._judged:
            outcome = Outcome.SUCCESS if demonstration else self._outcome(index, rows)
        return DatasetEpisode(
            index=index,
            task=str(place["tasks"][0]) if place["tasks"] else "",
            num_steps=len(rows),
            num_human_steps=int(self.is_human(index).sum()),
            outcome=outcome,
            is_demonstration=demonstration,
        )

    def _outcome(self, index: int, rows: np.ndarray) -> Outcome:
        names = self._table.column_names
        if "next.success" in names:
            if self._numbers("next.success", rows).any():
                return Outcome.SUCCESS
        else:
            rewards = self._numbers("next.reward", rows)
            if not np.isin(rewards, (0.0, 1.0)).all():
                odd = rewards[~np.isin(rewards, (0.0, 1.0))][0]
                raise DatasetFolderError(
                    f"episode {index} of {self.root} has a reward of {odd:g}; only sparse rewards "
                    "say how an attempt ended: 1 where it succeeds, else 0"
                )
            if rewards.any():
                return Outcome.SUCCESS
        if "next.truncated" in names and self._numbers("next.truncated", rows).any():
            return Outcome.NONE
        if "next.done" in names and not self._numbers("next.done", rows).any():
            return Outcome.NONE
        return Outcome.FAILURE

    def _rows(self, index: int) -> np.ndarray:
        first, end = np.searchsorted(self._episode_of_row, [index, index + 1])
        return np.arange(first, end)

    def _numbers(self, name: str, rows: np.ndarray) -> np.ndarray:
        taken = self._table[name].take(pa.array(rows)).combine_chunks()
        while pa.types.is_list(taken.type) or pa.types.is_fixed_size_list(taken.type):
            taken = taken.flatten()
        return np.asarray(taken.to_numpy(zero_copy_only=False)).astype(np.float64)

    def _vectors(self, name: str, index: int) -> np.ndarray:
        rows = self._rows(index)
        return self._numbers(name, rows).astype(np.float32).reshape(len(rows), -1)

    def _names(self, name: str, dim: int) -> tuple[str, ...]:
        given = self._info["features"][name].get("names")
        if isinstance(given, dict):
            given = [each for part in given.values() for each in part]
        if isinstance(given, list) and len(given) == dim:
            return tuple(str(each) for each in given)
        return tuple(f"{name.removeprefix('observation.')}_{index}" for index in range(dim))

    def _check_names(self) -> None:
        for camera in self.cameras:
            if not CAMERA_NAME.fullmatch(camera):
                raise DatasetFolderError(
                    f"{self.root} has a camera named {camera!r}: names are letters, digits, '_', "
                    "'-' and '.'; rename the feature"
                )
        for template in ("data_path", "video_path"):
            if ".." in Path(str(self._info.get(template, ""))).parts:
                raise DatasetFolderError(f"{self.root} leads out of its folder with its {template}")

    def _read_rows(self, features: dict[str, Any]) -> pa.Table:
        wanted = {
            *("observation.state", "action", "episode_index", "frame_index"),
            *HUMAN_COLUMNS,
            *OUTCOME_COLUMNS,
            SUBTASK_COLUMN,
        }
        columns = sorted(wanted & features.keys())
        files = sorted((self.root / "data").glob("*/*.parquet"))
        if not files:
            raise DatasetFolderError(f"{self.root} has no data: was finalize() called?")
        try:
            table = pa.concat_tables([pq.read_table(file, columns=columns) for file in files])
        except (pa.ArrowInvalid, OSError) as error:
            raise DatasetFolderError(
                f"{self.root} cannot be read, was finalize() called? {error}"
            ) from error
        table = table.sort_by([("episode_index", "ascending"), ("frame_index", "ascending")])
        self._episode_of_row = np.asarray(table["episode_index"].to_numpy())
        return table

    def _read_places(self) -> pa.Table:
        files = sorted((self.root / "meta/episodes").glob("*/*.parquet"))
        if not files:
            raise DatasetFolderError(f"{self.root} has no meta/episodes: was finalize() called?")
        names = pq.read_schema(files[0]).names
        columns = [name for name in names if not name.startswith("stats/")]
        return pa.concat_tables([pq.read_table(file, columns=columns) for file in files])

    def _data_path(self, chunk_index: int, file_index: int) -> Path:
        name = self._info["data_path"].format(chunk_index=chunk_index, file_index=file_index)
        return self.root / str(name)
