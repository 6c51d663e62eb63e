"""What the command line accepts and what it says about the rest."""

from pathlib import Path

import pytest

from backend.domain import Role
from backend.settings import Settings, SettingsError, read_settings


def test_without_flags_it_listens_on_loopback_only_and_starts_an_actor():
    settings = read_settings([], {})

    assert (settings.host, settings.port) == ("127.0.0.1", 7860)
    assert settings.url == "http://127.0.0.1:7860"
    assert settings.robot == "so101_sim_touch"
    assert settings.data_dir == Path.cwd() / "data"
    assert settings.actor
    assert settings.tokens == ()


def test_flags_win_over_variables_and_variables_over_defaults():
    environ = {"HANDRAIL_PORT": "8001", "HANDRAIL_DATA_DIR": "/srv/robot"}

    settings = read_settings(["--port", "8002"], environ)

    assert settings.port == 8002
    assert settings.data_dir == Path("/srv/robot")


@pytest.mark.parametrize(
    ("flag", "nearest"),
    [
        ("--prot", "--port"),
        ("--datadir", "--data-dir"),
        ("--robots", "--robot"),
        ("--no-sandboxes", "--no-sandbox"),
        ("--tokens=x", "--token"),
    ],
)
def test_an_unknown_flag_is_refused_with_the_nearest_right_one(flag, nearest):
    with pytest.raises(SettingsError, match=f"did you mean {nearest}"):
        read_settings([flag, "x"], {})


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        (["--port", "http"], "'http'"),
        (["--port", "70000"], "70000"),
        (["--profile", "sed"], "did you mean seed"),
        (["--port"], "--port"),
        (["--token", ""], "empty token"),
        (["--token", "viewer="], "empty token"),
        (["--token", "operater=abc"], "did you mean operator"),
        (["leftover"], "leftover"),
    ],
)
def test_a_wrong_value_is_refused_by_name(flags, named):
    with pytest.raises(SettingsError, match=named):
        read_settings(flags, {})


@pytest.mark.parametrize("host", ["", "0.0.0.0", "::", "192.168.1.7", "robot.lan"])
def test_a_wider_bind_demands_a_token_and_says_why(host):
    with pytest.raises(SettingsError, match=r"move the robot.*--token or HANDRAIL_TOKEN"):
        read_settings(["--host", host], {})

    assert read_settings(["--host", host, "--token", "t"], {}).host == host
    assert read_settings(["--host", host], {"HANDRAIL_TOKEN": "t"}).host == host


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.8.0.1"])
def test_loopback_demands_none(host):
    assert read_settings(["--host", host], {}).host == host


def test_tokens_may_name_a_role():
    flags = ["--token", "viewer=look", "--token", "plain", "--token", "YWJjZA=="]

    settings = read_settings(flags, {"HANDRAIL_TOKEN": "unused"})

    assert settings.tokens == (
        (Role.VIEWER, "look"),
        (Role.ADMIN, "plain"),
        (Role.ADMIN, "YWJjZA=="),
    )


def test_tokens_are_not_shown_when_settings_are_printed():
    assert "secret" not in repr(Settings(tokens=((Role.ADMIN, "secret"),)))


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("", "ws://127.0.0.1:7860"),
        ("0.0.0.0", "ws://127.0.0.1:7860"),
        ("::", "ws://[::1]:7860"),
        ("::1", "ws://[::1]:7860"),
    ],
)
def test_the_actor_is_told_an_address_it_can_reach(host, url):
    assert Settings(host=host, tokens=((Role.ADMIN, "t"),)).actor_url == url


def test_help_lists_every_flag_and_starts_nothing(capsys):
    with pytest.raises(SystemExit) as ended:
        read_settings(["--help"], {})

    assert ended.value.code == 0
    text = capsys.readouterr().out
    for flag in ("--host", "--port", "--data-dir", "--robot", "--profile", "--token"):
        assert flag in text
