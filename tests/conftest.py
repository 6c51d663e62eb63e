"""Fixtures for all tests: a server without pages, in this process, on a free port."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import httpx
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
        async def serve() -> None:
            self._loop = asyncio.get_running_loop()
            await self._server.serve(sockets=[self._socket])

        asyncio.run(serve())

    def reconcile(self) -> None:
        """Let the server find what was put into its data directory meanwhile."""
        records = self.backend.records
        self.call(records.look_again)
        self.finish_records()

    def finish_records(self) -> None:
        """Wait until everything reported so far is written."""
        asyncio.run_coroutine_threadsafe(self.backend.records.finish(), self._loop).result(10)

    def call(self, function: Callable[[], object]) -> None:
        """Run `function` on the server's event loop, and wait for it."""
        done = threading.Event()
        self._loop.call_soon_threadsafe(lambda: (function(), done.set()))
        assert done.wait(10)

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=10)

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
