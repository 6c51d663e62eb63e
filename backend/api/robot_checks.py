"""Looks robots over in a child process, one at a time, and remembers what was found last.

The server may not import LeRobot, and a driver that hangs must not take the server with it. What
the child says is in `backend.robots.preflight_process`. A check needs ports and cameras for
itself, so none begins while a session is open; an `open` meanwhile is refused by the robot's own
process, which finds the ports in use.

Runs on the event loop only. Pictures are kept in memory, a few tens of kilobytes each.
"""

import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from backend.api.errors import ApiError
from backend.api.messages import Documented
from backend.domain import Phase
from backend.robots.config import RobotConfig
from backend.robots.preflight_finding import Level

log = logging.getLogger(__name__)
REPOSITORY = Path(__file__).parents[2]
CHILD = "backend.robots.preflight_process"


class FindingNow(Documented):
    """One thing that was looked at."""

    check: str
    """`config`, `disk`, `port`, `calibration`, `servos`, `cameras` or `rate`."""
    level: Level
    """`blocking` forbids to open the robot."""
    message: str
    remedy: str = ""
    """What to do; empty when there is nothing to do."""


class RobotCheck(Documented):
    """The newest look at one robot."""

    robot: str
    state: Literal["none", "running", "done", "failed"]
    """`none`: nobody has looked yet. `failed`: the check itself ended badly, see `message`."""
    looking_at: str = ""
    """What is looked at right now, while running."""
    began_s: float | None = None
    ended_s: float | None = None
    may_move: bool | None = None
    """Whether it could be opened; None until a whole check was done."""
    findings: list[FindingNow] = Field(default_factory=list)
    pictures: list[str] = Field(default_factory=list)
    """Cameras whose picture can be had below `pictures/`."""
    message: str = ""


class RobotChecks:
    """All robots' newest checks.

    Args:
        data_dir: Where episodes will be written, for the question of room.
        phase: Of the session, now.
        wall_s: Unix time in seconds.
    """

    def __init__(
        self, *, data_dir: Path, phase: Callable[[], Phase], wall_s: Callable[[], float]
    ) -> None:
        self._data_dir = data_dir
        self._phase = phase
        self._wall_s = wall_s
        self._newest: dict[str, RobotCheck] = {}
        self._pictures: dict[str, dict[str, bytes]] = {}
        self._running: str | None = None

    def newest(self, robot: str) -> RobotCheck:
        """What is known of a robot, also while a check runs."""
        return self._newest.get(robot, RobotCheck(robot=robot, state="none"))

    def picture(self, robot: str, camera: str) -> bytes | None:
        """The newest JPEG of a camera; None when there is none."""
        return self._pictures.get(robot, {}).get(camera)

    async def check(self, config: RobotConfig, *, cameras_only: bool) -> RobotCheck:
        """Look a robot over and wait for the end.

        Args:
            config: The robot's.
            cameras_only: Take new pictures; what else was found before stays.

        Raises:
            ApiError: 409, a session is open or another check runs.
        """
        if self._phase() is not Phase.CLOSED:
            raise ApiError(
                409,
                "session_open",
                f"{config.name} cannot be looked over while a session is open",
                hint="Close the session on the Live page, then check again.",
            )
        if self._running is not None:
            raise ApiError(
                409,
                "busy",
                f"{self._running} is being looked over",
                hint="Wait until that is done, a quarter of a minute or so.",
            )
        self._running = config.name
        before = self.newest(config.name)
        self._newest[config.name] = RobotCheck(
            robot=config.name,
            state="running",
            began_s=self._wall_s(),
            may_move=before.may_move if cameras_only else None,
            findings=before.findings if cameras_only else [],
            pictures=before.pictures if cameras_only else [],
        )
        end: dict[str, Any] = {"state": "failed", "message": "the check was broken off"}
        try:
            end = await self._look(config, cameras_only=cameras_only)
        finally:
            self._running = None
            self._update(config.name, looking_at="", ended_s=self._wall_s(), **end)
        return self.newest(config.name)

    async def _look(self, config: RobotConfig, *, cameras_only: bool) -> dict[str, Any]:
        """Run the child to its end; return the fields that say how it ended."""
        with tempfile.TemporaryDirectory(prefix="handrail-") as pictures:
            child = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", CHILD, str(config.source.absolute())),
                *("--data-dir", str(self._data_dir), "--pictures", pictures),
                *(["--cameras-only"] if cameras_only else []),
                cwd=REPOSITORY,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,
            )
            assert child.stdout is not None
            assert child.stderr is not None
            errors = asyncio.create_task(child.stderr.read())
            result: dict[str, Any] = {}
            try:
                async for text in child.stdout:
                    line = json.loads(text)
                    if "begin" in line:
                        self._update(config.name, looking_at=line["begin"])
                    elif "picture" in line:
                        self._take_picture(config.name, line["picture"], Path(pictures))
                    else:
                        result = line
                await child.wait()
                said = (await errors).decode(errors="replace")
            finally:
                if child.returncode is None:
                    with contextlib.suppress(ProcessLookupError):
                        os.killpg(child.pid, signal.SIGKILL)
                    await child.wait()
                errors.cancel()
        if child.returncode or not result:
            log.error("checking %s failed:\n%s", config.name, said)
            last = next(iter(said.strip().splitlines()[::-1]), "it said nothing")
            return {"state": "failed", "message": f"the check itself failed: {last}"}
        findings = [FindingNow(**finding) for finding in result["findings"]]
        if not cameras_only:
            return {"state": "done", "findings": findings, "may_move": result["may_move"]}
        looked_at = {finding.check for finding in findings}
        kept = [f for f in self.newest(config.name).findings if f.check not in looked_at]
        return {"state": "done", "findings": kept + findings}

    def _take_picture(self, robot: str, camera: str, folder: Path) -> None:
        self._pictures.setdefault(robot, {})[camera] = (folder / f"{camera}.jpg").read_bytes()
        there = self.newest(robot).pictures
        self._update(robot, pictures=sorted({*there, camera}))

    def _update(self, robot: str, **fields: Any) -> None:
        self._newest[robot] = self._newest[robot].model_copy(update=fields)
