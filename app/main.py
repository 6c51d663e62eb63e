"""Builds the server with its pages and serves it until it is told to stop."""

import asyncio
import logging
import socket
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import replace
from functools import partial

import uvicorn

from app.data_page import build_data_page
from app.pages import build_pages, mount_pages
from app.replay_page import build_replay_page
from app.review_page import build_review_page
from app.setup_page import build_setup_page
from app.training_page import build_training_page
from backend.main import build_backend
from backend.settings import Settings

# Open sockets of pages end at once when the server stops; a request in flight gets this long.
GRACE_S = 3


class _Server(uvicorn.Server):
    """Says when it answers, and ends the pages' streams before it waits for them."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready
        self.end_streams: Callable[[], None] = lambda: None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.end_streams()
        await super().shutdown(sockets)


class Handrail:
    """One running Handrail: the backend, its pages and the web server in front of them.

    Use: `Handrail(settings).serve()` blocks until a signal; `stop()` from any thread ends it.
    """

    def __init__(self, settings: Settings, *, ready: Callable[[], None] = lambda: None) -> None:
        """Bind the port first: if that fails nothing was started.

        Args:
            settings: What the flags said; port 0 takes a free one, see `settings` of this object.
            ready: Called once the address answers.

        Raises:
            OSError: The address is taken or not of this machine; the message says which.
            SettingsError, DatabaseRefusedError: See `build_backend`.
        """
        with ExitStack() as opened:
            self._listener = opened.enter_context(_listen(settings.host, settings.port))
            self.settings = replace(settings, port=self._listener.getsockname()[1])
            self._backend = opened.enter_context(closing(build_backend(self.settings)))
            self._opened = opened.pop_all()
        config = uvicorn.Config(
            self._backend.app,
            log_level="warning",
            # Pictures are compressed already: deflate would cost half as much again.
            ws_per_message_deflate=False,
            timeout_graceful_shutdown=GRACE_S,
        )
        self._server = _Server(config, ready)

    @property
    def url(self) -> str:
        return self.settings.url

    def serve(self) -> None:
        """Serve until a signal or `stop()`, then close everything."""
        try:
            asyncio.run(self._serve())
        finally:
            self.close()

    async def _serve(self) -> None:
        # Gradio makes event loops of its own, and forgets them, where none is running.
        pages = build_pages(
            build_review_page,
            build_replay_page,
            build_training_page,
            build_data_page,
            partial(build_setup_page, backend=self._backend),
        )
        self._server.end_streams = mount_pages(
            self._backend.app, pages, user_of=self._backend.user_of
        )
        await self._server.serve(sockets=[self._listener])

    def stop(self) -> None:
        """Ask `serve` to come to its end."""
        self._server.should_exit = True

    def close(self) -> None:
        """Close backend and port; may be repeated."""
        self._opened.close()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Asyncio turns Nagle's algorithm off only where the protocol is named; left on, an answer in
    # two writes waits for the peer's delayed acknowledgement, 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise OSError(
            f"cannot listen on {host}:{port} ({error.strerror}): is Handrail running already? "
            "Choose another with --port"
        ) from error
    return listener


def configure_logging() -> None:
    """Send warnings and Handrail's own news to standard error."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("backend").setLevel(logging.INFO)
