"""A scripted operator: holds the lease, refreshes it like the page does, presses keys, watches."""

import json
import queue
import threading
import time
import uuid
from contextlib import ExitStack
from types import TracebackType
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from backend.wire import unpack_frame

KEEP_INTERVAL_S = 1 / 30


class ScriptedOperator:
    """Both sockets of the page without the page."""

    def __init__(self, port: int, *, name: str = "script") -> None:
        address = f"ws://127.0.0.1:{port}"
        self._sockets = ExitStack()
        self._control, self._live = (
            self._sockets.enter_context(connect(f"{address}{path}?name={name}", compression=None))
            for path in ("/ws/control", "/ws/live")
        )
        self.held: set[str] = set()
        self.keeping = False
        self.mine = False
        self.frames: dict[int, int] = {}
        self.tick: dict[str, Any] = {}
        self.ticks: list[dict[str, Any]] = []
        self.events: list[dict[str, Any]] = []
        self._answers: dict[str, queue.Queue[dict[str, Any]]] = {}
        self._over = threading.Event()
        self._threads = [
            threading.Thread(target=work, daemon=True)
            for work in (self._read_control, self._read_live, self._keep)
        ]
        for thread in self._threads:
            thread.start()

    def take(self) -> None:
        self._control.send(json.dumps({"type": "take"}))

    def command(self, command: str, *, command_id: str = "", timeout_s: float = 60, **params: Any):
        """Send one command and return its answer."""
        command_id = command_id or uuid.uuid4().hex
        answers = self._answers.setdefault(command_id, queue.Queue())
        message: dict[str, Any] = {
            "type": "command",
            "command": command,
            "command_id": command_id,
        }
        if params:
            message["params"] = params
        self._control.send(json.dumps(message))
        return answers.get(timeout=timeout_s)

    def _keep(self) -> None:
        seq = 0
        while not self._over.wait(KEEP_INTERVAL_S):
            if not self.keeping:
                continue
            seq += 1
            keep = {"type": "keep", "seq": seq, "held": sorted(self.held), "axes": []}
            try:
                self._control.send(json.dumps(keep))
            except ConnectionClosed:
                return

    def _read_control(self) -> None:
        for message in self._messages(self._control):
            if message["type"] == "lease":
                self.mine = message["mine"]
            elif message["type"] == "answer":
                self._answers.setdefault(message["command_id"], queue.Queue()).put(message)

    def _read_live(self) -> None:
        for message in self._messages(self._live):
            if message["type"] == "tick":
                self.tick = message
                self.ticks.append(message)
            elif message["type"] == "event":
                self.events.append(message)

    def _messages(self, socket: ClientConnection):
        try:
            for raw in socket:
                if isinstance(raw, bytes):
                    camera, _sequence, _captured_ms, _jpeg = unpack_frame(raw)
                    self.frames[camera] = self.frames.get(camera, 0) + 1
                    socket.send(bytes([camera]))
                    continue
                parsed = json.loads(raw)
                yield from parsed if isinstance(parsed, list) else [parsed]
        except ConnectionClosed:
            return

    def drive(self, *codes: str, for_s: float) -> None:
        """Hold keys down for a while, then release them."""
        self.held.update(codes)
        time.sleep(for_s)
        self.held.difference_update(codes)

    def close(self) -> None:
        self._over.set()
        self._sockets.close()
        for thread in self._threads:
            thread.join(timeout=5)

    def __enter__(self) -> "ScriptedOperator":
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.close()
