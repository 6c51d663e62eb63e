"""The robot's computer: an actor of its own, a disk of its own, and a line to the server."""

import os
import subprocess
import sys
import uuid
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from backend.actor.spool import NOTE_FILE, Spool
from backend.domain import Driver, EndReason, Outcome
from backend.episodes.format import CameraSize, EpisodeEnd, EpisodeHeader, Step
from tests.flows.processes import ROOT, HandrailProcess, end_of, wait_for


class DistantActor:
    """`python -m backend.actor` with a data directory that no server reads."""

    def __init__(
        self, url: str, data_dir: Path, *, token: str, under: Sequence[str] = (), robot="synthetic"
    ) -> None:
        """`under`: what the command is run with, such as `ip netns exec NAME`."""
        self.data_dir = data_dir
        self._command = [
            *under,
            *(sys.executable, "-m", "backend.actor", "--server", url, "--token", token),
            *("--robot", robot, "--data-dir", str(data_dir)),
        ]
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> "DistantActor":
        self.data_dir.mkdir(parents=True, exist_ok=True)
        environment = {k: v for k, v in os.environ.items() if k != "HANDRAIL_ACTOR_TOKEN"}
        with (self.data_dir / "actor.log").open("ab") as log:
            self.process = subprocess.Popen(
                self._command, cwd=ROOT, stdout=log, stderr=log, env=environment
            )
        return self

    def wait_connected(self, server: HandrailProcess) -> None:
        """Wait until the server knows this process; one that ends fails the test at once."""

        def check() -> bool:
            assert self.process is not None
            assert self.process.poll() is None, f"the actor has ended\n{self.last_words()}"
            return server.connected_actor() == self.process.pid

        wait_for("the actor to connect", check, timeout_s=240, tell=self.last_words)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait(timeout=10)

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.kill()

    @property
    def log(self) -> str:
        return (self.data_dir / "actor.log").read_text()

    def last_words(self) -> str:
        """How the log ends."""
        return end_of(self.data_dir / "actor.log")

    def waiting(self) -> list[Path]:
        """What the server has not confirmed yet."""
        return Spool(self.data_dir / "episodes", keep_bytes=0).waiting()

    def spool_episode(self, *, num_steps: int = 30) -> Path:
        """Leave a large episode, as one recorded earlier that nobody fetched: pictures of noise."""
        size = CameraSize(width=640, height=480)
        header = EpisodeHeader(
            id=str(uuid.uuid4()),
            session_id="earlier",
            number=1,
            robot="synthetic",
            robot_type="synthetic",
            task="Wave",
            fps=30.0,
            state_names=("one.pos",),
            action_names=("one.pos",),
            cameras={"front": size},
            policy="hold",
            checkpoint_id=None,
            started_s=1.0,
            operator="ana",
        )
        folder = self.data_dir / "episodes"
        folder.mkdir(parents=True, exist_ok=True)
        writer = Spool(folder, keep_bytes=0).create(header)
        noise = np.random.default_rng(0)
        for step in range(num_steps):
            zeros = np.zeros(1, np.float32)
            frame = noise.integers(0, 256, (size.height, size.width, 3), np.uint8)
            writer.add(
                Step(
                    step=step,
                    timestamp_s=step / header.fps,
                    wall_s=1.0 + step / header.fps,
                    state=zeros,
                    action=zeros,
                    requested=zeros,
                    driver=Driver.POLICY,
                    frames={"front": frame},
                    frame_wall_s={"front": 1.0},
                )
            )
        return writer.finish(
            EpisodeEnd(
                end_reason=EndReason.SUCCESS,
                outcome=Outcome.SUCCESS,
                ended_s=3.0,
                num_steps=num_steps,
                num_human_steps=0,
            )
        )


def same_files(folder: Path, other: Path) -> bool:
    """Whether two episode folders hold the same, leaving out what says where they have been."""
    left_out = {NOTE_FILE, "recorder.lock", "upload.json"}
    found = [
        {path.name: path.read_bytes() for path in one.iterdir() if path.name not in left_out}
        for one in (folder, other)
    ]
    return found[0] == found[1] != {}
