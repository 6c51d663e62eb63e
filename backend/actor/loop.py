"""The control loop: observe, decide, act, tell; at a fixed rate, for as long as a robot is open.

One thread does all of it, because a simulator's GL context belongs to the thread that made it. The
loop waits for its next deadline and for nothing else: steps go to the recorder's queue, frames and
ticks to newest-wins slots, commands come out of the inbox. Needs neither torch nor LeRobot.
"""

import logging
import threading

import numpy as np

from backend.actor.clock import Clock
from backend.actor.deadman import Deadman
from backend.actor.inbox import Inbox
from backend.actor.motion import DriverFailedError, Motion, Mover
from backend.actor.news import Outlet, policy_now
from backend.actor.pacing import Pacer
from backend.actor.phases import ATTEMPT
from backend.actor.rig import Rig
from backend.actor.safety import CameraWatch, SafetyTimes
from backend.actor.session import LiveSession
from backend.actor.silence import RobotSilence
from backend.actor.tending import tend
from backend.control import Observation, RobotFaultError, ThinkingPolicy, Thoughts
from backend.domain import Driver, Phase
from backend.wire import Rates, Tick

log = logging.getLogger(__name__)

# How often a closed session says that it lives.
CLOSED_TICK_S = 0.25
# Each kind of notice about the loop's work is given at most this often.
NOTICE_INTERVAL_S = 10.0


