"""A stage that is taken down after each test."""

from collections.abc import Iterator

import pytest

from tests.actor.stage import Stage


@pytest.fixture
def stage() -> Iterator[Stage]:
    stage = Stage()
    yield stage
    stage.close()
