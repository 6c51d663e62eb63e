"""A robot that finds something wrong with itself: people are told, an attempt is held."""

import pytest

from backend.control import Ailment
from backend.domain import Command, Phase
from tests.actor.fakes import FakeArm

HOT = Ailment(message="elbow has 68 °C: let it cool", must_hold=True, is_new=True)
WARM = Ailment(message="elbow has 58 °C: let it rest", must_hold=False, is_new=True)


@pytest.fixture
def found(monkeypatch):
    """What the arm finds in each step."""
    found: list[Ailment] = []
    monkeypatch.setattr(FakeArm, "ailments", lambda _arm: tuple(found), raising=False)
    return found


def test_what_only_should_be_known_is_told(stage, found):
    stage.start()
    found.append(WARM)

    stage.turn(1)

    assert stage.phase is Phase.POLICY
    (notice,) = stage.notices("servo")
    assert (notice.level, notice.message) == ("warning", WARM.message)


def test_what_must_not_go_on_holds_the_attempt_until_it_is_over(stage, found):
    stage.start()
    found.append(HOT)

    stage.turn(1)
    assert stage.phase is Phase.HELD
    assert HOT.message in stage.notices("held")[-1].message
    stage.command(Command.START)
    stage.turn(1)
    assert stage.phase is Phase.HELD

    found.clear()
    stage.command(Command.START)
    stage.turn(1)
    assert stage.phase is Phase.POLICY


def test_outside_of_an_attempt_it_is_told_once(stage, found):
    stage.command(Command.OPEN)
    found.append(HOT)
    stage.turn(1)
    found[0] = Ailment(message=HOT.message, must_hold=True, is_new=False)

    stage.turn(3)

    assert [notice.level for notice in stage.notices("servo")] == ["error"]
