"""A simulated robot at work: the product's own session, loop and recorder, without its network.

Time is the clock's that is handed in here, so attempts go as fast as the simulator renders. What
is recorded is what the actor records: the same commands, the same files. Whoever gives the commands
is `operators.py`.
"""

import importlib
import itertools
import shutil
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

import lerobot.robots
import numpy as np
from lerobot.robots.config import RobotConfig as LeRobotRobotConfig

from backend.actor.deadman import Deadman
from backend.actor.inbox import Inbox
from backend.actor.loop import ControlLoop
from backend.actor.news import Lasting, News
from backend.actor.phases import ATTEMPT
from backend.actor.promotion import Promotions
from backend.actor.recorder import Recorder, RecorderLimits
from backend.actor.rig import Rig, RigRefusedError, RobotFacts
from backend.actor.safety import SafetyTimes
from backend.actor.session import LiveSession
from backend.control import ActingPolicy, Arm, LiveCameras, Observation
from backend.domain import Command, Outcome, Phase
from backend.episodes.store import EpisodeWriter
from backend.robots.config import RobotConfig
from backend.robots.experts import make_expert
from backend.robots.make import decode
from backend.wire import (
    ActorHello,
    Answer,
    CommandMessage,
    EpisodeFinished,
    InputMessage,
    Notice,
    Tick,
)

# Turns that an attempt's end, its last write and the reset may take together.
MAX_TURNS_BETWEEN = 2000
EXPERT_NAME = "expert"


class SwiftClock:
    """Time that passes when the loop would sleep, and at no other moment."""

    def __init__(self, *, wall_s: float) -> None:
        """`wall_s`: Unix time at which it begins."""
        self._begins_s = wall_s
        self._time_s = 0.0

    def now_s(self) -> float:
        return self._time_s

    def wall_s(self) -> float:
        return self._begins_s + self._time_s

    def sleep_until(self, deadline_s: float) -> None:
        self._time_s = max(self._time_s, deadline_s)


class Operator(Protocol):
    """Who watches attempts and gives the commands."""

    def begin(self, number: int) -> None:
        """Attempt `number` begins; it counts from 0."""

    def look(self, observation: Observation, *, step: int, is_human: bool) -> Command | None:
        """What to press after step `step`; None to let it go on."""


@dataclass(frozen=True, kw_only=True)
class Attempted:
    """One attempt, as its operator saw it end."""

    episode_id: str
    outcome: Outcome
    num_steps: int
    num_human_steps: int
    # Of the scene that it began with.
    scene_seed: int


class Station:
    """One robot, open from the beginning; `close()` may be repeated."""

    def __init__(
        self,
        config: RobotConfig,
        *,
        make_policy: Callable[[Arm], ActingPolicy],
        operator: Operator,
        operator_name: str,
        data_dir: Path,
        seed: int,
        clock: SwiftClock,
    ) -> None:
        """Open it.

        Args:
            config: A simulated robot with an expert.
            make_policy: Makes what drives in phase `policy`.
            operator: Watches and gives commands.
            operator_name: What is recorded as who did.
            data_dir: Where episodes go.
            seed: Of the order of scenes.
            clock: Its time.
        """
        self._clock = clock
        self._operator = operator
        self._name = operator_name
        self._ids = itertools.count()
        # Ids of commands are ids of labels too; a run that was killed has used some of its own.
        self._run = uuid.uuid4().hex
        self._line = _Line()
        robot = decode(config, "robot", config.robot, LeRobotRobotConfig, lerobot.robots)
        # Not before `decode`, which decides how MuJoCo draws.
        sim = importlib.import_module("backend.robots.sim")
        self._arm: Arm = sim.SimArm(config, robot, seed=seed, wall_s=clock.wall_s)
        self._rigs = _Rigs(config, self._arm, make_policy, self._line)
        times = SafetyTimes()
        self._deadman = Deadman(times=times, now_s=clock.now_s())
        self._deadman.link_up()
        self._inbox = Inbox(send=self._line.send)
        episodes_dir = data_dir / "episodes"
        episodes_dir.mkdir(parents=True, exist_ok=True)
        self._recorder = Recorder(
            create=lambda header: EpisodeWriter.create(episodes_dir, header),
            events=News(outlet=self._line, clock=clock),
            free_bytes=lambda: shutil.disk_usage(episodes_dir).free,
            limits=RecorderLimits(),
        )
        self._session = LiveSession(
            maker=self._rigs,
            robot=config.name,
            policy="benchmark",
            pid=0,
            inbox=self._inbox,
            deadman=self._deadman,
            recorder=self._recorder,
            promotions=Promotions(load=self._rigs.load_policy),
            outlet=self._line,
            clock=clock,
        )
        self._loop = ControlLoop(
            session=self._session,
            inbox=self._inbox,
            deadman=self._deadman,
            outlet=self._line,
            clock=clock,
            times=times,
        )
        self._command(Command.OPEN)

    def attempt(self, number: int) -> Attempted:
        """Let one attempt happen, from `start` to the next start pose.

        Raises:
            RuntimeError: The actor refused a command or held the robot; says why.
        """
        self._operator.begin(number)
        self._command(Command.START)
        steps = human_steps = 0
        seed = int(str(self._line.seen.privileged["scene_seed"]))
        while self._phase in ATTEMPT:
            steps += 1
            human_steps += self._phase is Phase.HUMAN
            command = self._operator.look(
                self._line.seen, step=steps, is_human=self._phase is Phase.HUMAN
            )
            if self._phase is Phase.HUMAN:
                # The oracle's hands are on the arm all the time.
                self._deadman.feed(
                    InputMessage(seq=steps, sent_ms=0, held=[]),
                    age_s=0,
                    now_s=self._clock.now_s(),
                )
            if command is None:
                self._turn()
            else:
                self._command(command)
        for _ in range(MAX_TURNS_BETWEEN):
            if self._phase is Phase.IDLE:
                break
            self._turn()
        ended = self._line.finished
        if ended is None or self._phase is not Phase.IDLE:
            raise RuntimeError(f"attempt {number} did not end: still {self._phase}")
        return Attempted(
            episode_id=ended.episode_id,
            outcome=ended.outcome,
            num_steps=ended.num_steps,
            num_human_steps=ended.num_human_steps,
            scene_seed=seed,
        )

    def close(self) -> None:
        """Let go of robot and recorder."""
        self._session.shut_down()
        self._recorder.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    @property
    def _phase(self) -> Phase:
        return self._session.state.phase

    def _turn(self) -> None:
        self._loop.turn()
        if self._phase is Phase.HELD:
            raise RuntimeError(f"the robot is held: {self._session.reason}")

    def _command(self, command: Command) -> None:
        """Submit as the page would, and let the loop obey it."""
        command_id = f"{self._run}-{next(self._ids)}"
        self._inbox.submit(
            CommandMessage(
                command=command,
                command_id=command_id,
                author=self._name,
                sent_ms=self._clock.wall_s() * 1000,
            )
        )
        self._turn()
        answer = self._line.answer
        if answer is None or answer.command_id != command_id or not answer.accepted:
            why = "" if answer is None or answer.error is None else answer.error.message
            raise RuntimeError(f"{command} was refused: {why}")


