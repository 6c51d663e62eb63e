"""Robot configs: what is read, and how a mistake is named."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from backend.robots.config import (
    ROBOTS_DIR,
    RobotConfigError,
    list_robot_configs,
    load_robot_config,
    policies_of,
)

GOOD = {
    "robot": {"type": "handrail_synthetic"},
    "fps": 10,
    "task": "Wave.",
    "limits": {"joints": {"a.pos": [-1, 1], "b.pos": [0, 100]}, "max_relative_target": 5},
}


@pytest.fixture
def write(tmp_path):
    def write_config(**changes):
        path = tmp_path / "mine.yaml"
        path.write_text(yaml.safe_dump({**GOOD, **changes}))
        return path

    return write_config


@pytest.mark.parametrize("name", list_robot_configs())
def test_every_config_in_the_repository_is_valid(name):
    config = load_robot_config(name)

    assert config.name == name
    assert config.reset.pose is not None
    assert set(config.reset.pose) == set(config.limits.joints)


def test_defaults_are_filled_in(write):
    config = load_robot_config(write())

    assert config.teleop == {"type": "handrail_browser"}
    assert config.episode_time_s == 60
    assert config.reset.pose is None
    assert policies_of(config) == ["hold"]


def test_json_reads_like_yaml(write, tmp_path):
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(GOOD))

    assert load_robot_config(path).limits == load_robot_config(write()).limits


def test_scripted_is_offered_where_an_expert_is_named():
    assert policies_of(load_robot_config("so101_sim_touch")) == ["hold", "scripted"]
    assert policies_of(load_robot_config("synthetic")) == ["hold"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"fsp": 10}, r"mine\.yaml: fsp: unknown key; did you mean 'fps'\?"),
        ({"fps": "fast"}, r"fps: needs a finite number, got 'fast'"),
        ({"fps": 0}, r"fps: must be from 1 to 200, got 0"),
        ({"fps": float("nan")}, r"fps: needs a finite number"),
        ({"fps": True}, r"fps: needs a finite number, got True"),
        ({"task": "  "}, r"task: needs text"),
        ({"robot": {"port": "x"}}, r"robot\.type: LeRobot's name"),
        ({"robot": "so101"}, r"robot: needs keys and values, got 'so101'"),
        ({"limits": {"joints": {}}}, r"limits: missing max_relative_target"),
        (
            {"limits": {"joints": {"a.pos": [2, 1]}, "max_relative_target": 5}},
            r"limits\.joints\.a\.pos: low must be below high, got \[2, 1\]",
        ),
        (
            {"limits": {"joints": {"a.pos": [0, 1]}, "max_relative_target": 0}},
            r"max_relative_target: must be above 0, got 0",
        ),
        (
            {"limits": {"joints": {"a.pos": [0, 1]}, "max_relative_target": {"a.poss": 1}}},
            r"did you mean 'a\.pos'\?",
        ),
        ({"reset": {"pose": {"a.pos": "up"}}}, r"reset\.pose\.a\.pos: needs a finite number"),
        ({"scene": {"cube_colour": "red"}}, r"did you mean 'cube_color'\?"),
        ({"scene": {"spawn_center_m": 0.1}}, r"spawn_center_m: needs \[x, y\]"),
        ({"scene": {"seed": 1.5}}, r"scene\.seed: needs a whole number or null"),
        ({"expert": "tuch"}, r"expert: got 'tuch'; did you mean 'touch'\?"),
    ],
)
def test_a_mistake_is_named_with_its_place_and_remedy(write, changes, message):
    with pytest.raises(RobotConfigError, match=message):
        load_robot_config(write(**changes))


def test_a_misspelt_name_is_answered_with_the_nearest():
    with pytest.raises(RobotConfigError, match="did you mean 'so101_sim_touch'"):
        load_robot_config("so101_sim_tuch")


@pytest.mark.parametrize("name", ["../robots/synthetic", "nowhere/none.yaml"])
def test_a_path_that_is_no_config_is_refused(name):
    with pytest.raises(RobotConfigError, match="no "):
        load_robot_config(name)


def test_a_file_that_is_no_yaml_is_refused(tmp_path):
    path = tmp_path / "broken.yaml"
    path.write_text("robot: [")

    with pytest.raises(RobotConfigError, match="cannot be read"):
        load_robot_config(path)


def test_listing_a_folder_that_is_not_there_is_empty(tmp_path):
    assert list_robot_configs(tmp_path / "none") == []
    assert "so101_sim_touch" in list_robot_configs(ROBOTS_DIR)


def test_reading_configs_imports_neither_lerobot_nor_torch():
    code = (
        "import sys; from backend.robots.config import *; load_robot_config('so101_sim_touch');"
        "sys.exit(any(name in sys.modules for name in ('torch', 'lerobot', 'mujoco')))"
    )

    done = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], check=False)

    assert done.returncode == 0
