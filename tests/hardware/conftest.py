"""Emulated arms, and LeRobot's own drivers for them, not connected."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from lerobot.robots.so_follower import SO101Follower, SO101FollowerConfig
from lerobot.teleoperators.so_leader import SO101Leader, SO101LeaderConfig

from tests.hardware.arms import JOINTS, EmulatedArm
from tests.hardware.clocks import HandClock
from tests.hardware.leader_bench import Bench, state
from tests.hardware.patience import make_cameras_patient, make_drivers_patient


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    make_drivers_patient(monkeypatch.setattr)
    make_cameras_patient(monkeypatch.setattr)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def follower_arm(tmp_path: Path, clock: HandClock) -> Iterator[EmulatedArm]:
    arm = EmulatedArm(tmp_path, name="follower", pose={"elbow_flex": 20.0}, clock=clock)
    yield arm
    arm.close()


@pytest.fixture
def leader_arm(tmp_path: Path, clock: HandClock) -> Iterator[EmulatedArm]:
    arm = EmulatedArm(tmp_path, name="leader", pose={"shoulder_pan": -10.0}, clock=clock)
    yield arm
    arm.close()


@pytest.fixture
def follower(follower_arm: EmulatedArm) -> SO101Follower:
    fields = follower_arm.lerobot_fields()
    return SO101Follower(
        SO101FollowerConfig(**{**fields, "calibration_dir": Path(fields["calibration_dir"])})
    )


@pytest.fixture
def leader(leader_arm: EmulatedArm) -> SO101Leader:
    fields = leader_arm.lerobot_fields()
    return SO101Leader(
        SO101LeaderConfig(**{**fields, "calibration_dir": Path(fields["calibration_dir"])})
    )


@pytest.fixture
def bench(leader_arm: EmulatedArm, clock: HandClock) -> Iterator[Bench]:
    bench = Bench(leader_arm, clock)
    bench.leader.connect()
    yield bench
    bench.arm.bus.faults.clear()
    bench.leader.close()


@pytest.fixture
def following(bench: Bench) -> Bench:
    bench.follow(state(), 2.0)
    assert bench.arm.torque() == set(JOINTS)
    return bench
