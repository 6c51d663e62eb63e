"""An actor without a process: fake time, a fake arm, a fake line; the loop and session are real."""

import itertools
from typing import Any

from backend.actor.deadman import Deadman
from backend.actor.inbox import Inbox
from backend.actor.loop import ControlLoop
from backend.actor.news import News
from backend.actor.promotion import Promotions
from backend.actor.recorder import Recorder, RecorderLimits
from backend.actor.rig import RigMaker
from backend.actor.safety import SafetyTimes
from backend.actor.session import LiveSession
from backend.domain import Command, Phase
from backend.episodes.format import EpisodeHeader
from backend.wire import Answer, CommandMessage, EpisodeFinished, InputMessage, Notice, Tick
from tests.actor.fakes import FakeClock, FakeMaker, FakeOutlet, FakeWriter


class Stage:
    """A whole actor but for its process, its line and its disk."""

    def __init__(
        self,
        *,
        clock: FakeClock | None = None,
        rigs: RigMaker | None = None,
        robot: str = "fake",
        **times: Any,
    ) -> None:
        """`rigs` and `robot`: another maker than the fake one, and what it is asked for."""
        self.clock = clock or FakeClock()
        self.maker = FakeMaker(self.clock)
        rigs = rigs or self.maker
        self.outlet = FakeOutlet()
        self.writers: list[FakeWriter] = []
        self.disk_free = 10**12
        self.create_fault: Exception | None = None
        self.deadman = Deadman(times=SafetyTimes(**times), now_s=self.clock.now_s())
        self.deadman.link_up()
        self.inbox = Inbox(send=self.outlet.send)
        self.recorder = Recorder(
            create=self._create,
            events=News(outlet=self.outlet, clock=self.clock),
            free_bytes=lambda: self.disk_free,
            limits=RecorderLimits(memory_bytes=1_000_000),
        )
        self.promotions = Promotions(load=rigs.load_policy)
        self.session = LiveSession(
            maker=rigs,
            robot=robot,
            policy="fake_policy" if rigs is self.maker else "hold",
            pid=1,
            inbox=self.inbox,
            deadman=self.deadman,
            recorder=self.recorder,
            promotions=self.promotions,
            outlet=self.outlet,
            clock=self.clock,
        )
        self.loop = ControlLoop(
            session=self.session,
            inbox=self.inbox,
            deadman=self.deadman,
            outlet=self.outlet,
            clock=self.clock,
            times=SafetyTimes(**times),
        )
        self.arm, self.human, self.policy = self.maker.arm, self.maker.human, self.maker.policy
        self._ids = itertools.count()

    def _create(self, header: EpisodeHeader) -> FakeWriter:
        if self.create_fault is not None:
            raise self.create_fault
        self.writers.append(FakeWriter(header))
        return self.writers[-1]

    def ask(
        self, command: Command, *, command_id: str = "", age_s: float = 0, **params: Any
    ) -> str:
        """Submit without letting the loop turn; return the command's id."""
        command_id = command_id or f"c{next(self._ids)}"
        self.inbox.submit(
            CommandMessage(
                command=command, command_id=command_id, author="ana", sent_ms=0, params=params
            ),
            age_s=age_s,
        )
        return command_id

    def command(self, command: Command, **params: Any) -> Answer:
        """Submit, let the loop turn once, and return the answer."""
        command_id = self.ask(command, **params)
        self.turn()
        return self.answer(command_id)

    def answer(self, command_id: str) -> Answer:
        return [a for a in self.outlet.said(Answer) if a.command_id == command_id][-1]

    def keep(self, *held: str, age_s: float = 0) -> None:
        self.deadman.feed(
            InputMessage(seq=0, sent_ms=0, held=list(held)), age_s=age_s, now_s=self.clock.now_s()
        )

    def turn(self, times: int = 1, *, keeping: tuple[str, ...] | None = None) -> Tick:
        """Let the loop turn; `keeping`: the page refreshes these held keys before each turn."""
        for _ in range(times):
            if keeping is not None:
                self.keep(*keeping)
            self.loop.turn()
        return self.outlet.ticks[-1]

    def start(self) -> None:
        """Open the robot and start an attempt that the policy drives."""
        assert self.command(Command.OPEN).accepted
        assert self.command(Command.START).accepted
        assert self.phase is Phase.POLICY

    def finished(self) -> EpisodeFinished:
        """Turn until the attempt is on the disk and the robot is reset."""
        self.until(Phase.IDLE)
        return self.outlet.said(EpisodeFinished)[-1]

    def until(self, phase: Phase, limit: int = 1000) -> None:
        """Turn until `phase`; the recorder's thread is real, so yield to it."""
        for _ in range(limit):
            if self.phase is phase:
                return
            self.settle()
            self.turn()
        raise AssertionError(f"still {self.phase} after {limit} turns")

    def settle(self) -> None:
        """Wait until the recorder has nothing left to do."""
        self.recorder._queue.join()

    def notices(self, code: str) -> list[Notice]:
        return [notice for notice in self.outlet.said(Notice) if notice.code == code]

    @property
    def phase(self) -> Phase:
        return self.session.state.phase

    def close(self) -> None:
        self.recorder.close()
