"""What one critic says of every step of an episode, as a file: opening one never recomputes.

    scores/<run>/<step>/<episode>.npz    value, spread, advantage and word a step, and of what

Values and spreads follow from checkpoint and pictures and never change. Advantages and words follow
from the outcome in force too: the file says which label revision of the episode they are of.
Written aside and renamed; read without pickle.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from backend.domain import Outcome

SCORES_DIR = "scores"


@dataclass(frozen=True, kw_only=True)
class EpisodeScores:
    """One checkpoint's view of one episode of n steps."""

    checkpoint_id: str
    episode_id: str
    # float32 [n], in units of the reward scheme's return.
    value: np.ndarray
    # float32 [n]: standard deviation of the predicted distribution; NaN for a scalar critic.
    spread: np.ndarray
    # float32 [n]: of the chunk that starts at each step, under `outcome`.
    advantage: np.ndarray
    # str [n]: what the actor would be told of that chunk; empty where there are no words.
    word: np.ndarray
    # Label revision of the episode when advantages were computed, and what it said.
    label_revision: int
    outcome: Outcome
    # Lowest and highest value that the reward scheme can produce.
    value_range: tuple[float, float]
    # Advantage above which a chunk is positive, by task; and whether it is the training's own or
    # was taken from the episodes scored together, because the training had not seen the task.
    thresholds: Mapping[str, float]
    has_own_thresholds: bool
    # Unix seconds.
    created_s: float


def scores_path(data_dir: Path, checkpoint_id: str, episode_id: str) -> Path:
    """Where the scores of an episode by a checkpoint are."""
    return data_dir / SCORES_DIR / checkpoint_id / f"{episode_id}.npz"


def write_scores(data_dir: Path, scores: EpisodeScores) -> Path:
    """Write one file so that a reader finds all of it or what was there before; return it.

    Raises:
        ValueError: Columns of different lengths.
    """
    columns = {name: getattr(scores, name) for name in ("value", "spread", "advantage", "word")}
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) != 1:
        raise ValueError(f"scores of episode {scores.episode_id} have columns of {lengths} steps")
    path = scores_path(data_dir, scores.checkpoint_id, scores.episode_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    meta = {
        "checkpoint_id": scores.checkpoint_id,
        "episode_id": scores.episode_id,
        "label_revision": scores.label_revision,
        "outcome": scores.outcome.value,
        "value_range": list(scores.value_range),
        "thresholds": dict(scores.thresholds),
        "has_own_thresholds": scores.has_own_thresholds,
        "created_s": scores.created_s,
    }
    aside = path.with_name(f".{path.name}.tmp")
    with aside.open("wb") as file:
        np.savez_compressed(
            file,
            value=columns["value"].astype(np.float32),
            spread=columns["spread"].astype(np.float32),
            advantage=columns["advantage"].astype(np.float32),
            word=np.asarray(columns["word"], dtype=np.str_),
            meta=np.array(json.dumps(meta)),
        )
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)
    return path


def read_scores(data_dir: Path, checkpoint_id: str, episode_id: str) -> EpisodeScores | None:
    """The scores of an episode by a checkpoint; None when there are none.

    Raises:
        ValueError: The file is damaged.
    """
    path = scores_path(data_dir, checkpoint_id, episode_id)
    try:
        with np.load(path, allow_pickle=False) as stored:
            meta = json.loads(str(stored["meta"]))
            columns = {name: stored[name] for name in ("value", "spread", "advantage", "word")}
    except FileNotFoundError:
        return None
    except (OSError, KeyError, ValueError) as error:
        raise ValueError(f"{path} is damaged, score the episode again: {error}") from error
    low, high = meta.pop("value_range")
    return EpisodeScores(
        **columns,
        **{**meta, "outcome": Outcome(meta["outcome"])},
        value_range=(float(low), float(high)),
    )
