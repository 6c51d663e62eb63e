"""What a push to the Hub may be asked for, and what exactly would go there. Asks nobody outside."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.domain import Role
from backend.episodes.lerobot_folder import MANIFEST_FILE
from backend.jobs.export_params import REPO_ID, dataset_path
from backend.jobs.importing_params import INFO_FILE

WORDS = ("repo_id", "to", "private")
# The only place the token comes from; it is never stored, logged or shown.
TOKEN_VARIABLE = "HF_TOKEN"
# Owner of datasets that have no name on the Hub.
LOCAL_OWNER = "local"
# Folders that make up a dataset; everything else in it stays here.
PUSHED = ("meta", "data", "videos", "images")


class PushParamsError(ValueError):
    """A push nobody could carry out. Says which word, why, and what is possible."""


@dataclass(frozen=True, kw_only=True)
class PushParams:
    """What was asked for."""

    repo_id: str
    root: Path
    # Its name on the Hub.
    to: str
    private: bool


@dataclass(frozen=True, kw_only=True)
class PushPlan:
    """What goes where."""

    params: PushParams
    # Relative to the dataset's folder.
    files: tuple[Path, ...]
    num_bytes: int

    def summary(self) -> dict[str, Any]:
        """The answer to a dry run, and the head of the job's result."""
        return {
            "repo_id": self.params.repo_id,
            "to": self.params.to,
            "url": f"https://huggingface.co/datasets/{self.params.to}",
            "private": self.params.private,
            "files": len(self.files),
            "size_bytes": self.num_bytes,
            "folders": sorted({file.parts[0] for file in self.files}),
            "stays_here": [MANIFEST_FILE] if (self.params.root / MANIFEST_FILE).is_file() else [],
        }


def read_push_params(params: Mapping[str, Any], data_dir: Path) -> PushParams:
    """Check what was asked for.

    Raises:
        PushParamsError: Naming the word and what is possible.
    """
    unknown = sorted(params.keys() - set(WORDS))
    if unknown:
        raise PushParamsError(f"a push takes {', '.join(WORDS)}; got {', '.join(unknown)} too")
    repo_id = params.get("repo_id")
    if not isinstance(repo_id, str) or not REPO_ID.fullmatch(repo_id):
        raise PushParamsError(f"repo_id is a dataset of the data directory, got {repo_id!r}")
    root = dataset_path(data_dir, repo_id)
    if not (root / INFO_FILE).is_file():
        raise PushParamsError(f"there is no dataset {repo_id} in {root.parent.parent}")
    to, private = params.get("to", repo_id), params.get("private", True)
    if not isinstance(to, str) or not REPO_ID.fullmatch(to) or to.startswith(f"{LOCAL_OWNER}/"):
        raise PushParamsError(
            "to is the dataset's name on the Hub, your account and a word, account/name; got "
            f"{to!r}"
        )
    if not isinstance(private, bool):
        raise PushParamsError(f"private is true or false, got {private!r}")
    return PushParams(repo_id=repo_id, root=root, to=to, private=private)


def make_push_plan(params: PushParams) -> PushPlan:
    """Decide what would be uploaded."""
    # A link may lead anywhere on this machine.
    files = sorted(
        file.relative_to(params.root)
        for folder in PUSHED
        for file in (params.root / folder).rglob("[!.]*")
        if file.is_file() and not file.is_symlink()
    )
    num_bytes = sum((params.root / file).stat().st_size for file in files)
    return PushPlan(params=params, files=tuple(files), num_bytes=num_bytes)


def has_token(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether this server was started with a token for the Hub."""
    return bool(environ.get(TOKEN_VARIABLE))


def check(params: Mapping[str, Any], data_dir: Path) -> None:
    """Refuse a push that could not be carried out, before it is queued.

    Raises:
        PushParamsError: See `read_push_params`; or there is no token.
    """
    read_push_params(params, data_dir)
    if not has_token():
        raise PushParamsError(
            f"{TOKEN_VARIABLE} is not set: start the server with a token of your Hub account that "
            "may write, in this variable; it is kept nowhere else"
        )


def role(_params: Mapping[str, Any]) -> Role:
    """Who may order it: what leaves this machine is its admin's business."""
    return Role.ADMIN
