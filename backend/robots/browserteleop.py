"""The browser teleoperator as LeRobot's own programs run it: with a small page of its own.

    lerobot-teleoperate --teleop.type=handrail_browser --robot.type=so101_follower …

makes this class, because LeRobot looks for `BrowserTeleop` in a module of that name in lower case.
In Handrail the page is Handrail's and `browser_teleop.py` is used without any of this.

LeRobot's programs do not tell a teleoperator where the robot is, and these joint targets start from
there. But they ask the robot before they ask the teleoperator. So from `connect` to `disconnect`
this listens to what every robot of the process answers to `get_observation`.
"""

import functools
import logging
import time
from collections.abc import Callable
from typing import Any

from lerobot.robots.robot import Robot

from backend.robots import browser_teleop
from backend.robots.browser_teleop import ACTION_NAMES, BrowserTeleopConfig
from backend.robots.jog_page import JogPage, JogStatus

logger = logging.getLogger(__name__)

__all__ = ["BrowserTeleop"]

# A page that says nothing for this long has let go of every key.
STALE_S = 0.25


class BrowserTeleop(browser_teleop.BrowserTeleop):
    """`browser_teleop.BrowserTeleop` that serves its own page while it is connected."""

    def __init__(
        self, config: BrowserTeleopConfig, *, clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(config, clock_s=clock_s)
        self._page: JogPage | None = None
        # Where the page's STOP found the arm; None while it may move.
        self._stopped_at: dict[str, Any] | None = None
        self._listening: list[tuple[type[Robot], Any]] = []

    def connect(self, calibrate: bool = True) -> None:  # noqa: FBT001, FBT002
        """Serve the page, and say where.

        Raises:
            ValueError: It would be reachable from other machines without a token.
            OSError: Its port is taken.
        """
        super().connect(calibrate)
        config = self.config
        self._page = JogPage(
            host=config.page_host,
            port=config.page_port,
            token=config.page_token,
            clock_s=self._clock_s,
        )
        self._listen()
        logger.warning("drive the robot at %s", self.page_url)

    @property
    def page_url(self) -> str:
        """Where the page is, token included; empty while not connected."""
        return "" if self._page is None else self._page.url

    def get_action(self) -> dict[str, Any]:
        assert self._page is not None, "connect() first"
        if self._page.is_stopped:
            return self._hold()
        self._stopped_at = None
        inputs, heard_s = self._page.take()
        for held, axes in inputs:
            self.feed(held, axes)
        if self._clock_s() - heard_s > STALE_S:
            self.release()
        action = super().get_action()
        self._page.status = JogStatus(speed=self.speed, gripper_closed=self.gripper_closed)
        return action

    def _hold(self) -> dict[str, Any]:
        """Stay where the arm was when it was stopped; the gripper keeps what it holds."""
        if self._stopped_at is None:
            self.release()
            self.rest()
            self._stopped_at = super().get_action()
        return self._stopped_at

    def disconnect(self) -> None:
        for robot_class, original in self._listening:
            robot_class.get_observation = original  # type: ignore[method-assign]
        self._listening.clear()
        if self._page is not None:
            self._page.close()
            self._page = None
        super().disconnect()

    def _listen(self) -> None:
        for robot_class in _robot_classes(Robot):
            original = robot_class.__dict__.get("get_observation")
            if original is None or getattr(original, "__isabstractmethod__", False):
                continue
            self._listening.append((robot_class, original))
            robot_class.get_observation = self._overheard(original)  # type: ignore[method-assign]

    def _overheard(self, get_observation: Callable[[Robot], Any]) -> Callable[[Robot], Any]:
        @functools.wraps(get_observation)
        def observe(robot: Robot) -> Any:
            observation = get_observation(robot)
            if all(name in observation for name in ACTION_NAMES):
                self.send_feedback(observation)
            return observation

        return observe


def _robot_classes(base: type[Robot]) -> list[type[Robot]]:
    found = []
    for robot_class in base.__subclasses__():
        found += [robot_class, *_robot_classes(robot_class)]
    return found
