"""The page's side of the sockets and the nouns of the REST answers.

Ticks, notices, answers and frames come from the actor and pass through unchanged: `backend.wire`.
"""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter

from backend.domain import Command, Driver, Phase, Role
from backend.wire import CameraInfo, EpisodeNow, Message, Rates


class Documented(Message):
    """A message whose fields' docstrings are their descriptions in OpenAPI."""

    model_config = ConfigDict(use_attribute_docstrings=True)


class ActorStatus(Documented):
    """How the server sees the process that owns the robot."""

    state: Literal["starting", "connected", "lost", "stopped"]
    """`starting`: its process runs and has not called yet. `lost`: it called and went silent."""
    pid: int | None = None
    message: str = ""
    """Why it is not connected and what to do, for people; empty when connected."""


class Counts(Documented):
    """The session's attempts, by the labels in force."""

    success: int = 0
    failure: int = 0
    unlabeled: int = 0
    rate: float | None = None
    """success / (success + failure) and its 95 % Wilson interval; None without a graded attempt."""
    rate_low: float | None = None
    rate_high: float | None = None
    human_share: float | None = None
    """Human steps / all steps of the session's finished episodes; None without a step."""
    attempts_per_hour: float | None = None


class UploadNow(Documented):
    """An episode that another computer recorded and that is not whole here yet."""

    episode_id: str
    share: float
    """How much of it is here, 0 to 1."""
    heard_s: float
    """When anything came of it last, Unix time."""
    problem: str = ""
    """Why the server cannot take it, until somebody decides; empty while it can."""


class PromotedNow(Documented):
    """The weights that should drive."""

    policy: str
    """A checkpoint `run/step`, or published weights `run@version`."""
    promoted_s: float
    """Since when, Unix time."""


class LeaseInfo(Documented):
    """Who may drive. A client is one open control socket."""

    client_id: str | None = None
    holder: str | None = None


class SessionNow(Documented):
    """`GET /api/session`, and inside the live socket's hello."""

    phase: Phase
    driver: Driver
    session_id: str | None
    """Session row's id; None while closed."""
    robot: str
    fps: float
    cameras: list[CameraInfo]
    joints: list[str]
    policies: list[str]
    """Policies that `open` may be given, and the one in use."""
    policy: str
    task: str
    reason: str = ""
    episode: EpisodeNow | None = None
    last_episode_id: str | None = None
    """Last finished episode of this session, which undo would relabel."""
    counts: Counts
    lease: LeaseInfo
    rates: Rates
    actor: ActorStatus
    possible: list[Command]
    """Commands possible in this phase."""
    disk_free_bytes: int
    unfinished: int
    """Takes that wait to be recovered or discarded."""
    promoted: PromotedNow | None = None
    """What drives from the next attempt on, unless `open` was given something else."""
    uploads: list[UploadNow] = Field(default_factory=list)
    """Episodes on their way here from the robot's computer; one being recorded is one of them."""


class LiveHello(Documented):
    """First message of `/ws/live`, sent again whenever anything in it changed (at most 4 Hz)."""

    type: Literal["hello"] = "hello"
    server_ms: float
    """To measure the page's clock against the server's."""
    you: str
    role: Role
    profile: str
    session: SessionNow


class Take(Documented):
    """Ask for the lease. Granted when free, when already mine, or when its holder went silent."""

    type: Literal["take"] = "take"


class Release(Documented):
    """Give the lease back."""

    type: Literal["release"] = "release"


class Ask(Documented):
    """Tell the present holder that somebody would like to drive."""

    type: Literal["ask"] = "ask"


class Keep(Documented):
    """Refresh the lease, 20 Hz or more while driving, with what is held now."""

    type: Literal["keep"] = "keep"
    seq: int
    held: list[str] = Field(default_factory=list, max_length=16)
    axes: list[float] = Field(default_factory=list, max_length=16)
    sent_ms: float | None = None
    """Server clock, from the page's estimate; lets the server drop a refresh that came late."""


class CommandUp(Documented):
    """A button, key or gamepad button."""

    type: Literal["command"] = "command"
    command: Command
    command_id: str = Field(min_length=1, max_length=64)
    sent_ms: float | None = None
    params: dict[str, Any] = Field(default_factory=dict)


ControlUp = Annotated[Take | Release | Ask | Keep | CommandUp, Field(discriminator="type")]
control_up: TypeAdapter[ControlUp] = TypeAdapter(ControlUp)


class Lease(Documented):
    """First message of `/ws/control`, and whenever the holder changes."""

    type: Literal["lease"] = "lease"
    holder: str | None
    mine: bool
    you: str


class Ack(Documented):
    """A keep arrived; the difference to its own clock tells the page how long the way is."""

    type: Literal["ack"] = "ack"
    seq: int
    server_ms: float


class CommandBody(Documented):
    """`POST /api/session/command`."""

    command: Command
    command_id: str = Field(min_length=1, max_length=64)
    """Made by the client; a repeat is answered like the first and does nothing."""
    params: dict[str, Any] = Field(default_factory=dict)
    """`open`: {"robot": name, "policy": name}. `start`: {"task": text}."""


class Accepted(Documented):
    """The command was done; `phase` is where that led."""

    accepted: Literal[True] = True
    phase: Phase
