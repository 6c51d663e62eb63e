"""What holds for every test run."""

import os
import sys

import pytest
from hypothesis import settings

# No test is timed: how long an example takes is the machine's affair.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

_exit_status = pytest.StashKey[int]()


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    if not hasattr(session.config, "workerinput"):  # a worker of xdist still has to report
        session.config.stash[_exit_status] = int(exitstatus)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave with the tests' own verdict, once everything is reported.

    Renderers and decoders leave native threads behind, which now and then abort an interpreter that
    takes itself apart in order ("terminate called without an active exception").
    """
    if _exit_status in config.stash:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(config.stash[_exit_status])
