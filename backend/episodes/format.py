"""What an episode is on disk: the nouns that its writer and its readers share.

    episodes/<uuid>/
      header.json      what is known before the first step; written and fsynced first
      steps.arrow      Arrow IPC stream, a record batch at least once a second
      <camera>.mp4     fragmented H.264, one frame a step, a key frame a second
      recorder.lock    held with flock by its recorder for as long as that lives
      episode.json     header and end together; written last, by rename: it makes the folder final

A folder without `episode.json` is a take whose recorder is still at work or was killed.
One step is one row and one frame of every camera, so frame n of a video belongs to row n.
Steps are not recorded while the robot is held: their count never jumps, their `wall_s` does.
"""

from dataclasses import dataclass, field

import numpy as np

from backend.domain import Driver, EndReason, Outcome

FORMAT_VERSION = 1
EPISODES_DIR = "episodes"
HEADER_FILE = "header.json"
STEPS_FILE = "steps.arrow"
FINAL_FILE = "episode.json"


@dataclass(frozen=True, kw_only=True)
class CameraSize:
    """Pixels of one recorded camera."""

    width: int
    height: int


@dataclass(frozen=True, kw_only=True)
class EpisodeHeader:
    """What is known when an attempt starts."""

    id: str
    session_id: str
    # Position in its session, from 1.
    number: int
    # Name of the robot config and the LeRobot robot type behind it.
    robot: str
    robot_type: str
    task: str
    fps: float
    # Names of the dimensions of state and action, LeRobot's own (`shoulder_pan.pos`, …).
    state_names: tuple[str, ...]
    action_names: tuple[str, ...]
    cameras: dict[str, CameraSize]
    # `hold`, `scripted` or a checkpoint id.
    policy: str
    # Checkpoint that acted, as `run/step`; None for policies that are no checkpoint.
    checkpoint_id: str | None
    # Unix time, seconds.
    started_s: float
    operator: str
    format_version: int = FORMAT_VERSION


@dataclass(frozen=True, kw_only=True)
class Step:
    """One control step, as it was executed."""

    step: int
    # Seconds since the episode's first step: `step / fps` nominally.
    timestamp_s: float
    # When it really happened, Unix time in seconds.
    wall_s: float
    # float32 [state dim]: what the robot reported before the action.
    state: np.ndarray
    # float32 [action dim]: what `send_action` returned, i.e. what was executed.
    action: np.ndarray
    # float32 [action dim]: what the driver had asked for before any clamp.
    requested: np.ndarray
    driver: Driver
    # Critic's value and spread at this step when they arrived in time.
    value: float | None = None
    spread: float | None = None
    # uint8 [height, width, 3] RGB for every camera of the header.
    frames: dict[str, np.ndarray] = field(default_factory=dict)
    # Capture time of each frame, Unix time in seconds.
    frame_wall_s: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class EpisodeEnd:
    """How it ended; `outcome` is the grade given at that moment, labels may say otherwise later."""

    end_reason: EndReason
    outcome: Outcome
    ended_s: float
    num_steps: int
    num_human_steps: int
    # The command that graded it and who gave it.
    command_id: str | None = None
    author: str = ""
