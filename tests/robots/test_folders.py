"""Own robot configs beside those that are shipped: found by name, written, never lost."""

import pytest

from backend.robots.config import ROBOTS_DIR, RobotConfigError, list_robot_configs
from backend.robots.folders import RobotFolders

TEXT = (ROBOTS_DIR / "synthetic.yaml").read_text(encoding="utf-8")


@pytest.fixture
def folders(tmp_path):
    return RobotFolders.of(tmp_path)


def test_own_and_shipped_configs_are_found_by_name(folders, tmp_path):
    assert folders.names() == list_robot_configs()

    saved = folders.save("mine", TEXT, wall_s=1.0)

    assert saved.source == tmp_path / "robots" / "mine.yaml"
    assert folders.names() == sorted([*list_robot_configs(), "mine"])
    assert folders.load("mine") == saved
    assert folders.is_own("mine")
    assert not folders.is_own("synthetic")
    assert folders.load("synthetic").source == ROBOTS_DIR / "synthetic.yaml"
    assert folders.load(saved.source) == saved


def test_what_an_own_config_was_before_is_kept(folders, tmp_path):
    folders.save("mine", TEXT, wall_s=1.0)
    folders.save("mine", TEXT.replace("task:", "task: New #"), wall_s=2.5)

    former = tmp_path / "robots" / "former" / "mine.2.500.yaml"
    assert former.read_text(encoding="utf-8") == TEXT
    assert folders.load("mine").task == "New"
    assert folders.names().count("mine") == 1


def test_a_text_that_breaks_a_rule_changes_nothing(folders, tmp_path):
    folders.save("mine", TEXT, wall_s=1.0)

    with pytest.raises(RobotConfigError, match=r"^mine: fsp: unknown key; did you mean 'fps'"):
        folders.save("mine", TEXT + "\nfsp: 3\n", wall_s=2.0)

    assert folders.load("mine").source.read_text(encoding="utf-8") == TEXT
    assert list((tmp_path / "robots" / "former").iterdir()) == []


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("synthetic", "comes with Handrail"),
        ("", "letters"),
        ("../mine", "letters"),
        (".hidden", "letters"),
        ("a" * 61, "letters"),
    ],
)
def test_a_name_that_cannot_be_had_says_why(folders, name, words):
    with pytest.raises(RobotConfigError, match=words):
        folders.save(name, TEXT, wall_s=1.0)


@pytest.mark.parametrize("name", ["synthetik", "../synthetic", "", "none.yaml"])
def test_an_unknown_name_is_refused(folders, name):
    with pytest.raises(RobotConfigError, match=r"synthetic|no such file"):
        folders.load(name)
    with pytest.raises(RobotConfigError):
        folders.path_of(name)
