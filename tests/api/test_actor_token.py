"""The secret between server and actor: made once, and fit to be handed over in every way."""

import secrets

from backend.actor.__main__ import parse
from backend.api.actor_token import actor_token


def test_whatever_the_dice_say_a_new_token_can_be_given_on_a_command_line(tmp_path, monkeypatch):
    # In base64 these bytes begin with a dash, as one token in 64 did.
    monkeypatch.setattr(secrets, "token_bytes", lambda nbytes=None: b"\xf8" * (nbytes or 32))

    token = actor_token(tmp_path, {})

    assert parse(["--token", token]).token == token


def test_a_token_lasts_and_the_variable_goes_before_it(tmp_path):
    token = actor_token(tmp_path, {})

    assert actor_token(tmp_path, {}) == token
    assert actor_token(tmp_path, {"HANDRAIL_ACTOR_TOKEN": "said"}) == "said"
