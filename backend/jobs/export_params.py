"""What an export may be asked for, and where it keeps things. Needs no database and no LeRobot."""

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.db.episode_queries import EpisodeFilter, EpisodeFlag
from backend.domain import EpisodeState, Outcome
from backend.episodes.files import exchange, fsync_path
from backend.episodes.outcomes import EXPORT_COLUMNS

DATASETS_DIR = "datasets"
# Texts, as in `GET /api/episodes`; `min_human` is a number.
FILTER_WORDS = (
    *("outcome", "q", "session_id", "checkpoint_id", "task", "robot", "operator", "flag"),
    *("scored_by", "min_human"),
)
PART = r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}"
REPO_ID = re.compile(f"{PART}/{PART}")


class ExportParamsError(ValueError):
    """An export nobody could carry out. Says which word, why, and what is possible."""


@dataclass(frozen=True, kw_only=True)
class ExportParams:
    """What was asked for."""

    repo_id: str
    wanted: EpisodeFilter
    # Of `EXPORT_COLUMNS`, in their order; a dataset has `subtask` only where one has a name.
    columns: tuple[str, ...] = tuple(EXPORT_COLUMNS)
    # Replace a dataset of that name, once the new one is verified.
    overwrite: bool = False


def read_params(params: Mapping[str, Any]) -> ExportParams:
    """Check what was asked for.

    Raises:
        ExportParamsError: Naming the word and what is possible.
    """
    known = {"repo_id", "episodes", "columns", "overwrite"}
    unknown = sorted(params.keys() - known)
    if unknown:
        raise ExportParamsError(
            f"an export takes {', '.join(sorted(known))}; got {', '.join(unknown)} too"
        )
    repo_id = params.get("repo_id")
    if not isinstance(repo_id, str) or not REPO_ID.fullmatch(repo_id):
        raise ExportParamsError(
            f"repo_id is two names with a slash, like local/touch (letters, digits, '.', '_', "
            f"'-'), got {repo_id!r}"
        )
    overwrite = params.get("overwrite", False)
    if not isinstance(overwrite, bool):
        raise ExportParamsError(f"overwrite is true or false, got {overwrite!r}")
    return ExportParams(
        repo_id=repo_id,
        wanted=read_episodes(params.get("episodes", "all")),
        columns=_columns(params.get("columns")),
        overwrite=overwrite,
    )


def check(params: Mapping[str, Any], data_dir: Path) -> None:
    """Refuse an export that could not be carried out, before it is queued.

    Raises:
        ExportParamsError: See `read_params`; or a dataset of that name is there.
    """
    wanted = read_params(params)
    if dataset_path(data_dir, wanted.repo_id).exists() and not wanted.overwrite:
        raise ExportParamsError(
            f"dataset {wanted.repo_id} exists already: choose another name, or say "
            '"overwrite": true to replace it'
        )


def dataset_path(data_dir: Path, repo_id: str) -> Path:
    """Where the dataset of that name is."""
    return data_dir / DATASETS_DIR / repo_id


def aside_path(data_dir: Path, job_id: str, part: str) -> Path:
    """Where a job keeps what is not yet, or no longer, the dataset."""
    return data_dir / DATASETS_DIR / f".{job_id}.{part}"


def put_into_place(aside: Path, final: Path, *, job_id: str) -> None:
    """Let `final` be the dataset that was written aside; what it was before is removed.

    Whoever reads `final` meets the one or the other. Where the system cannot exchange two folders
    there is a moment without either; who is killed in it leaves what `remove_leftovers` puts back.
    """
    final.parent.mkdir(parents=True, exist_ok=True)
    before = final.with_name(f".{final.name}{_before_suffix(job_id)}")
    if not final.exists():
        aside.rename(final)
    elif exchange(aside, final):
        before = aside
    else:
        final.rename(before)
        try:
            aside.rename(final)
        except OSError:
            before.rename(final)
            raise
    fsync_path(final.parent)
    shutil.rmtree(before, ignore_errors=True)


def remove_leftovers(data_dir: Path, job_id: str) -> None:
    """Remove what a killed export of this job left half written; put back what it had in hand."""
    suffix = _before_suffix(job_id)
    for before in (data_dir / DATASETS_DIR).glob(f"*/.*{suffix}"):
        final = before.with_name(before.name.removeprefix(".").removesuffix(suffix))
        if final.exists():
            shutil.rmtree(before, ignore_errors=True)
        else:
            before.rename(final)
    shutil.rmtree(aside_path(data_dir, job_id, "new"), ignore_errors=True)


def _before_suffix(job_id: str) -> str:
    return f".{job_id}.before"


def read_episodes(episodes: Any) -> EpisodeFilter:
    """Which episodes are meant: "all", a list of ids, or a filter.

    Raises:
        ExportParamsError: Saying what is possible.
    """
    if episodes == "all":
        return EpisodeFilter()
    if isinstance(episodes, list):
        if not episodes or not all(isinstance(id, str) for id in episodes):
            raise ExportParamsError(f"episodes is a list of episode ids, got {episodes!r}")
        return EpisodeFilter(ids=tuple(episodes), states=tuple(EpisodeState))
    if not isinstance(episodes, dict) or not episodes.keys() <= set(FILTER_WORDS):
        raise ExportParamsError(
            f'episodes is "all", a list of ids, or a filter of {", ".join(FILTER_WORDS)}; '
            f"got {episodes!r}"
        )
    words = {name: value for name, value in episodes.items() if value not in (None, "")}
    min_human = words.pop("min_human", None)
    if min_human is not None and not _is_share(min_human):
        raise ExportParamsError(f"min_human is a number from 0 to 1, got {min_human!r}")
    if not all(isinstance(value, str) for value in words.values()):
        raise ExportParamsError(f"the words of a filter are texts, got {episodes!r}")
    for name, possible in (("outcome", Outcome), ("flag", EpisodeFlag)):
        if name in words:
            try:
                words[name] = possible(words[name])
            except ValueError as error:
                raise ExportParamsError(
                    f"{name} is one of {', '.join(possible)}, got {words[name]!r}"
                ) from error
    return EpisodeFilter(**words, min_human=min_human)


def _is_share(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1


def _columns(columns: Any) -> tuple[str, ...]:
    if columns is None:
        return tuple(EXPORT_COLUMNS)
    if not isinstance(columns, list) or not set(columns) <= EXPORT_COLUMNS.keys():
        raise ExportParamsError(
            f"columns is a list of {', '.join(EXPORT_COLUMNS)}; the recorded ones are always "
            f"there; got {columns!r}"
        )
    return tuple(name for name in EXPORT_COLUMNS if name in columns)
