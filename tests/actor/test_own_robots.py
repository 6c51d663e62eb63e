"""Robots of ones own, as the Setup page saves them, are found by the process that drives them."""

import pytest

from backend.actor.rig import RigRefusedError
from backend.actor.rigging import LeRobotRigs
from backend.robots.config import ROBOTS_DIR
from backend.robots.folders import RobotFolders
from tests.actor.fakes import FakeClock


def test_a_saved_robot_is_known_by_its_name_at_once(tmp_path):
    rigs = LeRobotRigs(default_robot="synthetic", data_dir=tmp_path, clock=FakeClock())
    with pytest.raises(RigRefusedError, match="no robot config named 'bench'"):
        rigs.facts("bench")
    text = (ROBOTS_DIR / "synthetic.yaml").read_text(encoding="utf-8")

    RobotFolders.of(tmp_path).save("bench", text.replace("\nfps: 30", "\nfps: 12"), wall_s=1.0)

    assert rigs.facts("bench").fps == 12
    assert rigs.facts("synthetic").fps == 30
