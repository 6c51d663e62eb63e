"""Turns the phase into one action a tick, and every change of driver into one without a jump.

Whoever takes over starts from where the arm is: the human's input from the present joints, the
policy with no memory of what it wanted before. A phase in which nobody drives holds the position
that the arm had when it began; a gripper is held at its last command instead, because one that was
told to be where it stands would let go of what it holds. Which phase it is, is decided in
`session.py`.
"""

from dataclasses import dataclass

import numpy as np

from backend.actor.deadman import Deadman
from backend.actor.rig import Rig
from backend.actor.safety import SafetyGate
from backend.control import LeadingInput, Observation
from backend.domain import Driver, Phase

# What LeRobot's robots call the joint that holds things.
GRIPPER = "gripper"


class DriverFailedError(Exception):
    """The driver's own code failed or asked for something that is no action."""


@dataclass(frozen=True, kw_only=True)
class Motion:
    """What was sent in one tick."""

    # float32 [action dim]: what the driver wanted, and what the robot says it executed.
    requested: np.ndarray
    executed: np.ndarray
    driver: Driver
    # Joints whose target was pulled back by the gate.
    clamped: tuple[str, ...]
    # Phase `resetting` only: the arm is at its reset pose.
    reset_done: bool = False
    # Somebody pushes the leader arm that follows the robot.
    wants_over: bool = False


class Mover:
    """Drives one rig; used by the loop's thread only."""

    def __init__(self, *, rig: Rig, deadman: Deadman) -> None:
        self._rig = rig
        self._deadman = deadman
        self._gate = SafetyGate(limits=rig.arm.limits, names=rig.arm.action_names)
        self._grippers = [i for i, name in enumerate(rig.arm.action_names) if GRIPPER in name]
        self._hold: np.ndarray | None = None
        # float32 [action dim]: the action executed last.
        self._commanded: np.ndarray | None = None

    @property
    def num_clamped(self) -> int:
        """Actions cut by the limits since the robot was opened."""
        return self._gate.num_clamped

    def use(self, rig: Rig) -> None:
        """Go on with another policy on the same arm."""
        self._rig = rig

    def enter(self, phase: Phase, observation: Observation) -> Observation:
        """A phase began at `observation`; return the one to go on from.

        It is another one after a reset began, because a simulator starts a new scene at once.
        """
        if phase is Phase.RESETTING:
            self._rig.arm.begin_reset()
            observation = self._rig.arm.observe()
            self._commanded = None
        elif phase in (Phase.POLICY, Phase.HUMAN):
            self._rig.policy.reset()
            self._rig.human.start(observation.state, self._commanded)
        self._hold = self._still(observation)
        return observation

    def move(
        self, phase: Phase, observation: Observation, *, now_s: float, may_reset: bool
    ) -> Motion:
        """Send this tick's action.

        Args:
            phase: Who drives.
            observation: What the robot reported just now.
            now_s: Monotonic time.
            may_reset: False pauses a reset where it is.

        Raises:
            DriverFailedError: Nothing was sent; call again with a phase in which nobody drives.
            RobotFaultError: The robot cannot go on.
        """
        self._feed(is_human=phase is Phase.HUMAN, now_s=now_s)
        driver, requested = Driver.NONE, None
        reset_done = False
        if phase is Phase.POLICY:
            driver, requested = Driver.POLICY, self._ask_policy(observation)
        elif phase is Phase.HUMAN:
            driver, requested = Driver.HUMAN, self._ask_human(observation)
        elif phase is Phase.RESETTING and may_reset:
            requested = self._rig.arm.reset_action(observation.state)
            reset_done = requested is None
        present = self._rig.arm.position(observation.state)
        if requested is None:
            requested = self._still(observation) if self._hold is None else self._hold
            self._hold = requested
        else:
            self._hold = None
        checked = self._gate.check(requested, present=present)
        if checked.action is None:
            raise DriverFailedError(f"the {driver} asked for {checked.refusal}")
        self._commanded = self._rig.arm.act(checked.action)
        wants_over = self._let_follow(phase, observation)
        return Motion(
            requested=np.asarray(requested, dtype=np.float32),
            executed=self._commanded,
            driver=driver,
            clamped=checked.clamped,
            reset_done=reset_done,
            wants_over=wants_over,
        )

    def _let_follow(self, phase: Phase, observation: Observation) -> bool:
        """Keep a leader arm with the robot; return whether somebody took hold of it.

        Before the first attempt it stays limp, and after one it stays where the robot is.
        """
        human = self._rig.human
        if phase in (Phase.HUMAN, Phase.IDLE) or not isinstance(human, LeadingInput):
            return False
        human.follow(observation.state, 1 / self._rig.facts.fps)
        return human.wants_over()

    def _still(self, observation: Observation) -> np.ndarray:
        """The action that holds the arm as it is: float32 [action dim]."""
        pose = self._rig.arm.position(observation.state).copy()
        if self._commanded is not None:
            pose[self._grippers] = self._commanded[self._grippers]
        return pose

    def _feed(self, *, is_human: bool, now_s: float) -> None:
        """Inputs are taken in every phase, so that none of them waits for a later one."""
        inputs = self._deadman.take()
        if not is_human:
            return
        for message in inputs:
            self._rig.human.feed(frozenset(message.held), tuple(message.axes))
        if self._deadman.is_stale(now_s=now_s):
            self._rig.human.release()

    def _ask_policy(self, observation: Observation) -> np.ndarray | None:
        try:
            return self._rig.policy.act(observation)
        except Exception as error:
            # Models of any making; the loop must hold the attempt, whatever they raise.
            raise DriverFailedError(
                f"policy {self._rig.policy.name} failed: {type(error).__name__}: {error}"
            ) from error

    def _ask_human(self, observation: Observation) -> np.ndarray:
        try:
            return self._rig.human.act(observation.state, 1 / self._rig.facts.fps)
        except Exception as error:
            # Teleoperators are plug-ins; the loop must hold the attempt, whatever they raise.
            raise DriverFailedError(
                f"the teleoperator failed: {type(error).__name__}: {error}"
            ) from error
