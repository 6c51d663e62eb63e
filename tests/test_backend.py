"""The server as a whole, before any page is on it."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from backend.main import VERSION, build_backend
from backend.settings import Settings, SettingsError

ROOT = Path(__file__).parents[1]


def test_a_robot_that_is_not_there_is_refused_before_anything_starts(tmp_path):
    settings = Settings(data_dir=tmp_path / "data", robot="so101_sim_tuch")

    with pytest.raises(SettingsError, match="so101_sim_touch"):
        build_backend(settings)

    assert not settings.data_dir.exists()


def test_a_backend_that_was_never_served_can_be_closed_twice(tmp_path):
    backend = build_backend(Settings(data_dir=tmp_path / "data", actor=False))

    backend.close()
    backend.close()

    assert (tmp_path / "data" / "handrail.db").exists()


def test_a_second_start_finds_the_same_actor_token(tmp_path):
    settings = Settings(data_dir=tmp_path / "data", actor=False)
    tokens = []
    for _ in range(2):
        build_backend(settings).close()
        tokens.append((settings.data_dir / "actor.token").read_text())

    assert tokens[0] == tokens[1]


def test_the_server_loads_neither_torch_nor_lerobot():
    """Importing them takes longer than a person waits for a page."""
    code = "import sys, backend.main; print({'torch', 'lerobot', 'wandb'} & sys.modules.keys())"

    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert run.stdout.strip() == "set()"


def test_the_version_is_the_projects():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert project["version"] == VERSION
