"""What travels on the sockets: camera frames as bytes, everything else as JSON messages.

Both legs speak the same words: the actor to the server (`/ws/actor`) and the server to pages
(`/ws/live`, `/ws/control`). A frame is packed once, by the actor, and passed on as it is; the
receiver acknowledges it with one byte, the camera's number, and the sender keeps at most
`FRAME_CREDITS` unacknowledged frames a camera, so that nobody ever falls behind.

Unknown fields are refused by name: a message that is not understood is a bug in its sender.
"""

import struct
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from backend.domain import Command, Driver, EndReason, Outcome, Phase

FRAME_HEADER = struct.Struct("<BBHId")
FRAME_KIND = 1
# Two hides one round trip of up to 60 ms at 30 fps without letting a queue grow.
FRAME_CREDITS = 2
# A 1280x720 JPEG at quality 95 stays far below; whatever is larger is not a camera frame.
MAX_FRAME_BYTES = 2 * 1024 * 1024
MAX_TEXT_BYTES = 64 * 1024

# How actor and server learn whether they share one disk. The server keeps a nonce, new at each
# start, in this file of its data directory; an actor shows what it reads there in its own, as a
# header of its WebSocket's request, and the answer's header tells it `shared` or `apart`.
NONCE_FILE = "server.nonce"
NONCE_HEADER = "Handrail-Nonce"
DISK_HEADER = "Handrail-Disk"
DISK_SHARED = "shared"
DISK_APART = "apart"
# Where an actor brings episodes and fetches checkpoints, with its own token.
ACTOR_API = "/api/actor"
# SHA-256 of the body of one request, in hexadecimal.
DIGEST_HEADER = "Content-SHA256"
# An episode leaves in parts of at most so many bytes.
MAX_PART_BYTES = 1024 * 1024


def pack_frame(*, camera: int, sequence: int, captured_ms: float, jpeg: bytes) -> bytes:
    """Return header and JPEG as one message.

    Args:
        camera: Index into the hello's `cameras`, 0 to 255.
        sequence: Counts up for each camera; wraps at 2**32.
        captured_ms: When the picture was taken, milliseconds since the epoch.
        jpeg: The encoded picture.
    """
    return FRAME_HEADER.pack(FRAME_KIND, camera, 0, sequence % 2**32, captured_ms) + jpeg


def unpack_frame(blob: bytes) -> tuple[int, int, float, memoryview]:
    """Return (camera, sequence, captured_ms, jpeg) of a packed frame.

    Raises:
        ValueError: The blob is no frame, or a frame larger than `MAX_FRAME_BYTES`.
    """
    if len(blob) <= FRAME_HEADER.size:
        raise ValueError(
            f"a frame has a {FRAME_HEADER.size}-byte header and a picture, got {len(blob)} bytes"
        )
    if len(blob) > MAX_FRAME_BYTES:
        raise ValueError(f"a frame may hold {MAX_FRAME_BYTES} bytes, got {len(blob)}")
    kind, camera, _flags, sequence, captured_ms = FRAME_HEADER.unpack_from(blob)
    if kind != FRAME_KIND:
        raise ValueError(f"binary messages are frames (kind {FRAME_KIND}), got kind {kind}")
    return camera, sequence, captured_ms, memoryview(blob)[FRAME_HEADER.size :]


