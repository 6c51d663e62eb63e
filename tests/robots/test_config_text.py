"""Changing values in a config's text: exactly those, with every comment left where it was."""

import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from backend.robots.config import ROBOTS_DIR, list_robot_configs
from backend.robots.config_text import ConfigTextError, comments, with_changes

SO101 = (ROBOTS_DIR / "so101.yaml").read_text(encoding="utf-8")


def comments_in(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip().startswith("#")]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("robot", "port"), "/dev/serial/by-id/usb-1a86: #1"),
        (("task",), "Greif zu: die Mütze"),
        (("fps",), 25),
        (("reset", "pose", "gripper.pos"), 12.5),
        (("limits", "joints", "gripper.pos"), [5, 95]),
        (("robot", "cameras", "wrist", "rotation"), 90),
        (("reset", "pose"), None),
        (("limits", "max_relative_target"), 5),
        (("robot", "cameras"), {}),
    ],
)
def test_a_value_is_changed_and_nothing_else(path, value):
    before = yaml.safe_load(SO101)

    text = with_changes(SO101, [(path, value)])

    wanted = before
    for key in path[:-1]:
        wanted = wanted[key]
    wanted[path[-1]] = value
    assert yaml.safe_load(text) == before
    if path != ("robot", "cameras"):
        assert comments_in(text) == comments_in(SO101)


def test_a_key_that_is_not_there_comes_with_all_above_it():
    views = {"overhead": {"crop": [0, 0, 64, 64], "resize": [32, 32]}}

    text = with_changes(SO101, [(("cameras_view",), views), (("scene", "a", "b"), True)])
    again = with_changes(text, [(("cameras_view", "wrist"), {"resize": [64, 48]})])

    assert yaml.safe_load(again)["cameras_view"] == {**views, "wrist": {"resize": [64, 48]}}
    assert yaml.safe_load(again)["scene"] == {"a": {"b": True}}
    assert comments_in(again) == comments_in(SO101)


def test_json_and_keys_without_a_value_can_be_changed():
    text = with_changes(json.dumps({"a": {"b": 1}, "c": [1]}), [(("a", "d"), "x"), (("c",), {})])
    assert yaml.safe_load(text) == {"a": {"b": 1, "d": "x"}, "c": {}}
    assert yaml.safe_load(with_changes("a:\nb: 1\n", [(("a",), 2)])) == {"a": 2, "b": 1}


@pytest.mark.parametrize(
    ("text", "words"), [("a: 1", "a holds no keys"), ("- 1", "no keys"), ("a: [", "cannot be read")]
)
def test_what_cannot_be_changed_says_where(text, words):
    with pytest.raises(ConfigTextError, match=words):
        with_changes(text, [(("a", "b"), 1)])


@given(
    st.text(st.characters(exclude_categories=["Cs"])) | st.floats(allow_nan=False) | st.booleans()
)
def test_any_value_is_read_as_it_was_written(value):
    text = with_changes(SO101, [(("task",), value), (("robot", "new key"), [value])])

    assert yaml.safe_load(text)["task"] == value
    assert yaml.safe_load(text)["robot"]["new key"] == [value]


@pytest.mark.parametrize("name", list_robot_configs())
def test_every_shipped_config_can_be_changed(name):
    before = (ROBOTS_DIR / f"{name}.yaml").read_text(encoding="utf-8")

    text = with_changes(before, [(("cameras_view",), {"overhead": {"resize": [64, 64]}})])

    assert yaml.safe_load(text)["cameras_view"] == {"overhead": {"resize": [64, 64]}}
    assert comments_in(text) == comments_in(before)


def test_comments_are_found_by_the_key_that_they_stand_above():
    said = comments(SO101)

    assert said["fps",].startswith("Control steps a second")
    assert said["robot", "port"].startswith("Where the USB adapter is.")
    assert said["robot", "port"].endswith("(`lerobot-find-port` tells which is which).")
    assert ("robot", "cameras", "wrist", "width") not in said
