"""The session as everyone sees it: one state, told to all pages whenever it changes.

Joins what the actor says (`actor_line`), who drives (`lease`), what the database counts (`Ledger`)
and how the actor's process is into `SessionNow`, and sends it as a hello to each viewer, at once
when something changed and at most four times a second. Numbers that change with every step are not
"something": ticks carry them.

Runs on the event loop only. It reads no database and starts no process: others bring it news.
"""

import asyncio
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from backend.actor.phases import possible
from backend.api.actor_line import ActorLine
from backend.api.auth import User
from backend.api.clock import Clock
from backend.api.episode_inbox import Coming
from backend.api.lease import Holder, LeaseBook
from backend.api.messages import (
    ActorStatus,
    Counts,
    Lease,
    LeaseInfo,
    LiveHello,
    PromotedNow,
    SessionNow,
    UploadNow,
)
from backend.api.viewers import Viewer, Viewers
from backend.domain import Driver, Phase
from backend.wire import (
    ActorHello,
    LeaseMessage,
    Message,
    Notice,
    PolicyMessage,
    Rates,
    Tick,
)

HELLO_INTERVAL_S = 0.25
LOST = (
    "The connection to the robot's process is lost. It holds the robot and calls again by itself; "
    "if it does not, look at the robot and at actor.log."
)


@dataclass(frozen=True, kw_only=True)
class Ledger:
    """What the database knows of the present session."""

    counts: Counts = field(default_factory=Counts)
    last_episode_id: str | None = None
    unfinished: int = 0


class ControlClient(Protocol):
    """One open control socket."""

    holder: Holder

    def offer(self, message: Message) -> None:
        """Queue a message for it; returns at once."""


