"""A database made by the migrations, as the product makes it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backend.db.engine import Database, migrate, open_database, sqlite_url
from backend.db.models import EpisodeRow, LabelEventRow, SessionRow


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    url = sqlite_url(tmp_path)
    migrate(url)
    database = open_database(url)
    yield database
    database.close()


def session_row(id: str = "s1", **changes: Any) -> SessionRow:
    fields = {
        "id": id,
        "robot": "so101_sim_touch",
        "policy": "scripted",
        "operator": "ana",
        "opened_s": 1_700_000_000.0,
        "closed_s": None,
    }
    return SessionRow(**{**fields, **changes})


def episode_row(id: str = "e1", **changes: Any) -> EpisodeRow:
    fields = {
        "id": id,
        "session_id": None,
        "number": 1,
        "state": "finished",
        "end_reason": "success",
        "robot": "so101_sim_touch",
        "task": "Touch the red cube",
        "policy": "scripted",
        "checkpoint_id": None,
        "operator": "ana",
        "fps": 10.0,
        "num_steps": 100,
        "num_human_steps": 20,
        "started_s": 1_700_000_000.0,
        "ended_s": 1_700_000_010.0,
        "outcome": "none",
        "label_revision": 0,
        "cameras": ["overhead"],
        "joints": ["gripper.pos"],
    }
    return EpisodeRow(**{**fields, **changes})


def label_row(event_id: str = "l1", **changes: Any) -> LabelEventRow:
    fields = {
        "event_id": event_id,
        "episode_id": "e1",
        "created_s": 1_700_000_011.0,
        "author": "ana",
        "kind": "outcome",
        "start_step": None,
        "end_step": None,
        "old": {"outcome": "none"},
        "new": {"outcome": "success"},
        "source": "key",
        "target_id": None,
    }
    return LabelEventRow(**{**fields, **changes})
