"""The live session: its state, its attempt, its robot, and what each command does to them.

Only the loop's thread calls this; commands of other threads wait in the inbox. A command changes
the state here and nothing else; `loop.py` turns the state into motion in the same tick. Which
command is possible when, is data in `phases.py`.
"""

import logging
import uuid
from dataclasses import replace

from backend.actor.attempt import Attempt
from backend.actor.attempts import Attempts
from backend.actor.clock import Clock
from backend.actor.deadman import Deadman
from backend.actor.inbox import Inbox, refusal
from backend.actor.introduction import Introduction
from backend.actor.motion import Mover
from backend.actor.news import News, Outlet
from backend.actor.orders import (
    GRADES,
    RefusedError,
    check_params,
    check_recordable,
    checked_task,
)
from backend.actor.phases import ATTEMPT, CommandRefusedError, Happening, State
from backend.actor.promotion import Promotions
from backend.actor.recorder import Recorder
from backend.actor.rig import Rig, RigMaker, close_policy
from backend.actor.succession import Succession
from backend.control import ActingPolicy, RobotFaultError
from backend.domain import Command, EndReason, Outcome, Phase
from backend.wire import CommandMessage, ErrorBody

log = logging.getLogger(__name__)

# When another policy may take the place of the one that drives.
BETWEEN_EPISODES = (Phase.IDLE, Phase.RESETTING)


