"""What one open robot consists of, and who makes it.

The loop and the session know only this; LeRobot stays behind the maker (`rigging.py`), so that
neither needs to import it.
"""

from dataclasses import dataclass
from typing import Protocol

from backend.control import (
    ActingPolicy,
    Ailment,
    Arm,
    HumanInput,
    LeadingInput,
    SelfWatching,
    ThinkingPolicy,
)


@dataclass(frozen=True, kw_only=True)
class RobotFacts:
    """What a robot config says before anything is connected."""

    # Name of the config, for example `so101_sim_touch`.
    robot: str
    fps: float
    task: str
    # Timeout of an attempt, seconds of driving.
    episode_time_s: float
    # Built-in policies, then the ids of the checkpoints that are there, newest first.
    policies: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Rig:
    """A connected robot, what can drive it, and what its config says."""

    facts: RobotFacts
    arm: Arm
    human: HumanInput
    policy: ActingPolicy
    # What people should know of its motors, and what to do, as they were before it was connected.
    cautions: tuple[str, ...] = ()

    @property
    def policy_name(self) -> str:
        """A checkpoint's id, else the built-in policy's name."""
        return self.policy.checkpoint_id or self.policy.name

    def ailments(self) -> list[Ailment]:
        """What arm and leader found wrong with themselves in this step."""
        found: list[Ailment] = []
        for part in (self.arm, self.human):
            if isinstance(part, SelfWatching):
                found += part.ailments()
        return found

    def close(self) -> None:
        """Stop the policy's thinking and let go of the arms; harmless when repeated."""
        close_policy(self.policy)
        try:
            if isinstance(self.human, LeadingInput):
                self.human.close()
        finally:
            self.arm.close()


def close_policy(policy: ActingPolicy) -> None:
    """End what a policy that no longer drives has running."""
    if isinstance(policy, ThinkingPolicy):
        policy.close()


class RigRefusedError(Exception):
    """The robot or policy asked for cannot be made. Says what is wrong and what to do."""


class RigMaker(Protocol):
    """Makes rigs by the names of robot configs."""

    def warm_up(self) -> None:
        """Load what making a rig needs, so that `open` need not wait for it."""

    def facts(self, robot: str) -> RobotFacts:
        """Raises RigRefusedError. Fast, and connects nothing."""

    def connect(self, robot: str, policy: str) -> Rig:
        """Make and connect everything; may take seconds, in the loop's thread.

        Args:
            robot: Name or path of a robot config.
            policy: A built-in policy, a checkpoint's id `run/step`, or its folder.

        Raises:
            RigRefusedError: There is no such robot or policy, or its config is wrong.
            RobotFaultError: It cannot be connected.
        """

    def load_policy(self, policy: str, arm: Arm) -> ActingPolicy:
        """Load a checkpoint for `arm`; takes seconds, may be called from any thread.

        Raises:
            RigRefusedError: It is not there, is broken, or was made for another robot.
        """
