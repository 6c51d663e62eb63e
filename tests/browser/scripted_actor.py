"""An actor without a robot: the real wire, phase table and recording, and drawn pictures.

The page cannot tell it from the real one, so tests that are about the page alone need no simulator.
`inputs` remembers every refresh that came, `commands` every command.
"""

import math
import threading
import time
import uuid
from pathlib import Path

import cv2
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from backend.actor.phases import CommandRefusedError, Happening, State
from backend.domain import Command, Driver, EndReason, Outcome, Phase
from backend.wire import (
    ActorHello,
    Answer,
    CameraInfo,
    CommandMessage,
    EpisodeFinished,
    EpisodeNow,
    EpisodeStarted,
    ErrorBody,
    InputMessage,
    LeaseMessage,
    Message,
    Ping,
    Rates,
    Tick,
    pack_frame,
    to_actor,
)
from tests.browser.drawn_take import CAMERAS, HEIGHT, JOINTS, WIDTH, DrawnTake, Scene

FPS = 20.0
HELD_AFTER_S = 1.0
RESET_S = 0.4
DRIVERS = {Phase.POLICY: Driver.POLICY, Phase.HUMAN: Driver.HUMAN}


class ScriptedActor:
    """Connects at once and lives in a thread of its own until closed."""

    def __init__(self, ws_url: str, data_dir: Path, *, critic: bool = False) -> None:
        self._url = f"{ws_url}/ws/actor"
        self._token = (data_dir / "actor.token").read_text().strip()
        self._critic = critic
        self._closing = threading.Event()
        # Set while the actor sends no frames, as a camera that froze.
        self.frozen = threading.Event()
        self.state = State()
        self.inputs: list[InputMessage] = []
        self.commands: list[CommandMessage] = []
        self._robot, self._policy, self._task = "so101_sim_touch", "scripted", "Touch the red cube"
        self._session_id: str | None = None
        self._episodes_dir = data_dir / "episodes"
        self._take: DrawnTake | None = None
        self._number = self._count = 0
        self._reason = ""
        self._heard_s = self._reset_s = 0.0
        self._scene = Scene()
        self._thread = threading.Thread(target=self._live)
        self._thread.start()

    @property
    def phase(self) -> Phase:
        return self.state.phase

    def close(self) -> None:
        self._closing.set()
        self._thread.join(timeout=10)
        if self._take is not None:
            self._take.abandon()

    def _live(self) -> None:
        while not self._closing.is_set():
            try:
                headers = {"Authorization": f"Bearer {self._token}"}
                with connect(self._url, additional_headers=headers, compression=None) as socket:
                    self._serve(socket)
            except (ConnectionClosed, OSError):
                self._closing.wait(0.2)

    def _serve(self, socket: ClientConnection) -> None:
        self._hello(socket)
        due_s = time.monotonic()
        while not self._closing.is_set():
            # On a busy machine steps come late, but what was sent is read all the same.
            due_s = max(due_s + 1 / FPS, time.monotonic())
            while True:
                try:
                    text = socket.recv(timeout=max(0.0, due_s - time.monotonic()))
                except TimeoutError:
                    break
                if isinstance(text, str):
                    self._obey(socket, to_actor.validate_json(text))
            self._step(socket)

    def _send(self, socket: ClientConnection, message: Message) -> None:
        socket.send(message.model_dump_json())

    def _hello(self, socket: ClientConnection) -> None:
        is_open = self.phase is not Phase.CLOSED
        cameras = [CameraInfo(name=name, width=WIDTH, height=HEIGHT) for name in CAMERAS]
        self._send(
            socket,
            ActorHello(
                pid=4711,
                robot=self._robot,
                fps=FPS,
                cameras=cameras if is_open else [],
                joints=list(JOINTS),
                policies=["hold", "scripted"],
                phase=self.phase,
                task=self._task,
                session_id=self._session_id,
                policy=self._policy,
            ),
        )

    def _obey(self, socket: ClientConnection, message: Message) -> None:
        if isinstance(message, Ping):
            self._send(socket, message.model_copy(update={"actor_ms": time.time() * 1000}))
        elif isinstance(message, InputMessage):
            self._heard_s = time.monotonic()
            self.inputs.append(message)
            if self.phase is Phase.HELD and self.state.came_from is Phase.HUMAN:
                self._on(socket, Happening.DRIVER_BACK)
        elif isinstance(message, LeaseMessage):
            self._heard_s = time.monotonic()
        elif isinstance(message, CommandMessage):
            self.commands.append(message)
            self._answer(socket, message)

    def _answer(self, socket: ClientConnection, command: CommandMessage) -> None:
        error = None
        try:
            self._on(socket, command.command, command)
        except CommandRefusedError as refused:
            error = ErrorBody(code="refused", message=str(refused))
        self._send(
            socket,
            Answer(
                command_id=command.command_id,
                accepted=error is None,
                phase=self.phase,
                error=error,
            ),
        )

    def _on(
        self,
        socket: ClientConnection,
        event: Command | Happening,
        command: CommandMessage | None = None,
    ) -> None:
        before, self.state = self.state, self.state.on(event)
        self._reason = {
            Happening.SAFETY: "The driver's page went silent, so the robot holds.",
            Command.STOP: f"Stopped by {command.author}." if command else "",
        }.get(event, "")
        if event is Command.OPEN:
            self._session_id = str(uuid.uuid4())
            self._number = 0
            self._hello(socket)
        elif event is Command.CLOSE:
            if self._take is not None:
                self._finish(socket, Command.ABORT, command)
            self._session_id = None
            self._hello(socket)
        elif event is Command.START and before.phase is Phase.IDLE:
            self._start(socket, command)
        elif self.phase is Phase.ENDED:
            self._finish(socket, event, command)

    def _start(self, socket: ClientConnection, command: CommandMessage | None) -> None:
        self._number += 1
        if command is not None:
            self._task = command.params.get("task", self._task)
        self._take = DrawnTake(
            self._episodes_dir,
            session_id=self._session_id or "",
            number=self._number,
            robot=self._robot,
            task=self._task,
            fps=FPS,
        )
        header = self._take.header
        self._send(
            socket,
            EpisodeStarted(
                episode_id=header.id,
                session_id=header.session_id,
                task=header.task,
                policy=header.policy,
                fps=header.fps,
                started_s=header.started_s,
            ),
        )

    def _finish(
        self,
        socket: ClientConnection,
        event: Command | Happening,
        command: CommandMessage | None,
    ) -> None:
        take, self._take = self._take, None
        assert take is not None
        graded = event in (Command.SUCCESS, Command.FAILURE)
        reason = EndReason(event.value)
        outcome = Outcome(event.value) if graded else Outcome.NONE
        command_id, author = (command.command_id, command.author) if command else (None, "")
        take.finish(reason, outcome, command_id=command_id, author=author)
        self._send(
            socket,
            EpisodeFinished(
                episode_id=take.header.id,
                end_reason=reason,
                outcome=outcome,
                command_id=command_id,
                author=author,
                num_steps=take.steps,
                num_human_steps=take.human_steps,
            ),
        )
        self._reset_s = time.monotonic() + RESET_S

    def _step(self, socket: ClientConnection) -> None:
        now_s = time.monotonic()
        self._count += 1
        if self.phase is Phase.HUMAN and now_s - self._heard_s > HELD_AFTER_S:
            self._on(socket, Happening.SAFETY)
        if self.phase is Phase.ENDED:
            self._on(socket, Happening.RECORDED)
        elif self.phase is Phase.RESETTING and now_s > self._reset_s:
            self._on(socket, Happening.RESET_DONE)
        driver = DRIVERS.get(self.phase, Driver.NONE)
        self._scene.move(driver, self.inputs[-1].held if self.inputs else [])
        if self.phase is Phase.CLOSED:
            return
        pictures = [self._scene.picture(camera) for camera in range(len(CAMERAS))]
        if driver is not Driver.NONE and self._take is not None:
            self._take.add(driver, self._scene.state, pictures)
        self._send(socket, self._tick(driver))
        if self.frozen.is_set():
            return
        for camera, picture in enumerate(pictures):
            jpeg = cv2.imencode(".jpg", picture)[1].tobytes()
            now_ms = time.time() * 1000
            socket.send(
                pack_frame(camera=camera, sequence=self._count, captured_ms=now_ms, jpeg=jpeg)
            )

    def _tick(self, driver: Driver) -> Tick:
        value = -0.5 + 0.4 * math.sin(self._count / 40) if self._critic else None
        episode = None
        if self._take is not None:
            episode = EpisodeNow(
                id=self._take.header.id,
                number=self._number,
                steps=self._take.steps,
                human_steps=self._take.human_steps,
                elapsed_s=self._take.steps / FPS,
                task=self._task,
            )
        return Tick(
            step=self._count,
            t_ms=time.time() * 1000,
            phase=self.phase,
            driver=driver,
            reason=self._reason,
            came_from=self.state.came_from,
            episode=episode,
            value=value,
            spread=0.08 if self._critic else None,
            advantage=0.1 * math.cos(self._count / 40) if self._critic else None,
            policy=self._policy,
            rates=Rates(loop_hz=FPS, target_hz=FPS, late_p50_ms=0.2, late_p99_ms=1.4),
        )
