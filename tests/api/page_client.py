"""The page's two sockets, for tests that play the page."""

import json
from contextlib import ExitStack
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosedError
from websockets.sync.client import ClientConnection, connect


class Socket:
    """One socket whose text messages are read one at a time, batches taken apart."""

    def __init__(self, url: str, **how: Any) -> None:
        self._open = ExitStack()
        self.raw: ClientConnection = self._open.enter_context(
            connect(url, compression=None, max_size=None, **how)
        )
        self._unread: list[dict[str, Any]] = []

    def send(self, **message: Any) -> None:
        self.raw.send(json.dumps(message))

    def next(self, *, timeout_s: float = 5) -> dict[str, Any]:
        """The next JSON message; frames in between are not acknowledged."""
        while not self._unread:
            text = self.raw.recv(timeout=timeout_s)
            if isinstance(text, str):
                parsed = json.loads(text)
                self._unread = parsed if isinstance(parsed, list) else [parsed]
        return self._unread.pop(0)

    def next_of(self, kind: str) -> dict[str, Any]:
        while (message := self.next())["type"] != kind:
            pass
        return message

    def next_frame(self, *, timeout_s: float = 5) -> bytes:
        while not isinstance(blob := self.raw.recv(timeout=timeout_s), bytes):
            pass
        return blob

    def expect_refusal(self, code: int, named: str) -> None:
        """Wait until the server closes this connection with `code` and a reason that names it."""
        with pytest.raises(ConnectionClosedError) as closed:
            self.raw.recv(timeout=5)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == code
        assert named in closed.value.rcvd.reason

    def close(self) -> None:
        self._open.close()


class Control(Socket):
    """`/ws/control`."""

    def command(self, command: str, command_id: str, **fields: Any) -> None:
        self.send(type="command", command=command, command_id=command_id, **fields)

    def take(self) -> dict[str, Any]:
        self.send(type="take")
        return self.next_of("lease")