class Message(BaseModel):
    """A JSON message: immutable, its fields known."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ErrorBody(Message):
    """What went wrong, for programs (`code`) and for people (`message`, `hint`)."""

    code: str
    message: str
    # What to do about it; empty when there is nothing to do.
    hint: str = ""


class CameraInfo(Message):
    """One camera of the open robot."""

    name: str
    width: int
    height: int


class Rates(Message):
    """What the control loop really does, over the last few seconds."""

    # Control steps a second, and what the robot config asks for.
    loop_hz: float = 0.0
    target_hz: float = 0.0
    # Lateness of the control tick against its schedule, milliseconds.
    late_p50_ms: float = 0.0
    late_p99_ms: float = 0.0
    # Ticks that began more than one period late since the robot was opened.
    overruns: int = 0


class EpisodeNow(Message):
    """The episode being recorded, as far as it has come."""

    id: str
    # Counts the attempts of this session, from 1.
    number: int
    steps: int
    human_steps: int
    elapsed_s: float
    task: str


class PolicyNow(Message):
    """How a policy that thinks in chunks of actions keeps up, in the tick it acts in."""

    # Actions that wait to be played; at 0 the robot holds its pose.
    queue: int
    # Actions in a full chunk.
    chunk_size: int
    # Ticks since the last takeover, hand-back or start that found no action.
    starved: int = 0
    # How long the newest chunk and the newest value took, milliseconds; None before the first.
    chunk_ms: float | None = None
    value_ms: float | None = None


class Tick(Message):
    """Actor to server to page, at most once a control step."""

    type: Literal["tick"] = "tick"
    step: int
    # When the step was taken, milliseconds since the epoch.
    t_ms: float
    phase: Phase
    driver: Driver
    # Why the robot is held or stopped, for people; empty otherwise.
    reason: str = ""
    # Where `start` returns to from `held`.
    came_from: Phase | None = None
    # None between episodes.
    episode: EpisodeNow | None = None
    # Critic's estimate of the return from here and its spread; None until a critic is loaded.
    value: float | None = None
    spread: float | None = None
    # What the critic thinks of the chunk that began with tick `advantage_step`: known a chunk late.
    advantage: float | None = None
    advantage_step: int | None = None
    # The tick whose pictures `value` judges; None without a value.
    value_step: int | None = None
    # The value came after the step that followed those pictures: it is old and is not recorded.
    value_late: bool = False
    # Actions that were cut by the limits since the robot was opened.
    clamps: int = 0
    # None for policies that answer at once.
    acting: PolicyNow | None = None
    # Which policy acts: `hold`, `scripted`, or a checkpoint's id.
    policy: str = ""
    # Whether a simulator sees the task done, in an attempt, for those who grade it; None: a robot
    # knows no such thing.
    verdict: bool | None = None
    # Browser teleoperator: speed as a share of its maximum, and whether its gripper is closed.
    jog_speed: float = 1.0
    gripper_closed: bool = False
    rates: Rates = Rates()


class ActorHello(Message):
    """Actor to server, first message and again whenever a robot is opened or closed."""

    type: Literal["hello"] = "hello"
    pid: int
    # Name of the robot config, for example `so101_sim_touch`.
    robot: str
    fps: float
    cameras: list[CameraInfo]
    # Names of the action and state dimensions, in the order of the recorded arrays.
    joints: list[str]
    policies: list[str]
    phase: Phase
    task: str
    # From `open` to `close`, as in the headers of its episodes; None while closed. It is the
    # `session_id` that `open` was given in its params, else one the actor made.
    session_id: str | None = None
    # Which policy acts; empty while closed.
    policy: str = ""


class Answer(Message):
    """The one reply to a command, for whoever sent it."""

    type: Literal["answer"] = "answer"
    command_id: str
    accepted: bool
    phase: Phase
    error: ErrorBody | None = None


class EpisodeStarted(Message):
    """Actor to server: an episode's folder exists and takes steps."""

    type: Literal["episode_started"] = "episode_started"
    episode_id: str
    task: str
    policy: str
    fps: float
    started_s: float
    session_id: str = ""
    # Counts the attempts of the session, from 1.
    number: int = 1
    operator: str = ""
    # Checkpoint that acts, as `run/step`; None for policies that are no checkpoint.
    checkpoint_id: str | None = None


class EpisodeFinished(Message):
    """Actor to server: `episode.json` is written, the folder is final."""

    type: Literal["episode_finished"] = "episode_finished"
    episode_id: str
    end_reason: EndReason
    # The grade given at the end and the command that gave it; none for timeouts and aborts.
    outcome: Outcome
    command_id: str | None
    author: str
    num_steps: int
    num_human_steps: int


