"""What the actor tells the world, as messages: the one place that knows how they are worded.

An `Outlet` takes them and returns at once; whether a server listens is its business (`link.py`).
"""

from typing import Literal, Protocol

from backend.actor.clock import Clock
from backend.actor.recorder import GIB
from backend.actor.rig import Rig, RobotFacts
from backend.control import LiveCameras, Observation, Thoughts
from backend.domain import Phase
from backend.episodes.format import EpisodeEnd, EpisodeHeader
from backend.wire import (
    ActorHello,
    Answer,
    CameraInfo,
    EpisodeFinished,
    EpisodeStarted,
    Notice,
    PolicyNow,
    Tick,
)

Lasting = Answer | EpisodeStarted | EpisodeFinished | Notice


class Outlet(Protocol):
    """Where messages go; any thread may call, nothing waits."""

    def send(self, message: Lasting) -> None:
        """Bring this to the server, if need be after the next reconnect."""

    def hello(self, hello: ActorHello, live: LiveCameras | None) -> None:
        """From now on this is how the actor introduces itself, and where its cameras are."""

    def publish(self, tick: Tick, observation: Observation | None) -> None:
        """Newest wins: an older tick or picture that has not left yet never does."""


class News:
    """Words and sends what happened; listens to the recorder."""

    def __init__(self, *, outlet: Outlet, clock: Clock) -> None:
        self._outlet = outlet
        self._clock = clock

    def hello(
        self,
        rig: Rig | None,
        *,
        facts: RobotFacts,
        pid: int,
        phase: Phase,
        task: str,
        session_id: str | None,
    ) -> None:
        """Introduce the actor; `rig` is None while no robot is open."""
        arm = None if rig is None else rig.arm
        cameras = {} if arm is None else arm.cameras
        self._outlet.hello(
            ActorHello(
                pid=pid,
                robot=facts.robot,
                fps=facts.fps,
                cameras=[
                    CameraInfo(name=name, width=width, height=height)
                    for name, (width, height) in cameras.items()
                ],
                joints=[] if arm is None else list(arm.action_names),
                policies=list(facts.policies),
                phase=phase,
                task=task,
                session_id=session_id,
                policy="" if rig is None else rig.policy_name,
            ),
            arm if isinstance(arm, LiveCameras) else None,
        )

    def notice(self, level: Literal["info", "warning", "error"], code: str, message: str) -> None:
        """Something a person should read once."""
        self._outlet.send(
            Notice(level=level, code=code, message=message, t_ms=self._clock.wall_s() * 1000)
        )

    def slow_policy(self, thoughts: Thoughts) -> None:
        """A policy is asked for actions faster than it makes them."""
        often = "once" if thoughts.starved == 1 else f"{thoughts.starved} times"
        self.notice(
            "warning",
            "slow_policy",
            f"the policy ran out of actions {often} since it took over, and the robot held still: "
            f"a chunk of {thoughts.chunk_size} took {thoughts.chunk_s or 0:.2f} s; use a GPU, a "
            "checkpoint with longer chunks, or lower fps in the robot's config",
        )

    def episode_started(self, header: EpisodeHeader) -> None:
        self._outlet.send(
            EpisodeStarted(
                episode_id=header.id,
                task=header.task,
                policy=header.policy,
                fps=header.fps,
                started_s=header.started_s,
                session_id=header.session_id,
                number=header.number,
                operator=header.operator,
                checkpoint_id=header.checkpoint_id,
            )
        )

    def episode_finished(self, header: EpisodeHeader, end: EpisodeEnd) -> None:
        self._outlet.send(
            EpisodeFinished(
                episode_id=header.id,
                end_reason=end.end_reason,
                outcome=end.outcome,
                command_id=end.command_id,
                author=end.author,
                num_steps=end.num_steps,
                num_human_steps=end.num_human_steps,
            )
        )

    def recording_failed(self, header: EpisodeHeader, reason: str) -> None:
        self.notice(
            "error",
            "recording_failed",
            f"attempt {header.number} cannot be recorded further ({reason}); what came before is "
            "kept as an unfinished take that can be recovered",
        )

    def disk_low(self, free_bytes: int) -> None:
        self.notice(
            "warning",
            "disk_low",
            f"{free_bytes / GIB:.1f} GB of disk are left; move old episodes or datasets away",
        )


def policy_now(thoughts: Thoughts) -> PolicyNow:
    """How a thinking policy keeps up, in the wire's units."""
    return PolicyNow(
        queue=thoughts.queue,
        chunk_size=thoughts.chunk_size,
        starved=thoughts.starved,
        chunk_ms=_ms(thoughts.chunk_s),
        value_ms=_ms(thoughts.value_s),
    )


def _ms(time_s: float | None) -> float | None:
    return None if time_s is None else round(time_s * 1000, 1)
