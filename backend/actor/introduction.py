"""How the actor introduces itself: the robot it would open or has open, its task, its checkpoints.

Said to the server whenever one of these changes, so that every page shows the same. Used by the
loop's thread only.
"""

from dataclasses import replace

from backend.actor.clock import Clock
from backend.actor.news import News
from backend.actor.rig import Rig, RigMaker, RigRefusedError, RobotFacts
from backend.domain import Phase

# How often a closed session looks for checkpoints that were trained or deleted.
POLICIES_LOOK_S = 3.0


class Introduction:
    """What is true of the actor besides what it does at the moment."""

    def __init__(self, *, maker: RigMaker, robot: str, pid: int, news: News, clock: Clock) -> None:
        """`robot` is what `open` means when it does not say.

        Raises:
            RigRefusedError: Its config cannot be read.
        """
        # As it was asked for, which may be the path of a config and not its name.
        self.robot = robot
        self.facts = maker.facts(robot)
        # What the present or the next attempt is about.
        self.task = self.facts.task
        self._maker = maker
        self._pid = pid
        self._news = news
        self._clock = clock
        self._looked_s = clock.now_s()

    def opened(self, robot: str, facts: RobotFacts) -> None:
        """Another robot, or the same one again; a new one begins with its config's task."""
        if facts.robot != self.facts.robot:
            self.task = facts.task
        self.robot = robot
        self.facts = facts

    def has_new_policies(self) -> bool:
        """Look now and then, while closed, which checkpoints there are."""
        if self._clock.now_s() - self._looked_s < POLICIES_LOOK_S:
            return False
        self._looked_s = self._clock.now_s()
        try:
            policies = self._maker.facts(self.robot).policies
        except RigRefusedError:
            # Its config is being edited; `open` will say what is wrong with it.
            return False
        if policies == self.facts.policies:
            return False
        self.facts = replace(self.facts, policies=policies)
        return True

    def say(self, rig: Rig | None, *, phase: Phase, session_id: str | None) -> None:
        """Say it; `rig` and `session_id` are None while no robot is open."""
        self._news.hello(
            rig,
            facts=self.facts,
            pid=self._pid,
            phase=phase,
            task=self.task,
            session_id=session_id,
        )
