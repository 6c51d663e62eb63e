"""`/ws/live`: the server sends hello, frames and ticks; the page acknowledges frames.

An acknowledgement is one binary byte, the camera's number. Reading goes on beside sending all the
time: a socket that only sends is closed by its own keep-alive once the page says anything.
"""

from fastapi import APIRouter, WebSocket

from backend.api.live import Live
from backend.api.sockets import (
    RefusedMessageError,
    close,
    receive,
    serve_until_first_ends,
)
from backend.api.viewers import Viewer


def live_router(live: Live) -> APIRouter:
    router = APIRouter()

    @router.websocket("/ws/live")
    async def watch(socket: WebSocket) -> None:
        await socket.accept()
        viewer = Viewer()
        live.watch(viewer, socket.state.user)
        try:
            await serve_until_first_ends(
                viewer.pump(socket.send_text, socket.send_bytes), _read(socket, viewer)
            )
        except RefusedMessageError as refusal:
            await close(socket, refusal.close_code, str(refusal))
        finally:
            live.unwatch(viewer)

    return router


async def _read(socket: WebSocket, viewer: Viewer) -> None:
    while True:
        message = await receive(socket, max_text=0, max_bytes=1)
        if len(message) != 1 or not isinstance(message, bytes):
            raise RefusedMessageError("an acknowledgement is one byte, the camera's number")
        viewer.acknowledge(message[0])
