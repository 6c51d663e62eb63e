"""What a health check may be asked for. Needs no database and no LeRobot."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from backend.domain import Role
from backend.jobs.importing_params import ImportParamsError, read_import_params

WORDS = ("repo_id", "path")


class HealthParamsError(ValueError):
    """A check nobody could carry out. Says which word, why, and what is possible."""


def read_health_params(params: Mapping[str, Any], data_dir: Path) -> tuple[str, Path]:
    """Name and folder of the dataset that should be looked over.

    Raises:
        HealthParamsError: Naming the word and what is possible.
    """
    unknown = sorted(params.keys() - set(WORDS))
    if unknown:
        raise HealthParamsError(
            f"a health check takes {' or '.join(WORDS)}; got {', '.join(unknown)} too"
        )
    try:
        wanted = read_import_params(params, data_dir)
    except ImportParamsError as error:
        raise HealthParamsError(str(error)) from error
    if not wanted.root.is_dir():
        raise HealthParamsError(
            f"there is no dataset at {wanted.root}: name one of the data directory with repo_id, "
            "or its folder with path"
        )
    return wanted.repo_id, wanted.root


def check(params: Mapping[str, Any], data_dir: Path) -> None:
    """Refuse a check of a dataset that is not there, before it is queued.

    Raises:
        HealthParamsError: See `read_health_params`.
    """
    read_health_params(params, data_dir)


def role(params: Mapping[str, Any]) -> Role:
    """Who may order it: a folder anywhere on the server is for its admin to name."""
    return Role.ADMIN if "path" in params else Role.LABELER
