"""Who is calling, by one rule for pages, REST and sockets.

A client shows its token as `Authorization: Bearer …` or as the cookie that `/enter?token=…` sets;
the cookie holds a digest, so a browser never keeps the token itself. A server without tokens
listens on loopback only (`settings.py` sees to that) and everyone who reaches it is its admin.

Cookies travel with requests that other web pages start, so `check_origin` and `check_host` come
first, on everything: a page elsewhere must not drive the robot, nor a name that was rebound to this
address. Names are for display: they say who drives, they prove nothing.
"""

import hashlib
import hmac
import ipaddress
import secrets
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote, unquote, urlsplit

from starlette.requests import HTTPConnection

from backend.api.errors import ApiError
from backend.domain import Role
from backend.settings import Settings

TOKEN_COOKIE = "handrail_token"
NAME_COOKIE = "handrail_name"
COOKIE_AGE_S = 365 * 24 * 3600
MAX_NAME = 40
# How a program without a name is shown; pages get "guest 1", "guest 2", … as cookies.
NAMELESS = "guest"


@dataclass(frozen=True, kw_only=True)
class User:
    """One caller, for the length of one request or socket."""

    name: str
    role: Role

    def require(self, role: Role, to_do: str) -> None:
        """Raise ApiError 403 unless the user's role includes `role`."""
        if not self.role.includes(role):
            raise ApiError(
                403,
                "role",
                f"to {to_do} takes the role {role}, you are {self.role}",
                hint=f"Enter with a token for {role}: /enter",
            )


class Gatekeeper:
    """Knows the tokens and the names by which this server may be called."""

    def __init__(self, settings: Settings, *, machine_names: Iterable[str] = ()) -> None:
        self._tokens = settings.tokens
        names = {settings.host, *settings.allowed_hosts, *machine_names}
        self._hosts = {"localhost", *(name.lower().rstrip(".") for name in names)}
        self._guests = 0

    @property
    def demands_token(self) -> bool:
        return bool(self._tokens)

    def user_of(self, connection: HTTPConnection) -> User | None:
        """Return who calls, None when a token is demanded and none or a wrong one is shown."""
        role = Role.ADMIN
        if self._tokens:
            found = self._role_of_bearer(connection) or self._role_of_cookie(connection)
            if found is None:
                return None
            role = found
        return User(name=name_of(connection), role=role)

    def user_name(self, connection: HTTPConnection) -> str | None:
        """`user_of` as Gradio's `auth_dependency` wants it: a name, None for nobody."""
        user = self.user_of(connection)
        return user.name if user is not None else None

    def role_of(self, token: str) -> Role | None:
        """The role of a token as a person typed it; the time taken tells nothing of it."""
        return self._match(token, self._tokens)

    def cookie_of(self, token: str) -> str:
        """What the browser keeps instead of the token."""
        return hmac.new(token.encode(), b"handrail cookie", hashlib.sha256).hexdigest()

    def check_host(self, connection: HTTPConnection) -> None:
        """Raise ApiError 403 when called by a name that may be somebody else's (DNS rebinding)."""
        given = connection.headers.get("host", "")
        name = (urlsplit(f"//{given}").hostname or "").rstrip(".")
        if name in self._hosts or name.endswith(".localhost") or _is_address(name):
            return
        raise ApiError(
            403,
            "host",
            f"this server is not known as {given!r}",
            hint=f"Call it by its address, or start it with --allow-host {name or 'NAME'}.",
        )

    def check_origin(self, connection: HTTPConnection) -> None:
        """Raise ApiError 403 when a browser says that another site's page makes this call."""
        origin = connection.headers.get("origin")
        if origin is None:
            return
        host = connection.headers.get("host", "")
        if urlsplit(origin).netloc.lower() != host.lower() or not host:
            raise ApiError(
                403,
                "origin",
                f"a page of {origin!r} may not use this server",
                hint="Open the page from this server's own address.",
            )

    def next_guest(self) -> str:
        """A name for a browser that has none."""
        self._guests += 1
        return f"guest {self._guests}"

    def remember_guest(self, name: str) -> None:
        """A browser kept its guest name over a restart: do not give it to somebody else."""
        word, _, number = name.partition(" ")
        if word == "guest" and number.isascii() and number.isdigit() and len(number) < 6:
            self._guests = max(self._guests, int(number))

    def _role_of_bearer(self, connection: HTTPConnection) -> Role | None:
        scheme, _, token = connection.headers.get("authorization", "").partition(" ")
        return self.role_of(token.strip()) if scheme.lower() == "bearer" else None

    def _role_of_cookie(self, connection: HTTPConnection) -> Role | None:
        digest = connection.cookies.get(TOKEN_COOKIE, "")
        return self._match(
            digest, tuple((role, self.cookie_of(token)) for role, token in self._tokens)
        )

    def _match(self, given: str, known: tuple[tuple[Role, str], ...]) -> Role | None:
        found = None
        for role, token in known:
            if secrets.compare_digest(given.encode(), token.encode()):
                found = role
        return found


def name_of(connection: HTTPConnection) -> str:
    """The display name a caller chose: `?name=`, else its cookie, else `guest`."""
    given = connection.query_params.get("name") or unquote(connection.cookies.get(NAME_COOKIE, ""))
    return clean_name(given) or NAMELESS


def clean_name(given: str) -> str:
    """A name fit to be shown: printable, one line, at most `MAX_NAME` characters."""
    return "".join(c for c in " ".join(given.split()) if c.isprintable())[:MAX_NAME].strip()


def name_cookie(name: str) -> str:
    """A name as a cookie's value."""
    return quote(name, safe="")


def machine_names() -> set[str]:
    """Names that this machine gives itself; asks no name server."""
    name = socket.gethostname().lower()
    return {name, name.split(".")[0], name.split(".")[0] + ".local"}


def _is_address(name: str) -> bool:
    # A rebound name is a name: whoever calls by address meant this machine.
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
