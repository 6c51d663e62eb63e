"""The one door: checks host, origin and user of everything before it reaches page, route or socket.

An ASGI middleware, so that Gradio's pages and sockets pass it as well. Who was let in is left in
`scope["state"]["user"]`. The actor has a token of its own, and its paths are let through to
`actor_socket.py` and `actor_files.py`, unless a browser calls.
"""

from starlette.requests import HTTPConnection, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from backend.api.auth import COOKIE_AGE_S, NAME_COOKIE, Gatekeeper, User, name_cookie
from backend.api.errors import ApiError, error_response
from backend.wire import ACTOR_API

ACTOR_PATH = "/ws/actor"
# Beside its socket: what an actor on another computer uploads and fetches.
ACTOR_HTTP = f"{ACTOR_API}/"
ENTER_PATH = "/enter"
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")

NOT_LET_IN = """<!doctype html><meta charset="utf-8"><title>Handrail</title>
<meta name="viewport" content="width=device-width">
<body style="font: 16px system-ui; margin: 15vh auto; max-width: 36em; padding: 0 1em">
<h1>Not here</h1><p>{message}.</p><p>{hint}</p></body>"""


class Gate:
    """Wraps the whole application."""

    def __init__(self, app: ASGIApp, gatekeeper: Gatekeeper) -> None:
        self._app = app
        self._gatekeeper = gatekeeper

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        try:
            user = self._admit(connection, is_socket=scope["type"] == "websocket")
        except ApiError as refusal:
            await self._refuse(refusal, scope, receive, send)
            return
        scope.setdefault("state", {})["user"] = user
        if scope["type"] == "http" and _shows_page(connection):
            await self._app(scope, receive, self._naming(connection, send))
        else:
            await self._app(scope, receive, send)

    def _admit(self, connection: HTTPConnection, *, is_socket: bool) -> User | None:
        path = connection.url.path
        if path == ACTOR_PATH or path.startswith(ACTOR_HTTP):
            if "origin" in connection.headers:
                raise ApiError(403, "origin", "the actor's paths are not for browsers")
            return None
        self._gatekeeper.check_host(connection)
        if is_socket or connection.scope["method"] not in SAFE_METHODS:
            self._gatekeeper.check_origin(connection)
        if path == ENTER_PATH:
            return None
        user = self._gatekeeper.user_of(connection)
        if user is None:
            raise ApiError(
                401,
                "token",
                "this server demands a token",
                hint="Open /enter?token=… once, or send Authorization: Bearer ….",
            )
        return user

    def _naming(self, connection: HTTPConnection, send: Send) -> Send:
        """Give a browser that has no name one, with the first page it loads."""
        known = connection.cookies.get(NAME_COOKIE)
        if known is not None:
            self._gatekeeper.remember_guest(known.replace("%20", " "))
            return send
        named = Response()
        named.set_cookie(
            NAME_COOKIE,
            name_cookie(self._gatekeeper.next_guest()),
            max_age=COOKIE_AGE_S,
            samesite="strict",
        )
        cookie = next(pair for pair in named.raw_headers if pair[0] == b"set-cookie")

        async def send_named(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", []), cookie]}
            await send(message)

        return send_named

    async def _refuse(self, refusal: ApiError, scope: Scope, receive: Receive, send: Send) -> None:
        response: Response = error_response(refusal.status, refusal.body)
        if scope["type"] == "websocket":
            await WebSocket(scope, receive, send).send_denial_response(response)
            return
        if _shows_page(Request(scope)):
            if refusal.body.code == "token":
                response = RedirectResponse(ENTER_PATH, status_code=303)
            else:
                text = NOT_LET_IN.format(
                    message=_escaped(refusal.body.message), hint=_escaped(refusal.body.hint)
                )
                response = HTMLResponse(text, status_code=refusal.status)
        await response(scope, receive, send)


def _shows_page(connection: HTTPConnection) -> bool:
    return (
        connection.scope["method"] == "GET"
        and "text/html" in connection.headers.get("accept", "")
        and not connection.url.path.startswith("/api/")
    )


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")