class Notice(Message):
    """Actor or server to page: something a person should read once."""

    type: Literal["event"] = "event"
    level: Literal["info", "warning", "error"]
    # Short machine name: `deadman`, `clamped`, `robot_lost`, `lease_asked`, …
    code: str
    message: str
    t_ms: float


class CommandMessage(Message):
    """Server to actor: do this, once."""

    type: Literal["command"] = "command"
    command: Command
    command_id: str
    author: str
    # When its sender pressed the key, server clock; late ones are refused, `stop` never is.
    sent_ms: float
    # `open`: robot, policy, session_id (each optional). `start`: task (optional).
    params: dict[str, Any] = Field(default_factory=dict)


class InputMessage(Message):
    """Server to actor: a refresh of the lease with what is held now (level, not edges)."""

    type: Literal["input"] = "input"
    seq: int
    sent_ms: float
    # `KeyboardEvent.code` of every held key.
    held: list[str] = Field(max_length=16)
    # Gamepad axes then buttons as the page's mapping orders them: x, y, z, roll, pitch, gripper.
    axes: list[float] = Field(default_factory=list, max_length=16)


class LeaseMessage(Message):
    """Server to actor: who may drive now; None when nobody holds the lease."""

    type: Literal["lease"] = "lease"
    holder: str | None


class PolicyMessage(Message):
    """Server to actor: this checkpoint should drive, from the next episode on.

    Said on promotion and again on every connection; the same promotion twice changes nothing.
    """

    type: Literal["policy"] = "policy"
    # `run/step`.
    checkpoint_id: str
    # Its folder, as the actor's computer finds it.
    path: str
    # When somebody promoted it, Unix time: tells a new promotion from a repeated one.
    promoted_s: float


class FileFacts(Message):
    """One file that goes over HTTP, either way."""

    # Relative to its folder, with `/` between its parts.
    name: str
    size: int = Field(ge=0)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")


class UploadPlan(Message):
    """Actor to server: the files of one episode's folder."""

    files: list[FileFacts] = Field(min_length=1, max_length=64)


class UploadState(Message):
    """Server to actor: how far an episode has come."""

    # `stored`: all of it is verified and lies in the server's data directory.
    state: Literal["receiving", "stored"]
    # Bytes received of each file; the next part begins there.
    received: dict[str, int] = Field(default_factory=dict)


class UploadOrder(Message):
    """Server to actor: what somebody decided of an episode that the server refused for good.

    `retry` brings what waits at once; `discard` moves the episode to `discarded/` of the actor's
    data directory. Neither does anything where the episode is not one of those.
    """

    type: Literal["upload"] = "upload"
    episode_id: str
    order: Literal["retry", "discard"]


class FetchPlan(Message):
    """Server to actor: what a path of its checkpoints consists of."""

    # Where it lies in the server's data directory, and should in the actor's.
    relative: str
    files: list[FileFacts]
    # Other paths of the data directory that it is of no use without: what weights go over.
    needs: list[str] = Field(default_factory=list)


class Ping(Message):
    """Server to actor and back, to know the difference of their clocks."""

    type: Literal["ping"] = "ping"
    t_ms: float
    # Filled by the actor in its echo.
    actor_ms: float | None = None


FromActor = Annotated[
    ActorHello | Tick | Answer | EpisodeStarted | EpisodeFinished | Notice | Ping,
    Field(discriminator="type"),
]
ToActor = Annotated[
    CommandMessage | InputMessage | LeaseMessage | PolicyMessage | UploadOrder | Ping,
    Field(discriminator="type"),
]
from_actor: TypeAdapter[FromActor] = TypeAdapter(FromActor)
to_actor: TypeAdapter[ToActor] = TypeAdapter(ToActor)