class LiveSession:
    """From the start of the process to its end; a robot is open for some of that time."""

    def __init__(
        self,
        *,
        maker: RigMaker,
        robot: str,
        policy: str,
        pid: int,
        inbox: Inbox,
        deadman: Deadman,
        recorder: Recorder,
        promotions: Promotions,
        outlet: Outlet,
        clock: Clock,
    ) -> None:
        """`robot` and `policy` are what `open` means when it does not say."""
        self.state = State()
        # Why the robot is held or stopped, for people.
        self.reason = ""
        self.rig: Rig | None = None
        self.mover: Mover | None = None
        self.recorder = recorder
        self.news = News(outlet=outlet, clock=clock)
        self._maker = maker
        self._introduction = Introduction(
            maker=maker, robot=robot, pid=pid, news=self.news, clock=clock
        )
        self._inbox = inbox
        self._deadman = deadman
        self._clock = clock
        self._succession = Succession(
            maker=maker, promotions=promotions, news=self.news, default=policy
        )
        self._attempts = Attempts(recorder=recorder, clock=clock)
        self._has_entered = False
        # When a human driver was lost, in monotonic seconds; None when held for another reason.
        self._driver_lost_s: float | None = None
        self._greet()

    # -- commands ----------------------------------------------------------------------------

    def warm_up(self) -> None:
        """Load what opening a robot needs; `open` waits for it, everything else is answered."""
        self._inbox.begin_busy("starting up", takes_open=True)
        try:
            self._maker.warm_up()
        finally:
            self._inbox.end_busy()

    def obey(self) -> None:
        """Do what waits in the inbox, with the newest promoted policy where that may drive."""
        self._look_for_policies()
        for command in self._inbox.take():
            try:
                self._do(command)
            except CommandRefusedError as error:
                self._inbox.refuse(command, self.state.phase, refusal(error))
            except RefusedError as error:
                self._inbox.refuse(command, self.state.phase, error.body)
            except Exception as error:
                # Whoever sent it waits for an answer, and the loop must go on with the robot.
                log.exception("%s failed", command.command)
                body = ErrorBody(
                    code="internal",
                    message=f"{command.command} failed: {type(error).__name__}: {error}",
                    hint="the actor's log has the details",
                )
                self._inbox.refuse(command, self.state.phase, body)
            else:
                self._inbox.accept(command, self.state.phase)

    def shut_down(self) -> None:
        """End an open attempt as aborted and let go of the robot; harmless when repeated."""
        if self.rig is not None:
            self._close(command_id=None, author="actor")

    def _do(self, message: CommandMessage) -> None:
        command = message.command
        state = self.state.on(command)
        check_params(message)
        if command is Command.OPEN:
            self._open(message)
        elif command is Command.CLOSE:
            if self.rig is not None:
                self._close(command_id=message.command_id, author=message.author)
        elif command in GRADES:
            reason, outcome = GRADES[command]
            self._attempts.end(
                reason, outcome=outcome, command_id=message.command_id, author=message.author
            )
            self._go(state)
        elif command in (Command.START, Command.INTERVENE):
            check_recordable(self.recorder, is_open=self.attempt is not None)
            if self.state.phase is Phase.IDLE:
                self._begin_attempt(message)
            self._go(state)
        elif command is Command.STOP:
            self._go(state, f"stopped by {message.author or 'somebody'}")
        else:
            self._go(state, "the stop is cleared: go on, take over, or grade it")

    def _open(self, message: CommandMessage) -> None:
        robot = str(message.params.get("robot") or self._introduction.robot)
        wanted = str(message.params.get("policy") or "") or None
        self._inbox.begin_busy(f"connecting {robot}", takes_open=False)
        try:
            facts, rig = self._succession.open(robot, wanted)
        finally:
            stop = self._inbox.end_busy()
        self._introduction.opened(robot, facts)
        self.rig = rig
        self.mover = Mover(rig=rig, deadman=self._deadman)
        self._attempts.opened(str(message.params.get("session_id") or uuid.uuid4()))
        self._go(self.state.on(Command.OPEN))
        if stop is not None:
            self._go(self.state.on(Command.STOP), f"stopped by {stop.author or 'somebody'}")
        for caution in rig.cautions:
            self.news.notice("warning", "caution", caution)
        self._greet()

    def _close(self, *, command_id: str | None, author: str) -> None:
        if self.attempt is not None:
            self._attempts.end(
                EndReason.ABORT, outcome=Outcome.NONE, command_id=command_id, author=author
            )
        self._let_go()
        self._go(self.state.on(Command.CLOSE))
        self._greet()

    # -- what happens without a command ------------------------------------------------------

    def hold(self, reason: str, *, driver_lost: bool = False) -> None:
        """Hold the robot in the midst of an attempt; `driver_lost` may end by itself."""
        was_human = self.state.phase is Phase.HUMAN
        self._go(self.state.on(Happening.SAFETY), reason)
        if driver_lost and was_human:
            self._driver_lost_s = self._clock.now_s()
        self.news.notice("warning", "held", f"held: {reason}")

    def driver_back(self) -> bool:
        """Go on driving when the human who was lost is there again."""
        if self._driver_lost_s is None or not self._deadman.arrived_after(self._driver_lost_s):
            return False
        self._go(self.state.on(Happening.DRIVER_BACK))
        return True

    def time_out(self) -> None:
        """The attempt took too long."""
        self._attempts.end(EndReason.TIMEOUT, outcome=Outcome.NONE, command_id=None, author="")
        self._go(self.state.on(Happening.TIMEOUT))

    def recorded(self) -> None:
        """The ended attempt is on the disk."""
        self._go(self.state.on(Happening.RECORDED))

    def reset_done(self) -> None:
        """The robot is at its reset pose."""
        self._go(self.state.on(Happening.RESET_DONE))

    def lose_robot(self, error: Exception) -> None:
        """The robot cannot go on: keep what was recorded, let go of it, live on."""
        if not isinstance(error, RobotFaultError):
            log.error("the control step failed", exc_info=error)
        if self.attempt is not None:
            self._attempts.end(EndReason.FAULT, outcome=Outcome.NONE, command_id=None, author="")
        self._let_go()
        self._go(self.state.on(Happening.ROBOT_LOST))
        self.news.notice("error", "robot_lost", f"{self._robot_name} is lost: {error}")
        self._greet()

    def has_entered(self) -> bool:
        """A phase began since the last call, be it the same one anew."""
        entered, self._has_entered = self._has_entered, False
        return entered

    def take_over(self, author: str) -> None:
        """Somebody took the leader arm: the same as if they had pressed the key."""
        self._inbox.submit(
            CommandMessage(
                command=Command.INTERVENE,
                command_id=str(uuid.uuid4()),
                author=author,
                sent_ms=self._clock.wall_s() * 1000,
            )
        )

    @property
    def attempt(self) -> Attempt | None:
        """The one that is being recorded."""
        return self._attempts.current

    @property
    def task(self) -> str:
        """What the present or the next attempt is about."""
        return self._introduction.task

    @property
    def _robot_name(self) -> str:
        return self._introduction.facts.robot

    @property
    def policy_name(self) -> str:
        """Which policy acts; empty while closed."""
        return "" if self.rig is None else self.rig.policy_name

    # -- policies that come while a robot is open ----------------------------------------------

    def _look_for_policies(self) -> None:
        """Take a promoted policy where one may drive; while closed, see which checkpoints exist."""
        if self.rig is not None:
            self._succession.look(self.policy_name)
            policy = self._succession.take() if self.state.phase in BETWEEN_EPISODES else None
            if policy is not None:
                self._adopt(policy)
        elif self._introduction.has_new_policies():
            self._greet()

    def _adopt(self, policy: ActingPolicy) -> None:
        assert self.rig is not None
        assert self.mover is not None
        before = self.rig
        self.rig = replace(before, policy=policy)
        self.mover.use(self.rig)
        close_policy(before.policy)
        log.info("policy %s follows %s", self.rig.policy_name, before.policy_name)
        self.news.notice(
            "info",
            "policy_changed",
            f"{self.rig.policy_name} drives from the next attempt on, it was {before.policy_name}",
        )
        self._greet()

    # -- the parts ---------------------------------------------------------------------------

    def _go(self, state: State, reason: str = "") -> None:
        # A human's page that was watched as policy's supervisor still has to be there.
        keep_watch = self.state.phase in ATTEMPT
        if state.phase is not self.state.phase:
            log.info("%s -> %s %s", self.state.phase, state.phase, reason)
        self.state = state
        self.reason = reason
        self._driver_lost_s = None
        self._has_entered = True
        self._deadman.enter(state.phase, keep_watch=keep_watch, now_s=self._clock.now_s())

    def _begin_attempt(self, message: CommandMessage) -> None:
        assert self.rig is not None
        task = message.params.get("task")
        if task is not None:
            self._introduction.task = checked_task(task)
            self._greet()
        self._attempts.begin(self.rig, task=self.task, operator=message.author)

    def _let_go(self) -> None:
        assert self.rig is not None
        try:
            self.rig.close()
        except Exception:
            # Drivers raise of every kind when a cable is out; the session ends all the same.
            log.exception("%s did not close cleanly", self._robot_name)
        self.rig = None
        self.mover = None
        self._succession.robot_closed()
        self._attempts.closed()

    def _greet(self) -> None:
        self._introduction.say(
            self.rig, phase=self.state.phase, session_id=self._attempts.session_id
        )