class ControlLoop:
    """Runs one session until it is stopped."""

    def __init__(
        self,
        *,
        session: LiveSession,
        inbox: Inbox,
        deadman: Deadman,
        outlet: Outlet,
        clock: Clock,
        times: SafetyTimes,
        abandoned_s: float = 600.0,
    ) -> None:
        """`abandoned_s`: without a server for this long the loop ends by itself."""
        self._session = session
        self._inbox = inbox
        self._deadman = deadman
        self._outlet = outlet
        self._clock = clock
        self._times = times
        self._abandoned_s = abandoned_s
        self._silence = RobotSilence(patience_s=times.robot_silent_s)
        self._stopping = threading.Event()
        self._paced: Mover | None = None
        self._pacer: Pacer | None = None
        self._cameras: CameraWatch | None = None
        self._steps = 0
        # The tick of the attempt's newest step.
        self._recorded: int | None = None
        self._told_s: dict[str, float] = {}

    def stop(self) -> None:
        """Let `run` end soon; any thread, may be repeated."""
        self._stopping.set()
        self._inbox.wake()

    def run(self) -> None:
        """Work until `stop`, or until nobody has been there for `abandoned_s`."""
        self._session.warm_up()
        try:
            while not self._stopping.is_set() and not self._is_abandoned():
                if self._session.rig is None:
                    self._inbox.wait(CLOSED_TICK_S)
                self.turn()
        finally:
            self._session.shut_down()

    def turn(self) -> None:
        """One control step of an open robot, or one look at the inbox of a closed one."""
        session = self._session
        mover = session.mover
        if mover is None or session.rig is None:
            self._pacer = None
        else:
            self._pace(session.rig, mover)
            self._judge(session.rig)
        session.obey()
        # A mover lasts from `open` to `close`; the policy it asks may have become another one.
        if mover is None or session.rig is None or session.mover is not mover:
            self._publish(observation=None, driver=Driver.NONE)
            return
        try:
            self._step(session.rig, mover)
            self._silence.heard()
        except RobotFaultError as error:
            self._silence.bear(error, session, now_s=self._clock.now_s())
            self._publish(observation=None, driver=Driver.NONE)
        except Exception as error:
            # Whatever it was, the arm must not be left to a loop that no longer knows its state.
            session.lose_robot(error)
            self._publish(observation=None, driver=Driver.NONE)

    def _pace(self, rig: Rig, mover: Mover) -> None:
        if self._pacer is None or self._paced is not mover:
            hz = rig.arm.fps
            self._paced = mover
            self._pacer = Pacer(hz=hz, clock=self._clock)
            self._cameras = CameraWatch(period_s=1 / hz, frozen_s=self._times.frozen_s)
        self._pacer.wait()

    def _judge(self, rig: Rig) -> None:
        """Give the attempt's newest step its value, if that has come: later it is late."""
        attempt = self._session.attempt
        if attempt is None or not isinstance(rig.policy, ThinkingPolicy):
            return
        thoughts = rig.policy.thoughts()
        if thoughts.value is not None and thoughts.value_step == self._recorded:
            attempt.judge(thoughts.value, thoughts.spread)

    def _step(self, rig: Rig, mover: Mover) -> None:
        wall_s = self._clock.wall_s()
        self._steps += 1
        observation = rig.arm.observe()
        if not np.isfinite(observation.state).all():
            raise RobotFaultError(
                f"its state is not a number: {observation.state.tolist()}; check the servo bus"
            )
        self._watch(observation)
        tend(rig, self._session)
        if self._session.has_entered():
            observation = mover.enter(self._session.state.phase, observation)
        self._show(rig, observation)
        motion = self._move(mover, observation)
        self._record(observation, motion, wall_s=wall_s)
        if motion.wants_over and self._session.state.phase in (Phase.POLICY, Phase.HELD):
            self._session.take_over("leader arm")
        if motion.reset_done and self._session.state.phase is Phase.RESETTING:
            self._session.reset_done()
        self._publish(observation=observation, driver=motion.driver)
        self._tell(motion)

    def _show(self, rig: Rig, observation: Observation) -> None:
        """Let the policy think of what is seen, also while a human drives."""
        session = self._session
        if session.state.phase in ATTEMPT and isinstance(rig.policy, ThinkingPolicy):
            rig.policy.watch(observation, step=self._steps, task=session.task)

    def _watch(self, observation: Observation) -> None:
        """What changes the phase without a command."""
        session = self._session
        phase = session.state.phase
        now_s = self._clock.now_s()
        frozen = self._frozen_cameras(observation)
        if phase in ATTEMPT:
            assert session.attempt is not None
            if why := self._deadman.loss(phase, now_s=now_s):
                session.hold(why, driver_lost=True)
            elif session.recorder.failure:
                session.hold(f"recording failed: {session.recorder.failure}")
            elif phase is Phase.HUMAN and frozen and self._times.hold_on_frozen_camera:
                session.hold(f"camera {', '.join(frozen)} is frozen: you would drive blind")
            elif session.attempt.is_over_time:
                session.time_out()
        elif phase is Phase.HELD:
            session.driver_back()
        elif phase is Phase.ENDED and not session.recorder.is_busy:
            session.recorded()

    def _frozen_cameras(self, observation: Observation) -> tuple[str, ...]:
        assert self._cameras is not None
        newly = self._cameras.look(observation.frame_wall_s, wall_s=self._clock.wall_s())
        for camera in newly:
            self._session.news.notice(
                "warning",
                "camera_frozen",
                f"camera {camera} has sent no new picture for "
                f"{self._times.frozen_s * 1000:.0f} ms: check its cable",
            )
        return self._cameras.frozen

    def _move(self, mover: Mover, observation: Observation) -> Motion:
        session = self._session
        now_s = self._clock.now_s()
        # A reset moves without anybody at the keys; it waits while no stop could reach the robot.
        may_reset = not self._deadman.link_lost(now_s=now_s)
        try:
            return mover.move(session.state.phase, observation, now_s=now_s, may_reset=may_reset)
        except DriverFailedError as error:
            if session.state.phase not in ATTEMPT:
                raise
            if error.__cause__ is not None:
                log.error("%s", error, exc_info=error.__cause__)
            session.hold(str(error))
        if session.has_entered():
            mover.enter(session.state.phase, observation)
        return mover.move(session.state.phase, observation, now_s=now_s, may_reset=may_reset)

    def _record(self, observation: Observation, motion: Motion, *, wall_s: float) -> None:
        session = self._session
        if session.attempt is None or session.state.phase not in ATTEMPT:
            return
        session.attempt.drove()
        self._recorded = self._steps
        taken = session.attempt.add(
            observation,
            wall_s=wall_s,
            action=motion.executed,
            requested=motion.requested,
            driver=motion.driver,
        )
        if not taken and not session.recorder.failure:
            log.error("episode %s: a step was not recorded", session.attempt.header.id)
            session.news.notice(
                "error",
                "recorder_behind",
                "the disk or the encoder cannot keep up: a step was not recorded, the robot is "
                "held; wait a moment, then go on",
            )
            session.hold("the disk or the encoder cannot keep up")

    def _publish(self, *, observation: Observation | None, driver: Driver) -> None:
        session = self._session
        human = None if session.rig is None else session.rig.human
        thoughts = self._thoughts()
        self._outlet.publish(
            Tick(
                step=self._steps,
                t_ms=self._clock.wall_s() * 1000,
                phase=session.state.phase,
                driver=driver,
                reason=session.reason,
                came_from=session.state.came_from,
                episode=None if session.attempt is None else session.attempt.now(),
                value=None if thoughts is None else thoughts.value,
                spread=None if thoughts is None else thoughts.spread,
                advantage=None if thoughts is None else thoughts.advantage,
                advantage_step=None if thoughts is None else thoughts.advantage_step,
                value_step=None if thoughts is None else thoughts.value_step,
                value_late=self._is_late(thoughts),
                clamps=0 if session.mover is None else session.mover.num_clamped,
                acting=None if thoughts is None else policy_now(thoughts),
                policy=session.policy_name,
                verdict=self._verdict(observation),
                jog_speed=1.0 if human is None else human.speed,
                gripper_closed=human is not None and human.gripper_closed,
                rates=Rates() if self._pacer is None else self._pacer.rates(),
            ),
            observation,
        )

    def _thoughts(self) -> Thoughts | None:
        """What the policy thinks of the present attempt; None outside of one."""
        session = self._session
        if session.rig is None or session.state.phase not in ATTEMPT:
            return None
        policy = session.rig.policy
        return policy.thoughts() if isinstance(policy, ThinkingPolicy) else None

    def _verdict(self, observation: Observation | None) -> bool | None:
        """What a simulator says of the present attempt."""
        if observation is None or self._session.state.phase not in ATTEMPT:
            return None
        seen = observation.privileged.get("success")
        return seen if isinstance(seen, bool) else None

    def _is_late(self, thoughts: Thoughts | None) -> bool:
        """A value in time is of this step, or of the one before it."""
        return (
            thoughts is not None
            and thoughts.value_step is not None
            and thoughts.value_step < self._steps - 1
        )

    def _tell(self, motion: Motion) -> None:
        """Notices about the loop's own work, each at most every few seconds."""
        assert self._pacer is not None
        if motion.clamped and motion.driver is not Driver.NONE and self._may_tell("clamped"):
            self._session.news.notice(
                "warning",
                "clamped",
                f"the {motion.driver} asked for more than {', '.join(motion.clamped)} may do in "
                "one step; the action was cut",
            )
        thoughts = self._thoughts()
        if thoughts is not None and thoughts.starved and self._may_tell("slow_policy"):
            self._session.news.slow_policy(thoughts)
        if self._pacer.is_slow() and self._may_tell("slow_loop"):
            rates = self._pacer.rates()
            self._session.news.notice(
                "warning",
                "slow_loop",
                f"the control loop reaches {rates.loop_hz:.1f} of {rates.target_hz:g} Hz; close "
                "other programs, or lower fps in the robot's config",
            )

    def _may_tell(self, code: str) -> bool:
        now_s = self._clock.now_s()
        if now_s - self._told_s.get(code, -NOTICE_INTERVAL_S) < NOTICE_INTERVAL_S:
            return False
        self._told_s[code] = now_s
        return True

    def _is_abandoned(self) -> bool:
        down_s = self._deadman.link_down_for_s(now_s=self._clock.now_s())
        if down_s < self._abandoned_s:
            return False
        log.warning("no server for %.0f s: ending", down_s)
        return True
