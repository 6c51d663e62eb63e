"""What an import may be asked for, and where the dataset is. Needs no database, no LeRobot."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.domain import Role
from backend.episodes.format import EPISODES_DIR
from backend.episodes.imported import remove_unfinished
from backend.jobs.export_params import REPO_ID, aside_path, dataset_path

WORDS = ("repo_id", "path", "hub", "outcomes")
# What the dataset's columns say; or all successes that a person drove; or no judgement.
OUTCOMES = ("stored", "success", "none")
INFO_FILE = "meta/info.json"


class ImportParamsError(ValueError):
    """An import nobody could carry out. Says which word, why, and what is possible."""


@dataclass(frozen=True, kw_only=True)
class ImportParams:
    """What was asked for."""

    # What the dataset is called, `owner/name`.
    repo_id: str
    # Where it is, or will be once it is downloaded.
    root: Path
    # Fetch it from the Hub first.
    hub: bool
    # Of `OUTCOMES`.
    outcomes: str


def read_import_params(params: Mapping[str, Any], data_dir: Path) -> ImportParams:
    """Check what was asked for.

    Raises:
        ImportParamsError: Naming the word and what is possible.
    """
    unknown = sorted(params.keys() - set(WORDS))
    if unknown:
        raise ImportParamsError(f"an import takes {', '.join(WORDS)}; got {', '.join(unknown)} too")
    outcomes, hub = params.get("outcomes", "stored"), params.get("hub", False)
    if outcomes not in OUTCOMES:
        raise ImportParamsError(f"outcomes is one of {', '.join(OUTCOMES)}, got {outcomes!r}")
    if not isinstance(hub, bool):
        raise ImportParamsError(f"hub is true or false, got {hub!r}")
    path, repo_id = params.get("path"), params.get("repo_id")
    if path is not None:
        if hub or not isinstance(path, str) or not path.strip():
            raise ImportParamsError(f"path is a folder on the server, without hub; got {path!r}")
        root = Path(path.strip()).expanduser().absolute()
        # As LeRobot lays datasets out: owner/name.
        repo_id = repo_id or "/".join(root.parts[-2:])
    if not isinstance(repo_id, str) or not REPO_ID.fullmatch(repo_id):
        raise ImportParamsError(
            "repo_id is two names with a slash, like local/touch (letters, digits, '.', '_', "
            f"'-'), got {repo_id!r}"
        )
    if path is None:
        root = dataset_path(data_dir, repo_id)
    return ImportParams(repo_id=repo_id, root=root, hub=hub, outcomes=outcomes)


def check(params: Mapping[str, Any], data_dir: Path) -> None:
    """Refuse an import that could not be carried out, before it is queued.

    Raises:
        ImportParamsError: See `read_import_params`; or there is no such dataset, or it is there
            already and need not be downloaded.
    """
    wanted = read_import_params(params, data_dir)
    is_there = (wanted.root / INFO_FILE).is_file()
    if wanted.hub and is_there:
        raise ImportParamsError(
            f"dataset {wanted.repo_id} is in the data directory already: import it from there, or "
            "move that one to the trash first"
        )
    if not wanted.hub and not is_there:
        remedy = "name a folder that holds meta/info.json"
        if "path" not in params:
            remedy = 'name its folder with "path", or say "hub": true to download it'
        raise ImportParamsError(f"there is no LeRobot dataset at {wanted.root}: {remedy}")


def role(params: Mapping[str, Any]) -> Role:
    """Who may order it: a folder anywhere on the server is for its admin to name."""
    return Role.ADMIN if "path" in params else Role.OPERATOR


def remove_leftovers(data_dir: Path, job_id: str) -> None:
    """Remove what a killed import left half written or half downloaded."""
    remove_unfinished(data_dir / EPISODES_DIR, job_id)
    shutil.rmtree(aside_path(data_dir, job_id, "new"), ignore_errors=True)
