"""Shows what a robot's cameras see while nobody has it open, for as long as somebody looks.

A child process opens the cameras, because the server may not import LeRobot; it is described in
`backend.robots.preview_process`. There is one at a time. It ends when nobody has asked for a
picture for a few seconds, when its robot is looked over, and before a session opens: all of them
need the cameras for themselves.

Runs on the event loop only. The newest picture of each camera is kept, no other.
"""

import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from backend.api.errors import ApiError
from backend.api.messages import Documented
from backend.domain import Phase
from backend.robots.config import RobotConfig

log = logging.getLogger(__name__)
REPOSITORY = Path(__file__).parents[2]
CHILD = "backend.robots.preview_process"
# Nobody looks any more when nobody has asked for this long; drivers take longer to load than that.
UNWATCHED_S = 6.0
LOOK_EVERY_S = 0.5
# A child that does not end politely within this is killed.
END_S = 5.0


class PreviewCamera(Documented):
    """One camera that gives pictures."""

    name: str
    width: int
    """Of its own pictures, in pixels; those that are shown may be smaller."""
    height: int
    pictures: int
    """How many have come so far."""


class RobotPreview(Documented):
    """What is to be seen of a robot now."""

    robot: str
    state: Literal["off", "starting", "live", "failed"]
    cameras: list[PreviewCamera] = Field(default_factory=list)
    problems: list[str] = Field(default_factory=list)
    """Cameras that give nothing, and why."""
    message: str = ""
    """Why it failed."""


@dataclass(kw_only=True)
class _Preview:
    robot: str
    child: asyncio.subprocess.Process
    asked_s: float
    now: RobotPreview
    jpegs: dict[str, bytes]
    task: asyncio.Task[None] | None = None


class RobotPreviews:
    """At most one running preview.

    Args:
        phase: Of the session, now.
        monotonic_s: Seconds.
    """

    def __init__(self, *, phase: Callable[[], Phase], monotonic_s: Callable[[], float]) -> None:
        self._phase = phase
        self._monotonic_s = monotonic_s
        self._running: _Preview | None = None
        self._last: RobotPreview | None = None
        self._ending: asyncio.Task[None] | None = None
        self._changing = asyncio.Lock()

    def now(self, robot: str) -> RobotPreview:
        """How it is with a robot's preview."""
        running = self._running
        if running is not None and running.robot == robot:
            running.asked_s = self._monotonic_s()
            return running.now
        if self._last is not None and self._last.robot == robot:
            return self._last
        return RobotPreview(robot=robot, state="off")

    def picture(self, robot: str, camera: str) -> bytes | None:
        """The newest JPEG of a camera; None when there is none."""
        running = self._running
        if running is None or running.robot != robot:
            return None
        running.asked_s = self._monotonic_s()
        return running.jpegs.get(camera)

    async def start(self, config: RobotConfig) -> RobotPreview:
        """Begin to look; harmless when it is running. Another robot's preview ends.

        Raises:
            ApiError: 409, a session is open and has the cameras.
        """
        if self._phase() is not Phase.CLOSED:
            raise ApiError(
                409,
                "session_open",
                f"the cameras of {config.name} belong to the session that is open",
                hint="See them on the Live page, or close the session there.",
            )
        async with self._changing:
            running = self._running
            if running is None or running.robot != config.name:
                await self._end()
                self._running = await self._begin(config)
        return self.now(config.name)

    async def stop(self) -> None:
        """Let go of the cameras and wait until they are free; harmless when nothing runs."""
        async with self._changing:
            await self._end()

    async def _begin(self, config: RobotConfig) -> _Preview:
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", CHILD, str(config.source.absolute())),
            cwd=REPOSITORY,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        preview = _Preview(
            robot=config.name,
            child=child,
            asked_s=self._monotonic_s(),
            now=RobotPreview(robot=config.name, state="starting"),
            jpegs={},
        )
        self._last = None
        preview.task = asyncio.create_task(self._follow(preview))
        return preview

    async def _end(self) -> None:
        preview, self._running = self._running, None
        if preview is not None and preview.task is not None:
            preview.task.cancel()
            self._ending = preview.task
        if self._ending is not None:
            # Whoever waits here may go away; the child ends all the same, and the next one waits.
            await asyncio.wait({self._ending})
            self._ending = None

    async def _follow(self, preview: _Preview) -> None:
        """Read until the child ends, or until nobody looks; then it has ended."""
        child = preview.child
        assert child.stderr is not None
        errors = asyncio.create_task(child.stderr.read())
        watching = asyncio.create_task(self._until_unwatched(preview))
        reading = asyncio.create_task(self._read(preview))
        try:
            done, _ = await asyncio.wait({watching, reading}, return_when=asyncio.FIRST_COMPLETED)
            if reading in done:
                said = (await errors).decode(errors="replace")
                log.warning("the preview of %s ended:\n%s", preview.robot, said)
                last = next(iter(said.strip().splitlines()[::-1]), "it said nothing")
                self._last = RobotPreview(
                    robot=preview.robot, state="failed", message=f"the preview ended: {last}"
                )
        finally:
            for task in (watching, reading):
                task.cancel()
            await _end_child(child)
            await _drain(child, errors)
            if self._running is preview:
                self._running = None

    async def _until_unwatched(self, preview: _Preview) -> None:
        while self._monotonic_s() - preview.asked_s < UNWATCHED_S:
            await asyncio.sleep(LOOK_EVERY_S)

    async def _read(self, preview: _Preview) -> None:
        stdout = preview.child.stdout
        assert stdout is not None
        with contextlib.suppress(asyncio.IncompleteReadError):
            async for text in stdout:
                line = json.loads(text)
                if "bytes" in line:
                    preview.jpegs[line["camera"]] = await stdout.readexactly(line["bytes"])
                preview.now = _with(preview.now, line)


def _with(now: RobotPreview, line: dict[str, Any]) -> RobotPreview:
    """What is known after one more line of the child."""
    if "problem" in line:
        return now.model_copy(update={"problems": [*now.problems, line["problem"]]})
    if "camera" not in line:
        return now
    before = {camera.name: camera for camera in now.cameras}
    name = line["camera"]
    before[name] = PreviewCamera(
        name=name,
        width=line["width"],
        height=line["height"],
        pictures=before[name].pictures + 1 if name in before else 1,
    )
    return now.model_copy(update={"state": "live", "cameras": list(before.values())})


async def _drain(child: asyncio.subprocess.Process, errors: asyncio.Task[bytes]) -> None:
    """Read what is left in its pipes: one that is not read to its end is never closed."""
    assert child.stdout is not None
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(asyncio.gather(child.stdout.read(), errors), END_S)


async def _end_child(child: asyncio.subprocess.Process) -> None:
    """Ask it to end, insist after a while, and wait."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if child.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, number)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(child.wait(), END_S)
