"""The secret that an actor shows: from the environment, else a file that only its owner reads.

The actor on the same machine reads the same file; one elsewhere is given it as
`HANDRAIL_ACTOR_TOKEN`.
"""

import os
import secrets
from collections.abc import Mapping
from pathlib import Path

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


def _make(path: Path) -> str:
    token = secrets.token_urlsafe(32)
    aside = path.with_suffix(".new")
    aside.unlink(missing_ok=True)
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(token)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)
    return token
