"""One living actor a data directory, and a server can find it."""

import json
import os

import psutil
import pytest

from backend.actor.presence import AnotherActorError, Presence


def test_an_actor_says_who_it_is_and_leaves_nothing_behind(tmp_path):
    presence = Presence.claim(tmp_path / "data", robot="fake", server="ws://here:1")

    content = json.loads((tmp_path / "data" / "actor.json").read_text())
    assert content == {
        "pid": os.getpid(),
        "pid_started_s": psutil.Process().create_time(),
        "robot": "fake",
        "server": "ws://here:1",
    }
    presence.close()
    presence.close()
    assert not (tmp_path / "data" / "actor.json").exists()


def test_a_second_actor_is_refused_and_told_which_one_lives(tmp_path):
    first = Presence.claim(tmp_path, robot="fake", server="ws://here:1")
    try:
        with pytest.raises(AnotherActorError, match=rf"pid {os.getpid()}.*--data-dir"):
            Presence.claim(tmp_path, robot="fake", server="ws://here:1")
    finally:
        first.close()
    Presence.claim(tmp_path, robot="fake", server="ws://here:1").close()


def test_what_a_killed_actor_left_behind_keeps_nobody_away(tmp_path):
    (tmp_path / "actor.json").write_text('{"pid": 1')
    (tmp_path / "actor.lock").touch()

    Presence.claim(tmp_path, robot="fake", server="ws://here:1").close()

    assert not (tmp_path / "actor.json").exists()
