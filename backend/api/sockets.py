"""What the three sockets share: reading one message, and closing with a reason that says why."""

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any

from pydantic import ValidationError
from starlette.websockets import (
    WebSocket,
    WebSocketDisconnect,
    WebSocketDisconnected,
    WebSocketState,
)

from backend.api.errors import explain

# WebSocket close codes (RFC 6455).
UNSUPPORTED = 1003
POLICY = 1008
TOO_BIG = 1009
TRY_AGAIN_LATER = 1013
# A close frame holds 125 bytes, two of them the code.
MAX_REASON_BYTES = 123
CLOSE_TIMEOUT_S = 1.0


class RefusedMessageError(Exception):
    """A message that breaks the protocol: the connection it came by is closed, saying why."""

    def __init__(self, reason: str, *, close_code: int = POLICY) -> None:
        self.close_code = close_code
        super().__init__(reason)


async def receive(socket: WebSocket, *, max_text: int, max_bytes: int) -> str | bytes:
    """Return the next message.

    Raises:
        WebSocketDisconnect: The other side left.
        RefusedMessageError: The message is larger than allowed; 0 bytes allow none of its kind.
    """
    message = await socket.receive()
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code", 1000), message.get("reason"))
    text: str | None = message.get("text")
    if text is not None:
        _check_size("text", len(text), max_text)
        return text
    blob: bytes = message["bytes"]
    _check_size("binary", len(blob), max_bytes)
    return blob


def _check_size(kind: str, size: int, limit: int) -> None:
    if limit == 0:
        raise RefusedMessageError(
            f"{kind} messages are not understood here", close_code=UNSUPPORTED
        )
    if size > limit:
        raise RefusedMessageError(
            f"a {kind} message may hold {limit} bytes, got {size}", close_code=TOO_BIG
        )


def refusal_of(error: ValidationError) -> RefusedMessageError:
    """Pydantic's refusal of a message, naming the field and the rule."""
    return RefusedMessageError(explain(error.errors()))


async def close(socket: WebSocket, code: int, reason: str) -> None:
    """Close with a reason; harmless when the other side has left.

    A peer that reads nothing is not waited for: the server drops its connection when the caller
    returns.
    """
    clipped = reason.encode()[:MAX_REASON_BYTES].decode(errors="ignore")
    if socket.application_state is WebSocketState.CONNECTED:
        # The other side may leave at the same moment: then there is nobody to tell.
        with contextlib.suppress(WebSocketDisconnect, RuntimeError, TimeoutError):
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await socket.close(code, clipped)


async def serve_until_first_ends(*sides: Coroutine[Any, Any, None]) -> None:
    """Run the directions of one socket together; when one ends, end the others too.

    Raises what the one that ended raised, except that the other side left.
    """
    tasks = [asyncio.ensure_future(side) for side in sides]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    for task, result in zip(tasks, results, strict=True):
        left = isinstance(result, (WebSocketDisconnect, WebSocketDisconnected))
        if task in done and isinstance(result, Exception) and not left:
            raise result
