"""Fixtures for all tests: a server without pages, in this process, on a free port."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import uvicorn

from backend.main import Backend, build_backend
from backend.settings import Settings


class RunningServer:
    """A backend served by uvicorn in a thread, as `python -m app` serves it, without an actor."""

    def __init__(self, settings: Settings) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        settings = replace(settings, port=self.port)
        self.backend: Backend = build_backend(settings)
        self.url = f"http://127.0.0.1:{self.port}"
        self.ws_url = f"ws://127.0.0.1:{self.port}"
        config = uvicorn.Config(
            self.backend.app,
            ws_per_message_deflate=False,
            log_level="warning",
            timeout_graceful_shutdown=2,
        )
        self._server = uvicorn.Server(config)
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()
        while not self._server.started:
            assert self._thread.is_alive(), "the server ended while starting"
            self._started.wait(0.01)

    def _serve(self) -> None:
        self._server.run(sockets=[self._socket])

    def close(self) -> None:
        self._server.should_exit = True
        self._thread.join(timeout=20)
        assert not self._thread.is_alive(), "the server did not stop"
        self._socket.close()
        self.backend.close()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data", actor=False)


@pytest.fixture
def server(settings: Settings) -> Iterator[RunningServer]:
    with contextlib.closing(RunningServer(settings)) as running:
        yield running