class Live:
    """The present moment."""

    def __init__(
        self,
        *,
        clock: Clock,
        data_dir: Path,
        robot: str,
        policy: str,
        profile: str,
        actor_process: Callable[[], ActorStatus],
        uploads: Callable[[], dict[str, Coming]],
    ) -> None:
        """Args:
        robot, policy: What `open` takes unless told otherwise; shown while closed.
        actor_process: State of the actor's process as far as this server knows it.
        uploads: The episodes that are on their way here, by id; returns at once.
        """
        self.clock = clock
        self.line = ActorLine(clock)
        self.lease = LeaseBook(monotonic_s=clock.monotonic_s)
        self.ledger = Ledger()
        # The checkpoint that should drive, as promoted last; None before the first promotion.
        self.promoted: PolicyMessage | None = None
        # Who last asked for `open`: the session's operator.
        self.opened_by = ""
        self._viewers = Viewers()
        self._watchers: dict[Viewer, User] = {}
        self._clients: dict[str, ControlClient] = {}
        self._data_dir = data_dir
        self._robot = robot
        self._policy = policy
        self._profile = profile
        self._actor_process = actor_process
        self._uploads = uploads
        self._changed = asyncio.Event()

    # -- what there is ------------------------------------------------------------------------

    def session_now(self) -> SessionNow:
        hello, tick = self.line.hello, self.line.tick
        connected = self.line.is_connected
        phase = self.line.phase
        holder = self.lease.holder
        episode = tick.episode if tick else None
        return SessionNow(
            phase=phase,
            driver=tick.driver if tick and connected else Driver.NONE,
            session_id=hello.session_id if hello else None,
            robot=hello.robot if hello and hello.robot else self._robot,
            fps=hello.fps if hello else 0.0,
            cameras=hello.cameras if hello else [],
            joints=hello.joints if hello else [],
            policies=hello.policies if hello else [],
            policy=(tick.policy if tick else "")
            or (hello.policy if hello else "")
            or self._default_policy(),
            task=episode.task if episode else (hello.task if hello else ""),
            reason=tick.reason if tick else "",
            episode=episode,
            last_episode_id=self.ledger.last_episode_id,
            counts=self.ledger.counts,
            lease=LeaseInfo(
                client_id=holder.client_id if holder else None,
                holder=holder.name if holder else None,
            ),
            rates=tick.rates if tick and connected else Rates(),
            actor=self.actor_status(),
            possible=possible(phase) if connected else [],
            disk_free_bytes=shutil.disk_usage(self._data_dir).free,
            unfinished=self.ledger.unfinished,
            promoted=PromotedNow(
                policy=self.promoted.checkpoint_id, promoted_s=self.promoted.promoted_s
            )
            if self.promoted
            else None,
            uploads=[
                UploadNow(episode_id=id, share=one.share, heard_s=one.heard_s, problem=one.problem)
                for id, one in self._uploads().items()
            ],
        )

    def _default_policy(self) -> str:
        """What `open` takes when it names none."""
        return self.promoted.checkpoint_id if self.promoted else self._policy

    def actor_status(self) -> ActorStatus:
        hello = self.line.hello
        if hello is None:
            return self._actor_process()
        if self.line.is_connected:
            return ActorStatus(state="connected", pid=hello.pid)
        return ActorStatus(state="lost", pid=hello.pid, message=LOST)

    # -- pages that watch ---------------------------------------------------------------------

    def watch(self, viewer: Viewer, user: User) -> None:
        viewer.offer_hello(self._hello_for(user, self.session_now()))
        self._watchers[viewer] = user
        self._viewers.add(viewer)

    def unwatch(self, viewer: Viewer) -> None:
        self._watchers.pop(viewer, None)
        self._viewers.remove(viewer)

    @property
    def num_viewers(self) -> int:
        return len(self._viewers)

    def changed(self) -> None:
        """Something in `session_now` is different: tell everyone soon."""
        self._changed.set()

    async def tell_changes(self) -> None:
        """Send hellos for as long as the server runs."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            now = self.session_now()
            for viewer, user in self._watchers.items():
                viewer.offer_hello(self._hello_for(user, now))
            await asyncio.sleep(HELLO_INTERVAL_S)

    def _hello_for(self, user: User, session: SessionNow) -> str:
        return LiveHello(
            server_ms=self.clock.wall_ms(),
            you=user.name,
            role=user.role,
            profile=self._profile,
            session=session,
        ).model_dump_json()

    # -- what the actor says ------------------------------------------------------------------

    def greeted(self, hello: ActorHello) -> None:
        before = self.line.hello
        self.line.greet(hello)
        if before is None or before.cameras != hello.cameras or before.pid != hello.pid:
            self._viewers.forget_frames()
        self.changed()

    def frame(self, camera: int, blob: bytes) -> None:
        self._viewers.publish_frame(camera, blob)

    def ticked(self, tick: Tick, text: str) -> None:
        """Pass a tick on as it was written."""
        before = self.line.tick
        self.line.tick = tick
        self._viewers.publish_text(text)
        if before is None or _gist(before) != _gist(tick):
            self.changed()

    def actor_left(self) -> None:
        self.changed()

    def actor_ended(self) -> None:
        """Its process is gone, so nothing is open."""
        self.line.forget()
        self._viewers.forget_frames()
        self.changed()

    def notify(self, level: Literal["info", "warning", "error"], code: str, message: str) -> None:
        """Tell everyone something that a person should read once."""
        self.pass_on(Notice(level=level, code=code, message=message, t_ms=self.clock.wall_ms()))

    def pass_on(self, notice: Notice) -> None:
        self._viewers.publish_text(notice.model_dump_json())

    # -- what drives --------------------------------------------------------------------------

    def offer_policy(self, checkpoint_id: str, path: Path, *, promoted_s: float) -> None:
        """Let this checkpoint drive from the next episode on; told again on every connection.

        Args:
            checkpoint_id: `run/step`.
            path: Its folder.
            promoted_s: When somebody promoted it, Unix time; the actor takes each promotion once.
        """
        self.promoted = PolicyMessage(
            checkpoint_id=checkpoint_id, path=str(path), promoted_s=promoted_s
        )
        self.line.tell(self.promoted)
        self.changed()

    # -- who drives ---------------------------------------------------------------------------

    def join(self, client: ControlClient) -> None:
        self._clients[client.holder.client_id] = client
        client.offer(self.lease_for(client))

    def leave(self, client: ControlClient) -> None:
        self._clients.pop(client.holder.client_id, None)
        self.release(client)

    def take(self, client: ControlClient) -> None:
        before = self.lease.holder
        if self.lease.take(client.holder, phase=self.line.phase) and before != client.holder:
            self._lease_changed()
        else:
            client.offer(self.lease_for(client))

    def release(self, client: ControlClient) -> None:
        if self.lease.release(client.holder.client_id):
            self._lease_changed()

    def lease_for(self, client: ControlClient) -> Lease:
        holder = self.lease.holder
        return Lease(
            holder=holder.name if holder else None,
            mine=self.lease.is_held_by(client.holder.client_id),
            you=client.holder.name,
        )

    def lease_message(self) -> LeaseMessage:
        return LeaseMessage(holder=self.lease.holder.name if self.lease.holder else None)

    def _lease_changed(self) -> None:
        self.line.tell(self.lease_message())
        for client in self._clients.values():
            client.offer(self.lease_for(client))
        self.changed()


def _gist(tick: Tick) -> tuple[Phase, Driver, str, str | None, str, Phase | None]:
    episode_id = tick.episode.id if tick.episode else None
    return tick.phase, tick.driver, tick.reason, episode_id, tick.policy, tick.came_from
