"""The secret that an actor shows: from the environment, else a file that only its owner reads.

The actor on the same machine reads the same file; one elsewhere is given it with `--token` or as
`HANDRAIL_ACTOR_TOKEN`. Which of the two an actor is, it tells by the nonce that lies beside.
"""

import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from starlette.requests import HTTPConnection

from backend.wire import NONCE_FILE

TOKEN_FILE = "actor.token"
TOKEN_VARIABLE = "HANDRAIL_ACTOR_TOKEN"


def actor_token(data_dir: Path, environ: Mapping[str, str]) -> str:
    """Return the token, making the file when there is neither variable nor file."""
    given = environ.get(TOKEN_VARIABLE, "").strip()
    if given:
        return given
    path = data_dir / TOKEN_FILE
    with_token = path.read_text().strip() if path.exists() else ""
    return with_token or _make(path)


def shows_token(connection: HTTPConnection, token: str) -> bool:
    """Whether the caller is an actor; the time taken tells nothing of the token."""
    scheme, _, shown = connection.headers.get("authorization", "").partition(" ")
    return scheme.lower() == "bearer" and secrets.compare_digest(
        shown.strip().encode(), token.encode()
    )


def new_nonce(data_dir: Path) -> str:
    """Put a new nonce into the data directory: who reads it there shares this disk."""
    return _write(data_dir / NONCE_FILE, secrets.token_urlsafe(16))


def _make(path: Path) -> str:
    # Letters and digits: one that began with `-` would be no argument of `--token`.
    return _write(path, secrets.token_hex(32))


def _write(path: Path, token: str) -> str:
    aside = path.with_suffix(".new")
    aside.unlink(missing_ok=True)
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(token)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)
    return token
