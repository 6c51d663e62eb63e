"""An actor without a robot: the real wire and phase table, drawn pictures, its own steady rate.

The page cannot tell it from the real one, so tests that are about the page alone need no simulator.
A dot in the pictures follows the jog keys, and `inputs` remembers every refresh that came.
"""

import math
import threading
import time
import uuid
from pathlib import Path

import cv2
import numpy as np
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

FPS = 20.0
HELD_AFTER_S = 1.0
RESET_S = 0.4
SIZE = (320, 240)
DRIVERS = {Phase.POLICY: Driver.POLICY, Phase.HUMAN: Driver.HUMAN}
MOVES = {"ArrowUp": (0, -1), "ArrowDown": (0, 1), "ArrowLeft": (-1, 0), "ArrowRight": (1, 0)}


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
        self._episode_id = ""
        self._number = self._steps = self._human_steps = self._count = 0
        self._reason = ""
        self._heard_s = self._reset_s = 0.0
        self._at = np.array([0.5, 0.6])
        self._thread = threading.Thread(target=self._live)
        self._thread.start()

    @property
    def phase(self) -> Phase:
        return self.state.phase

    def close(self) -> None:
        self._closing.set()
        self._thread.join(timeout=10)

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
            due_s += 1 / FPS
            while (left_s := due_s - time.monotonic()) > 0:
                try:
                    text = socket.recv(timeout=left_s)
                except TimeoutError:
                    break
                if isinstance(text, str):
                    self._obey(socket, to_actor.validate_json(text))
            self._step(socket)

    def _send(self, socket: ClientConnection, message: Message) -> None:
        socket.send(message.model_dump_json())

    def _hello(self, socket: ClientConnection) -> None:
        is_open = self.phase is not Phase.CLOSED
        cameras = [
            CameraInfo(name=name, width=SIZE[0], height=SIZE[1]) for name in ("overhead", "wrist")
        ]
        self._send(
            socket,
            ActorHello(
                pid=4711,
                robot=self._robot,
                fps=FPS,
                cameras=cameras if is_open else [],
                joints=["shoulder_pan.pos", "gripper.pos"],
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
            self._session_id = None
            self._hello(socket)
        elif event is Command.START and before.phase is Phase.IDLE:
            self._start(socket, command)
        elif self.phase is Phase.ENDED:
            self._finish(socket, event, command)

    def _start(self, socket: ClientConnection, command: CommandMessage | None) -> None:
        self._number += 1
        self._steps = self._human_steps = 0
        self._episode_id = str(uuid.uuid4())
        if command is not None:
            self._task = command.params.get("task", self._task)
        self._send(
            socket,
            EpisodeStarted(
                episode_id=self._episode_id,
                session_id=self._session_id or "",
                task=self._task,
                policy=self._policy,
                fps=FPS,
                started_s=time.time(),
            ),
        )

    def _finish(
        self,
        socket: ClientConnection,
        event: Command | Happening,
        command: CommandMessage | None,
    ) -> None:
        graded = event in (Command.SUCCESS, Command.FAILURE)
        self._send(
            socket,
            EpisodeFinished(
                episode_id=self._episode_id,
                end_reason=EndReason(event.value),
                outcome=Outcome(event.value) if graded else Outcome.NONE,
                command_id=command.command_id if command else None,
                author=command.author if command else "",
                num_steps=self._steps,
                num_human_steps=self._human_steps,
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
        driving = self.phase in DRIVERS
        self._steps += driving
        self._human_steps += self.phase is Phase.HUMAN
        self._move()
        if self.phase is Phase.CLOSED:
            return
        self._send(socket, self._tick())
        if not self.frozen.is_set():
            for camera in range(2):
                blob = pack_frame(
                    camera=camera,
                    sequence=self._count,
                    captured_ms=time.time() * 1000,
                    jpeg=self._picture(camera),
                )
                socket.send(blob)

    def _move(self) -> None:
        if self.phase is Phase.HUMAN and self.inputs:
            for code in self.inputs[-1].held:
                self._at += 0.02 * np.array(MOVES.get(code, (0, 0)))
        elif self.phase is Phase.POLICY:
            self._at += 0.01 * np.array([math.cos(self._count / 17), math.sin(self._count / 13)])
        self._at = self._at.clip(0.1, 0.9)

    def _tick(self) -> Tick:
        value = -0.5 + 0.4 * math.sin(self._count / 40) if self._critic else None
        episode = None
        if self.state.episode_open or self.phase in (Phase.HELD, Phase.STOPPED):
            episode = EpisodeNow(
                id=self._episode_id,
                number=self._number,
                steps=self._steps,
                human_steps=self._human_steps,
                elapsed_s=self._steps / FPS,
                task=self._task,
            )
        return Tick(
            step=self._count,
            t_ms=time.time() * 1000,
            phase=self.phase,
            driver=DRIVERS.get(self.phase, Driver.NONE),
            reason=self._reason,
            came_from=self.state.came_from,
            episode=episode,
            value=value,
            spread=0.08 if self._critic else None,
            advantage=0.1 * math.cos(self._count / 40) if self._critic else None,
            policy=self._policy,
            rates=Rates(loop_hz=FPS, target_hz=FPS, late_p50_ms=0.2, late_p99_ms=1.4),
        )

    def _picture(self, camera: int) -> bytes:
        width, height = SIZE
        shade = np.linspace(200, 150, height, dtype=np.uint8)[:, None, None]
        picture = np.broadcast_to(shade, (height, width, 3)).copy()
        cv2.rectangle(picture, (40, 150 - 30 * camera), (280, 215), (120, 140, 150), -1)
        cv2.rectangle(picture, (200, 160), (226, 186), (40, 40, 190), -1)
        at = (int(self._at[0] * width), int(self._at[1] * height))
        cv2.line(picture, (160, 30), at, (70, 70, 70), 12)
        cv2.circle(picture, at, 14, (30, 130, 230), -1)
        return cv2.imencode(".jpg", picture)[1].tobytes()
