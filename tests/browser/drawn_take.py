"""What the scripted actor records: a real episode folder with drawn pictures."""

import math
import time
import uuid
from pathlib import Path

import cv2
import numpy as np

from backend.domain import Driver, EndReason, Outcome
from backend.episodes.format import CameraSize, EpisodeEnd, EpisodeHeader, Step
from backend.episodes.store import EpisodeWriter

CAMERAS = ("overhead", "wrist")
WIDTH, HEIGHT = 320, 240
JOINTS = ("shoulder_pan.pos", "gripper.pos")
MOVES = {"ArrowUp": (0, -1), "ArrowDown": (0, 1), "ArrowLeft": (-1, 0), "ArrowRight": (1, 0)}


class Scene:
    """A dot that keys and a policy move, seen by two cameras."""

    def __init__(self) -> None:
        self._at = np.array([0.5, 0.6])
        self._count = 0

    def move(self, driver: Driver, held: list[str]) -> None:
        self._count += 1
        if driver is Driver.HUMAN:
            for code in held:
                self._at += 0.02 * np.array(MOVES.get(code, (0, 0)))
        elif driver is Driver.POLICY:
            self._at += 0.01 * np.array([math.cos(self._count / 17), math.sin(self._count / 13)])
        self._at = self._at.clip(0.1, 0.9)

    @property
    def state(self) -> np.ndarray:
        return self._at.astype(np.float32)

    def picture(self, camera: int) -> np.ndarray:
        """uint8 [HEIGHT, WIDTH, 3] BGR."""
        shade = np.linspace(200, 150, HEIGHT, dtype=np.uint8)[:, None, None]
        picture = np.broadcast_to(shade, (HEIGHT, WIDTH, 3)).copy()
        cv2.rectangle(picture, (40, 150 - 30 * camera), (280, 215), (120, 140, 150), -1)
        cv2.rectangle(picture, (200, 160), (226, 186), (40, 40, 190), -1)
        at = (int(self._at[0] * WIDTH), int(self._at[1] * HEIGHT))
        cv2.line(picture, (160, 30), at, (70, 70, 70), 12)
        cv2.circle(picture, at, 14, (30, 130, 230), -1)
        return picture


class DrawnTake:
    """One attempt, recorded as the real recorder does it."""

    def __init__(
        self, episodes_dir: Path, *, session_id: str, number: int, robot: str, task: str, fps: float
    ) -> None:
        self.header = EpisodeHeader(
            id=str(uuid.uuid4()),
            session_id=session_id,
            number=number,
            robot=robot,
            robot_type="drawn",
            task=task,
            fps=fps,
            state_names=JOINTS,
            action_names=JOINTS,
            cameras={name: CameraSize(width=WIDTH, height=HEIGHT) for name in CAMERAS},
            policy="scripted",
            checkpoint_id=None,
            started_s=time.time(),
            operator="Ana",
        )
        self._writer = EpisodeWriter.create(episodes_dir, self.header)

    @property
    def steps(self) -> int:
        return self._writer.num_steps

    @property
    def human_steps(self) -> int:
        return self._writer.num_human_steps

    def add(self, driver: Driver, state: np.ndarray, pictures: list[np.ndarray]) -> None:
        now_s = time.time()
        self._writer.add(
            Step(
                step=self.steps,
                timestamp_s=self.steps / self.header.fps,
                wall_s=now_s,
                state=state,
                action=state,
                requested=state,
                driver=driver,
                frames={
                    name: np.ascontiguousarray(picture[..., ::-1])
                    for name, picture in zip(CAMERAS, pictures, strict=True)
                },
                frame_wall_s=dict.fromkeys(CAMERAS, now_s),
            )
        )

    def finish(
        self, reason: EndReason, outcome: Outcome, *, command_id: str | None, author: str
    ) -> None:
        self._writer.finish(
            EpisodeEnd(
                end_reason=reason,
                outcome=outcome,
                ended_s=time.time(),
                num_steps=self.steps,
                num_human_steps=self.human_steps,
                command_id=command_id,
                author=author,
            )
        )

    def abandon(self) -> None:
        """Leave it as a killed recorder does."""
        self._writer.close()
