"""Fixtures that play the actor and the pages against a real server in this process."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing

import httpx
import pytest

from tests.api.fake_actor import FakeActor
from tests.api.page_client import Control, Socket
from tests.conftest import RunningServer


@pytest.fixture
def open_actor(server: RunningServer) -> Iterator[Callable[..., FakeActor]]:
    """Connects another actor with the right token."""
    token = (server.backend.settings.data_dir / "actor.token").read_text()
    with ExitStack() as opened:
        yield lambda **how: opened.enter_context(
            closing(FakeActor(server.ws_url, token=token, **how))
        )


@pytest.fixture
def actor(open_actor: Callable[..., FakeActor]) -> FakeActor:
    """Connected, its hello sent, the lease message of the start read."""
    actor = open_actor()
    actor.next_lease()
    return actor


@pytest.fixture
def open_live(server: RunningServer) -> Iterator[Callable[..., Socket]]:
    with ExitStack() as opened:
        yield lambda name="Ana": opened.enter_context(
            closing(Socket(f"{server.ws_url}/ws/live?name={name}"))
        )


@pytest.fixture
def open_control(server: RunningServer) -> Iterator[Callable[..., Control]]:
    """Connects a control socket and reads its first message."""
    with ExitStack() as opened:

        def connect(name: str = "Ana") -> Control:
            url = f"{server.ws_url}/ws/control?name={name}"
            control = opened.enter_context(closing(Control(url)))
            assert control.next()["type"] == "lease"
            return control

        yield connect


@pytest.fixture
def api(server: RunningServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=10) as client:
        yield client
