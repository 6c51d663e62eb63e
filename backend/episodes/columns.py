"""Steps as columns: the Arrow schema of `steps.arrow` and the arrays its readers get.

Frames are not here: frame n of `<camera>.mp4` belongs to row n.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from backend.domain import Driver
from backend.episodes.format import FORMAT_VERSION, EpisodeHeader, Step

FRAME_WALL_PREFIX = "frame_wall_s."


@dataclass(frozen=True, kw_only=True)
class EpisodeSteps:
    """All steps of one episode, a row a step; n rows."""

    # int64 [n]; float64 [n] seconds since the first step; float64 [n] Unix seconds.
    step: np.ndarray
    timestamp_s: np.ndarray
    wall_s: np.ndarray
    # float32 [n, state dim], float32 [n, action dim] twice: see `format.Step`.
    state: np.ndarray
    action: np.ndarray
    requested: np.ndarray
    # str [n]: values of `Driver`.
    driver: np.ndarray
    # float32 [n]; NaN where the critic had said nothing.
    value: np.ndarray
    spread: np.ndarray
    # float64 [n] Unix seconds by camera.
    frame_wall_s: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.step)

    @property
    def is_human(self) -> np.ndarray:
        """bool [n]: a person produced the action of this step."""
        return np.asarray(self.driver == Driver.HUMAN.value)


def schema_of(header: EpisodeHeader) -> pa.Schema:
    """The Arrow schema of this episode's steps; names of dimensions are in its metadata."""
    state = pa.list_(pa.float32(), len(header.state_names))
    action = pa.list_(pa.float32(), len(header.action_names))
    return pa.schema(
        [
            pa.field("step", pa.int64(), nullable=False),
            pa.field("timestamp_s", pa.float64(), nullable=False),
            pa.field("wall_s", pa.float64(), nullable=False),
            pa.field("state", state, nullable=False),
            pa.field("action", action, nullable=False),
            pa.field("requested", action, nullable=False),
            pa.field("driver", pa.string(), nullable=False),
            pa.field("value", pa.float32()),
            pa.field("spread", pa.float32()),
            *(
                pa.field(FRAME_WALL_PREFIX + camera, pa.float64(), nullable=False)
                for camera in header.cameras
            ),
        ],
        metadata={
            "format_version": str(FORMAT_VERSION),
            "episode_id": header.id,
            "state_names": "\n".join(header.state_names),
            "action_names": "\n".join(header.action_names),
        },
    )


def check_step(step: Step, header: EpisodeHeader, *, expected_step: int) -> None:
    """Refuse a step that does not belong in row `expected_step` of this episode.

    Raises:
        ValueError: Naming what came, what was expected and the episode.
    """
    where = f"episode {header.id}"
    if step.step != expected_step:
        raise ValueError(f"{where} expects step {expected_step} next, got step {step.step}")
    for name, array, names in (
        ("state", step.state, header.state_names),
        ("action", step.action, header.action_names),
        ("requested", step.requested, header.action_names),
    ):
        if array.shape != (len(names),):
            raise ValueError(
                f"{where} takes a {name} of shape {(len(names),)} ({', '.join(names)}), "
                f"got {array.shape} at step {step.step}"
            )
    if step.frames.keys() != header.cameras.keys():
        raise ValueError(
            f"{where} takes one frame of each of its cameras {sorted(header.cameras)}, "
            f"got {sorted(step.frames)} at step {step.step}"
        )
    for camera, size in header.cameras.items():
        frame = step.frames[camera]
        if frame.shape != (size.height, size.width, 3) or frame.dtype != np.uint8:
            raise ValueError(
                f"{where} takes uint8 frames of shape {(size.height, size.width, 3)} from "
                f"{camera}, got {frame.dtype} {frame.shape} at step {step.step}"
            )


def batch_from_steps(steps: Sequence[Step], schema: pa.Schema) -> pa.RecordBatch:
    """Rows for `steps.arrow`; a frame without a capture time gets its step's `wall_s`."""

    def vectors(name: str) -> pa.Array:
        stacked = np.stack([getattr(step, name) for step in steps]).astype(np.float32)
        return pa.FixedSizeListArray.from_arrays(pa.array(stacked.ravel()), stacked.shape[1])

    columns: list[pa.Array] = []
    for field in schema:
        if field.name in ("state", "action", "requested"):
            columns.append(vectors(field.name))
        elif field.name.startswith(FRAME_WALL_PREFIX):
            camera = field.name.removeprefix(FRAME_WALL_PREFIX)
            columns.append(
                pa.array([s.frame_wall_s.get(camera, s.wall_s) for s in steps], field.type)
            )
        else:
            columns.append(pa.array([getattr(step, field.name) for step in steps], field.type))
    return pa.record_batch(columns, schema=schema)


def steps_from_table(table: pa.Table) -> EpisodeSteps:
    """Columns of a table that was written with `schema_of`."""

    def scalars(name: str) -> np.ndarray:
        return np.asarray(table[name].to_numpy())

    def vectors(name: str) -> np.ndarray:
        column = table[name].combine_chunks()
        flat = np.asarray(column.flatten().to_numpy())
        return flat.reshape(len(column), column.type.list_size)

    return EpisodeSteps(
        step=scalars("step"),
        timestamp_s=scalars("timestamp_s"),
        wall_s=scalars("wall_s"),
        state=vectors("state"),
        action=vectors("action"),
        requested=vectors("requested"),
        driver=np.asarray(table["driver"].to_pylist(), dtype="U6"),
        value=_with_gaps(table["value"]),
        spread=_with_gaps(table["spread"]),
        frame_wall_s={
            name.removeprefix(FRAME_WALL_PREFIX): scalars(name)
            for name in table.column_names
            if name.startswith(FRAME_WALL_PREFIX)
        },
    )


def _with_gaps(column: pa.ChunkedArray) -> np.ndarray:
    filled = column.fill_null(float("nan"))
    return np.asarray(filled.to_numpy(), dtype=np.float32)
