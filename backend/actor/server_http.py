"""HTTP to the same server that the link is connected to, with the actor's token.

Used by the threads that upload episodes and fetch checkpoints, never by the loop. What cannot be
reached and what is refused are different errors: the first is tried again, the second is said.
"""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ValidationError

from backend.wire import ACTOR_API

# A part waits in this computer's buffers for as long as a slow link needs to bring it away.
TIMEOUT = httpx.Timeout(60.0, connect=10.0, pool=60.0)
CHUNK_BYTES = 256 * 1024


class ServerUnreachableError(Exception):
    """The server did not answer, or the way broke: try again later."""


class ServerRefusedError(Exception):
    """The server answered and said no. `code` and `status` are for programs."""

    def __init__(self, status: int, code: str, message: str) -> None:
        self.status = status
        self.code = code
        super().__init__(message)


class ServerHttp:
    """One server. `close` may be repeated."""

    def __init__(self, *, url: str, token: str) -> None:
        """Args:
        url: The server's WebSocket address, `ws://host:port` or `wss://host:port`.
        token: Sent as a bearer token; empty for none.
        """
        scheme, _, rest = url.rstrip("/").partition("://")
        self.base_url = f"{'https' if scheme == 'wss' else 'http'}://{rest}{ACTOR_API}"
        self._http = httpx.Client(
            base_url=self.base_url,
            headers={"Authorization": f"Bearer {token}"} if token else {},
            timeout=TIMEOUT,
            verify=ssl.create_default_context() if scheme == "wss" else False,
            # The server is named by whoever starts the actor: no proxy comes between.
            trust_env=False,
        )

    def close(self) -> None:
        """Hang up."""
        self._http.close()

    def ask[Reply: BaseModel](
        self, method: str, path: str, reply: type[Reply], **request: Any
    ) -> Reply:
        """Send one request; return its answer.

        Args:
            method: `GET`, `POST` or `PUT`.
            path: Below `/api/actor`, its parts quoted.
            reply: What the answer is made of.
            request: As httpx takes it: `json`, `content`, `headers`, `params`.

        Raises:
            ServerUnreachableError: No answer, or one that is not this server's.
            ServerRefusedError: It said no.
        """
        try:
            response = self._http.request(method, path, **request)
            _check(response)
            return reply.model_validate_json(response.content)
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise ServerUnreachableError(f"{type(error).__name__}: {error}") from error
        except ValidationError as error:
            raise ServerUnreachableError(
                f"{path} was answered by something that is no Handrail of this version"
            ) from error

    @contextmanager
    def read(self, path: str, *, offset: int, params: dict[str, str]) -> Iterator[Iterator[bytes]]:
        """The bytes of one file from `offset` on.

        Raises:
            ServerUnreachableError, ServerRefusedError: As `ask`, also while reading.
        """
        headers = {"Range": f"bytes={offset}-"} if offset else {}
        try:
            with self._http.stream("GET", path, params=params, headers=headers) as response:
                if response.status_code >= 400:
                    response.read()
                _check(response)
                yield response.iter_raw(CHUNK_BYTES)
        except httpx.TransportError as error:
            raise ServerUnreachableError(f"{type(error).__name__}: {error}") from error


def path_of(*parts: str) -> str:
    """A path of these parts, each quoted."""
    return "/".join(["", *(quote(part, safe="") for part in parts)])


def _check(response: httpx.Response) -> None:
    if response.status_code < 400:
        return
    try:
        error = response.json()["error"]
        code, message = str(error["code"]), f"{error['message']}. {error['hint']}".rstrip(". ")
    except (ValueError, KeyError, TypeError):
        code, message = "unknown", response.text[:200]
    if response.status_code >= 500 and code != "disk_full":
        raise ServerUnreachableError(f"the server failed ({response.status_code}): {message}")
    raise ServerRefusedError(response.status_code, code, message)
