"""A page with the jog keys and nothing else, served by the process that drives the robot.

For LeRobot's own programs, which have no server. The page's modules are those of the Live page. It
sends what is held, as a level and not as edges, thirty times a second; who listens treats silence
as letting go. The newest page drives: opening a second one closes the first.

A stop stays until a page clears it, whoever drives by then; what is held meanwhile is dropped.

Binds 127.0.0.1; a wider bind demands a token. Pages of other origins are refused.
"""

import hmac
import ipaddress
import json
import logging
import mimetypes
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from http import HTTPStatus
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve

from backend.settings import host_to_open, is_loopback

log = logging.getLogger(__name__)

STATIC = Path(__file__).resolve().parents[2] / "app" / "static"
PAGE = STATIC / "jog" / "page.html"
STATIC_PREFIX = "/handrail-static/"
KEYS_PATH = "/keys"
MAX_MESSAGE_BYTES = 4096
MAX_HELD = 16
# Inputs that wait to be taken; a program that takes none for longer drops the oldest.
MAX_WAITING = 64
REPLACED = 4001


@dataclass(frozen=True, kw_only=True)
class JogStatus:
    """What the page shows of the teleoperator."""

    speed: float = 1.0
    gripper_closed: bool = False


Held = tuple[frozenset[str], tuple[float, ...]]
COMMANDS = ("stop", "clear")


class JogPage:
    """Serves from when it is made until `close`.

    Args:
        host: Address to bind.
        port: 0 takes a free one, see `url`.
        token: Who opens the page must know it; empty on this machine only.
        clock_s: Monotonic seconds.

    Raises:
        ValueError: Other machines could reach it without a token.
        OSError: The address is taken.
    """

    def __init__(self, *, host: str, port: int, token: str, clock_s: Callable[[], float]) -> None:
        if not is_loopback(host) and not token:
            raise ValueError(
                f"page_host {host!r} is reachable from other machines, and whoever reaches it can "
                "move the robot: give --teleop.page_token too, or keep 127.0.0.1"
            )
        self.status = JogStatus()
        self._host, self._token, self._clock_s = host, token, clock_s
        self._lock = threading.Lock()
        self._waiting: deque[Held] = deque(maxlen=MAX_WAITING)
        self._heard_s = float("-inf")
        self._is_stopped = False
        self._driver: ServerConnection | None = None
        self._server = serve(
            self._handle,
            host,
            port,
            process_request=self._answer,
            compression=None,
            max_size=MAX_MESSAGE_BYTES,
            logger=log,
        )
        self._port = int(self._server.socket.getsockname()[1])
        self._thread = threading.Thread(target=self._server.serve_forever, name="jog page")
        self._thread.start()

    @property
    def url(self) -> str:
        """The address to open, token included."""
        query = f"/?token={self._token}" if self._token else ""
        return f"http://{host_to_open(self._host)}:{self._port}{query}"

    @property
    def is_stopped(self) -> bool:
        """Somebody pressed STOP and nobody has cleared it since."""
        with self._lock:
            return self._is_stopped

    def take(self) -> tuple[list[Held], float]:
        """What was held since the last call, in order, and when a page was last heard of."""
        with self._lock:
            inputs = list(self._waiting)
            self._waiting.clear()
            return inputs, self._heard_s

    def close(self) -> None:
        """Stop serving; harmless when repeated."""
        self._server.shutdown()
        driver = self._driver
        if driver is not None:
            driver.close()
        self._thread.join()

    def _handle(self, connection: ServerConnection) -> None:
        with self._lock:
            before, self._driver = self._driver, connection
        if before is not None:
            before.close(REPLACED, "another page drives now")
        try:
            for text in connection:
                command, held = _read(text)
                with self._lock:
                    if command == "stop":
                        self._is_stopped = True
                        self._waiting.clear()
                    if self._driver is not connection:
                        return
                    if command == "clear":
                        self._is_stopped = False
                    elif not self._is_stopped:
                        self._waiting.append(held)
                    self._heard_s = self._clock_s()
                    stopped = self._is_stopped
                connection.send(json.dumps({**asdict(self.status), "stopped": stopped}))
        except ConnectionClosed:
            log.debug("a page was closed")
        except ValueError as error:
            connection.close(1003, str(error)[:100])
        finally:
            with self._lock:
                if self._driver is connection:
                    self._driver = None

    def _answer(self, _connection: ServerConnection, request: Request) -> Response | None:
        """Pages and their files; None lets the socket through."""
        parts = urlsplit(request.path)
        if not self._is_known_host(request.headers.get("Host", "")):
            return _text(HTTPStatus.FORBIDDEN, "this page is not served under that name")
        if parts.path.startswith(STATIC_PREFIX):
            return _file(STATIC / parts.path.removeprefix(STATIC_PREFIX))
        given = parse_qs(parts.query).get("token", [""])[0]
        if self._token and not hmac.compare_digest(given.encode(), self._token.encode()):
            return _text(HTTPStatus.UNAUTHORIZED, "open the address with its ?token=…")
        if parts.path == KEYS_PATH:
            origin = request.headers.get("Origin")
            if origin is not None and urlsplit(origin).netloc != request.headers.get("Host"):
                return _text(HTTPStatus.FORBIDDEN, "pages of other origins may not drive")
            return None
        if parts.path == "/":
            return _file(PAGE)
        return _text(HTTPStatus.NOT_FOUND, "there is nothing here")

    def _is_known_host(self, host: str) -> bool:
        """An address, or a name of this machine: no name that somebody else may point here."""
        name = urlsplit(f"//{host}").hostname or ""
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return name in ("localhost", self._host)
        return True


def _read(text: str | bytes) -> tuple[str, Held]:
    """One message of the page: a command, or "" and what is held.

    Raises:
        ValueError: It is none.
    """
    message = json.loads(text)
    if not isinstance(message, dict) or set(message) - {"held", "axes", "command"}:
        raise ValueError(f"needs held and axes, or a command, got {text!r}")
    command = message.get("command", "")
    if "command" in message and command not in COMMANDS:
        raise ValueError(f"commands are {' and '.join(COMMANDS)}, got {command!r}")
    held, axes = message.get("held", []), message.get("axes", [])
    if (
        not isinstance(held, list)
        or not isinstance(axes, list)
        or max(len(held), len(axes)) > MAX_HELD
        or not all(isinstance(code, str) for code in held)
        or not all(isinstance(axis, int | float) for axis in axes)
    ):
        raise ValueError(f"held are key codes and axes are numbers, at most {MAX_HELD} of each")
    return command, (frozenset(held), tuple(float(axis) for axis in axes))


def _file(path: Path) -> Response:
    real = path.resolve()
    if not real.is_relative_to(STATIC) or not real.is_file():
        return _text(HTTPStatus.NOT_FOUND, "there is nothing here")
    kind = mimetypes.guess_type(real.name)[0] or "application/octet-stream"
    return _response(HTTPStatus.OK, real.read_bytes(), kind)


def _text(status: HTTPStatus, text: str) -> Response:
    return _response(status, text.encode(), "text/plain; charset=utf-8")


def _response(status: HTTPStatus, body: bytes, kind: str) -> Response:
    headers = Headers(
        [
            ("Content-Type", kind),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-cache"),
            ("Connection", "close"),
        ]
    )
    return Response(status, status.phrase, headers, body)
