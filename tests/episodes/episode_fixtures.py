"""Small episodes for tests: every frame's colours say which step and camera it belongs to."""

from pathlib import Path

import numpy as np

from backend.domain import Driver, EndReason, Outcome
from backend.episodes.format import CameraSize, EpisodeEnd, EpisodeHeader, Step
from backend.episodes.store import EpisodeWriter

JOINTS = ("shoulder_pan.pos", "elbow_flex.pos", "gripper.pos")
STARTED_S = 1_700_000_000.0


def make_header(id: str = "e1", **changes: object) -> EpisodeHeader:
    fields: dict = {
        "id": id,
        "session_id": "s1",
        "number": 1,
        "robot": "so101_sim_touch",
        "robot_type": "sim_so_follower",
        "task": "Touch the red cube",
        "fps": 10.0,
        "state_names": JOINTS,
        "action_names": JOINTS,
        "cameras": {
            "overhead": CameraSize(width=96, height=64),
            "wrist": CameraSize(width=64, height=64),
        },
        "policy": "scripted",
        "checkpoint_id": None,
        "started_s": STARTED_S,
        "operator": "operator",
    }
    return EpisodeHeader(**{**fields, **changes})


def frame_of(step: int, camera: str, size: CameraSize) -> np.ndarray:
    """A picture whose brightness counts the steps; the wrist camera counts downwards."""
    level = 20 + 6 * (step % 30)
    frame = np.full((size.height, size.width, 3), level if camera != "wrist" else 220 - level)
    return frame.astype(np.uint8)


def step_in_frame(frame: np.ndarray, camera: str = "overhead") -> int:
    """Which step `frame_of` drew this for, modulo 30."""
    level = float(frame.mean())
    return round(((level if camera != "wrist" else 220 - level) - 20) / 6)


def make_step(step: int, header: EpisodeHeader, *, human: bool = False) -> Step:
    wall_s = header.started_s + step / header.fps
    dim = len(header.action_names)
    return Step(
        step=step,
        timestamp_s=step / header.fps,
        wall_s=wall_s,
        state=np.full(len(header.state_names), step, np.float32),
        action=np.full(dim, step + 0.5, np.float32),
        requested=np.full(dim, step + 0.75, np.float32),
        driver=Driver.HUMAN if human else Driver.POLICY,
        value=None if step % 3 == 0 else -step / 100,
        spread=None if step % 3 == 0 else 0.1,
        frames={camera: frame_of(step, camera, size) for camera, size in header.cameras.items()},
        frame_wall_s=dict.fromkeys(header.cameras, wall_s - 0.02),
    )


def record(
    episodes_dir: Path,
    header: EpisodeHeader | None = None,
    *,
    num_steps: int = 25,
    human: range = range(5, 10),
    outcome: Outcome = Outcome.SUCCESS,
    end_reason: EndReason | None = None,
) -> Path:
    """Record a whole finished episode; return its folder."""
    header = header or make_header()
    writer = EpisodeWriter.create(episodes_dir, header)
    for step in range(num_steps):
        writer.add(make_step(step, header, human=step in human))
    graded = outcome is not Outcome.NONE
    return writer.finish(
        EpisodeEnd(
            end_reason=end_reason or (EndReason(outcome.value) if graded else EndReason.TIMEOUT),
            outcome=outcome,
            ended_s=header.started_s + num_steps / header.fps,
            num_steps=num_steps,
            num_human_steps=len([s for s in human if s < num_steps]),
            command_id=f"command-{header.id}" if graded else None,
            author="ana" if graded else "",
        )
    )