class _Line:
    """Where the actor's messages end: it keeps the newest of each kind."""

    def __init__(self) -> None:
        self.answer: Answer | None = None
        self.finished: EpisodeFinished | None = None
        self._seen: Observation | None = None

    @property
    def seen(self) -> Observation:
        """What the robot reported in the newest turn."""
        assert self._seen is not None, "nothing is seen before the robot is open"
        return self._seen

    def send(self, message: Lasting) -> None:
        if isinstance(message, Answer):
            self.answer = message
        elif isinstance(message, EpisodeFinished):
            self.finished = message
        elif isinstance(message, Notice) and message.level == "error":
            raise RuntimeError(message.message)

    def hello(self, hello: ActorHello, live: LiveCameras | None) -> None:
        """Nobody needs to know who this actor is."""

    def publish(self, tick: Tick, observation: Observation | None) -> None:  # noqa: ARG002
        if observation is not None:
            self._seen = observation


class _ExpertHand:
    """The oracle's hand on the arm: the scripted expert, from wherever the arm is."""

    speed = 1.0
    gripper_closed = False

    def __init__(self, expert: ActingPolicy, line: _Line) -> None:
        self._expert = expert
        self._line = line

    def start(self, state: np.ndarray, commanded: np.ndarray | None = None) -> None:  # noqa: ARG002
        self._expert.reset()

    def feed(self, held: frozenset[str], axes: tuple[float, ...]) -> None:
        """It presses no keys."""

    def release(self) -> None:
        """It never lets go unasked."""

    def act(self, state: np.ndarray, dt_s: float) -> np.ndarray:  # noqa: ARG002
        seen = self._line.seen
        action = self._expert.act(
            Observation(
                state=state,
                frames=seen.frames,
                frame_wall_s=seen.frame_wall_s,
                privileged=seen.privileged,
            )
        )
        assert action is not None
        return action


class _Rigs:
    """Makes the one rig of a station."""

    def __init__(
        self,
        config: RobotConfig,
        arm: Arm,
        make_policy: Callable[[Arm], ActingPolicy],
        line: _Line,
    ) -> None:
        self._config = config
        self._arm = arm
        self._make_policy = make_policy
        self._line = line

    def warm_up(self) -> None:
        """Everything is imported already."""

    def facts(self, robot: str) -> RobotFacts:
        config = self._config
        if robot != config.name:
            raise RigRefusedError(f"this station has {config.name}, not {robot}")
        return RobotFacts(
            robot=config.name,
            fps=config.fps,
            task=config.task,
            episode_time_s=config.episode_time_s,
            policies=(),
        )

    def connect(self, robot: str, policy: str) -> Rig:  # noqa: ARG002
        self._arm.connect()
        return Rig(
            facts=self.facts(robot),
            arm=self._arm,
            human=_ExpertHand(make_expert(self._config, self._arm), self._line),
            policy=self._make_policy(self._arm),
        )

    def load_policy(self, policy: str, arm: Arm) -> ActingPolicy:  # noqa: ARG002
        raise RigRefusedError(f"a station is given its policy, it loads none: {policy}")
