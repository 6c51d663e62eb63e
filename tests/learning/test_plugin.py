"""The plug-in that makes LeRobot's programs know our policy type, as the set-up installs it."""

import subprocess
import sys

import pytest

LOOK = """
from lerobot.utils.import_utils import register_third_party_plugins
from lerobot.configs.policies import PreTrainedConfig
register_third_party_plugins()
print("pi05_rl" in PreTrainedConfig.get_known_choices())
"""


@pytest.mark.flow
def test_lerobot_finds_the_policy_type_by_itself(tmp_path):
    found = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", LOOK],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert found.stdout.splitlines()[-1:] == ["True"], found.stderr
