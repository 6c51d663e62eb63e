"""An actor made of the real wire and the real phase table, and no robot."""

from contextlib import ExitStack
from typing import Any

from websockets.sync.client import ClientConnection, connect

from backend.actor.phases import CommandRefusedError, State
from backend.domain import Driver, Phase
from backend.wire import (
    ActorHello,
    Answer,
    CameraInfo,
    CommandMessage,
    EpisodeNow,
    ErrorBody,
    InputMessage,
    LeaseMessage,
    Message,
    Ping,
    Tick,
    UploadOrder,
    pack_frame,
    to_actor,
)

JPEG = b"\xff\xd8 a picture \xff\xd9"


class FakeActor:
    """Connects, says hello, and does only what the test tells it to."""

    def __init__(
        self,
        url: str,
        *,
        token: str,
        pid: int = 4711,
        hello: bool = True,
        headers: dict[str, str] | None = None,
    ) -> None:
        self._open = ExitStack()
        self.socket: ClientConnection = self._open.enter_context(
            connect(
                f"{url}/ws/actor",
                additional_headers={"Authorization": f"Bearer {token}", **(headers or {})},
                compression=None,
            )
        )
        self.pid = pid
        self.state = State()
        self.session_id: str | None = None
        self.steps = 0
        self._sequence = 0
        if hello:
            self.hello()

    def hello(self, *, cameras: int = 2) -> None:
        self.send(
            ActorHello(
                pid=self.pid,
                robot="so101_sim_touch",
                fps=10.0,
                cameras=[
                    CameraInfo(name=name, width=320, height=240)
                    for name in ("overhead", "wrist", "side")[:cameras]
                ],
                joints=["shoulder_pan.pos", "gripper.pos"],
                policies=["hold", "scripted"],
                phase=self.state.phase,
                task="Touch the red cube",
                session_id=self.session_id,
                policy="hold",
            )
        )

    def send(self, message: Message) -> None:
        self.socket.send(message.model_dump_json())

    def send_frame(self, camera: int = 0, jpeg: bytes = JPEG) -> bytes:
        """Send a frame, wait for its acknowledgement, return the bytes sent."""
        blob = pack_frame(
            camera=camera, sequence=self._sequence, captured_ms=1000.0 + self._sequence, jpeg=jpeg
        )
        self._sequence += 1
        self.socket.send(blob)
        while (reply := self.socket.recv(timeout=5)) != bytes([camera]):
            assert isinstance(reply, str), reply
        return blob

    def tick(self, **changes: Any) -> Tick:
        phase = changes.pop("phase", self.state.phase)
        self.steps += 1
        drivers = {Phase.POLICY: Driver.POLICY, Phase.HUMAN: Driver.HUMAN}
        fields: dict[str, Any] = {
            "step": self.steps,
            "t_ms": 1000.0,
            "phase": phase,
            "driver": drivers.get(phase, Driver.NONE),
            **changes,
        }
        tick = Tick(**fields)
        self.send(tick)
        return tick

    def next_told(self) -> Message:
        """The next message that is neither a ping nor an acknowledgement."""
        while True:
            text = self.socket.recv(timeout=5)
            if isinstance(text, bytes):
                continue
            message = to_actor.validate_json(text)
            if not isinstance(message, Ping):
                return message

    def next_command(self) -> CommandMessage:
        while not isinstance(message := self.next_told(), CommandMessage):
            pass
        return message

    def next_input(self) -> InputMessage:
        while not isinstance(message := self.next_told(), InputMessage):
            pass
        return message

    def next_lease(self) -> LeaseMessage:
        while not isinstance(message := self.next_told(), LeaseMessage):
            pass
        return message

    def next_upload_order(self) -> UploadOrder:
        while not isinstance(message := self.next_told(), UploadOrder):
            pass
        return message

    def send_answer(self, command: CommandMessage, error: ErrorBody | None = None) -> None:
        self.send(
            Answer(
                command_id=command.command_id,
                accepted=error is None,
                phase=self.state.phase,
                error=error,
            )
        )

    def obey(self) -> CommandMessage:
        """Take the next command through the real phase table and answer it."""
        command = self.next_command()
        error = None
        try:
            self.state = self.state.on(command.command)
        except CommandRefusedError as refused:
            error = ErrorBody(code="refused", message=str(refused))
        self.send_answer(command, error)
        self.tick()
        return command

    def close(self) -> None:
        self._open.close()


def episode_now(episode_id: str, *, steps: int = 3) -> EpisodeNow:
    return EpisodeNow(
        id=episode_id, number=1, steps=steps, human_steps=0, elapsed_s=0.3, task="Touch"
    )
