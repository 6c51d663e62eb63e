"""The page's side of the sockets and the nouns of the REST answers.

Ticks, notices, answers and frames come from the actor and pass through unchanged: `backend.wire`.
"""

from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from backend.domain import Command, Driver, Phase, Role
from backend.wire import CameraInfo, EpisodeNow, Message, Rates


class ActorStatus(Message):
    """How the server sees the process that owns the robot."""

    # `starting`: its process runs and has not called yet. `lost`: it called and went silent.
    state: Literal["starting", "connected", "lost", "stopped"]
    pid: int | None = None
    # Why it is not connected and what to do, for people; empty when connected.
    message: str = ""


class Counts(Message):
    """The session's attempts, by the labels in force."""

    success: int = 0
    failure: int = 0
    unlabeled: int = 0
    # success / (success + failure) and its 95 % Wilson interval; None without a graded attempt.
    rate: float | None = None
    rate_low: float | None = None
    rate_high: float | None = None
    # Human steps / all steps of the session's finished episodes; None without a step.
    human_share: float | None = None
    attempts_per_hour: float | None = None


class LeaseInfo(Message):
    """Who may drive. A client is one open control socket."""

    client_id: str | None = None
    holder: str | None = None


class SessionNow(Message):
    """`GET /api/session`, and inside the live socket's hello."""

    phase: Phase
    driver: Driver
    # Session row's id; None while closed.
    session_id: str | None
    robot: str
    fps: float
    cameras: list[CameraInfo]
    joints: list[str]
    # Policies that `open` may be given, and the one in use.
    policies: list[str]
    policy: str
    task: str
    reason: str = ""
    episode: EpisodeNow | None = None
    # Last finished episode of this session, which undo would relabel.
    last_episode_id: str | None = None
    counts: Counts
    lease: LeaseInfo
    rates: Rates
    actor: ActorStatus
    # Commands possible in this phase.
    possible: list[Command]
    disk_free_bytes: int
    # Takes that wait to be recovered or discarded.
    unfinished: int


class LiveHello(Message):
    """First message of `/ws/live`, sent again whenever anything in it changed (at most 4 Hz)."""

    type: Literal["hello"] = "hello"
    # To measure the page's clock against the server's.
    server_ms: float
    you: str
    role: Role
    profile: str
    session: SessionNow


class Take(Message):
    """Ask for the lease. Granted when free, when already mine, or when its holder went silent."""

    type: Literal["take"] = "take"


class Release(Message):
    type: Literal["release"] = "release"


class Ask(Message):
    """Tell the present holder that somebody would like to drive."""

    type: Literal["ask"] = "ask"


class Keep(Message):
    """Refresh the lease, 20 Hz or more while driving, with what is held now."""

    type: Literal["keep"] = "keep"
    seq: int
    held: list[str] = Field(default_factory=list, max_length=16)
    axes: list[float] = Field(default_factory=list, max_length=16)
    # Server clock, from the page's estimate; lets the server drop a refresh that came late.
    sent_ms: float | None = None


class CommandUp(Message):
    """A button, key or gamepad button."""

    type: Literal["command"] = "command"
    command: Command
    command_id: str = Field(min_length=1, max_length=64)
    sent_ms: float | None = None
    params: dict[str, Any] = Field(default_factory=dict)


ControlUp = Annotated[Take | Release | Ask | Keep | CommandUp, Field(discriminator="type")]
control_up: TypeAdapter[ControlUp] = TypeAdapter(ControlUp)


class Lease(Message):
    """First message of `/ws/control`, and whenever the holder changes."""

    type: Literal["lease"] = "lease"
    holder: str | None
    mine: bool
    you: str


class Ack(Message):
    type: Literal["ack"] = "ack"
    seq: int
    server_ms: float


class CommandBody(Message):
    """`POST /api/session/command`."""

    command: Command
    # Made by the client; a repeat is answered like the first and does nothing.
    command_id: str = Field(min_length=1, max_length=64)
    # `open`: {"robot": name, "policy": name}. `start`: {"task": text}.
    params: dict[str, Any] = Field(default_factory=dict)


class Accepted(Message):
    accepted: Literal[True] = True
    phase: Phase
