"""What a preflight finds on emulated hardware, and that it moves nothing while it looks."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import cv2
import pytest

from backend.robots.config import load_robot_config
from backend.robots.preflight import check, may_move
from backend.robots.preflight_finding import Finding, Level, in_words
from backend.robots.preflight_ports import check_ports
from tests.hardware.arms import JOINTS
from tests.hardware.cameras import FileDevice, write_video
from tests.hardware.rigs import so101_config
from tests.hardware.servo import Alarm


@pytest.fixture
def device(monkeypatch):
    monkeypatch.setattr(cv2, "VideoCapture", FileDevice)
    yield FileDevice
    FileDevice.slowed_to_hz = None


@pytest.fixture
def look(tmp_path, follower_arm, leader_arm):
    """Check the emulated robot; only what is about `topic` comes back."""

    def look(topic: str = "", **options) -> list[Finding]:
        config = so101_config(tmp_path, follower=follower_arm, **options)
        return [f for f in check(config, data_dir=tmp_path / "data") if f.check.startswith(topic)]

    return look


def bad(findings: list[Finding]) -> list[tuple[Level, str, str]]:
    return [(f.level, f.message, f.remedy) for f in findings if f.level is not Level.OK]


def the_one(findings: list[Finding]) -> tuple[Level, str, str]:
    assert len(bad(findings)) == 1, findings
    return bad(findings)[0]


def test_a_whole_robot_has_nothing_to_remedy(tmp_path, look, leader_arm, device):
    cameras = {name: write_video(tmp_path / f"{name}.mp4") for name in ("overhead", "wrist")}

    # Few enough steps a second for the busiest machine.
    findings = look(leader=leader_arm, cameras=cameras, fps=3)

    assert bad(findings) == []
    assert may_move(findings)
    assert {f.check for f in findings} == {
        "config",
        "disk",
        "port",
        "calibration",
        "servos",
        "rate",
        "cameras",
    }


def test_looking_moves_nothing_and_leaves_every_register_as_it_was(look, follower_arm, leader_arm):
    arms = (follower_arm, leader_arm)
    before = [arm.servo(joint).read(0, 128) for arm in arms for joint in JOINTS]

    look(leader=leader_arm)

    assert [arm.servo(joint).read(0, 128) for arm in arms for joint in JOINTS] == before


def test_looking_at_a_stiff_arm_leaves_it_stiff_and_says_so(look, follower_arm):
    for joint in JOINTS:
        follower_arm.servo(joint).write(40, b"\1", now_s=0.0)

    level, message, remedy = the_one(look("servos"))

    assert level is Level.WARNING
    assert "gripper is stiff" in message
    assert "hold the arm" in remedy
    assert follower_arm.torque() == set(JOINTS)


def test_a_missing_port_is_named_and_the_rest_is_still_looked_at(look, follower_arm):
    follower_arm.bus.unplug()

    level, message, remedy = the_one(look("port"))
    assert level is Level.BLOCKING
    assert f"robot.port '{follower_arm.port}' does not exist" in message
    assert "plug the arm's USB cable in" in remedy
    assert bad(look("calibration")) == []


def test_two_arms_on_one_port_are_refused(tmp_path, look, follower_arm):
    assert the_one(look("port", leader=follower_arm))[:2] == (
        Level.BLOCKING,
        f"teleop.port and robot.port are the same port '{follower_arm.port}'",
    )


def test_a_port_in_use_names_the_process_that_uses_it(follower_arm):
    script = "import sys; f = open(sys.argv[1], 'rb'); print(1, flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", script, str(follower_arm.port)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdout.readline()
        level, message, _ = the_one(check_ports({"robot.port": str(follower_arm.port)}))
        holder.stdin.close()
        holder.wait(timeout=60)

    assert level is Level.BLOCKING
    assert message.endswith(f"is already open in process {holder.pid}")


def test_a_port_that_may_change_is_told_its_stable_name(tmp_path):
    port, by_id = tmp_path / "ttyACM0", tmp_path / "by-id"
    port.touch()
    by_id.mkdir()
    (by_id / "usb-arm-7").symlink_to(port)

    level, _, remedy = the_one(check_ports({"robot.port": str(port)}, by_id=by_id))

    assert level is Level.WARNING
    assert str(by_id / "usb-arm-7") in remedy


def test_a_missing_calibration_comes_with_its_command(look, follower_arm):
    (follower_arm.calibration_dir / "follower.json").unlink()

    level, message, remedy = the_one(look("calibration"))

    assert level is Level.BLOCKING
    assert "follower.json" in message
    assert (
        f"`lerobot-calibrate --robot.type=so101_follower --robot.port={follower_arm.port} "
        "--robot.id=follower`" in remedy
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"range_min": 2000, "range_max": 2100}, "elbow_flex was moved by only 9°"),
        ({"range_min": 3000, "range_max": 2000}, "elbow_flex has the range 3000 to 2000"),
        ({"id": 5}, "elbow_flex was calibrated with servo id 5, it is 3"),
        ({"range_min": 2400, "range_max": 3900}, "elbow_flex was not in its middle"),
    ],
)
def test_a_calibration_nobody_can_have_made_is_refused(look, follower_arm, change, message):
    follower_arm.write_calibration_file(elbow_flex=change)

    findings = bad(look("calibration"))

    assert findings[0][0] is Level.BLOCKING
    assert message in findings[0][1]


def test_motors_that_hold_another_calibration_are_refused(look, follower_arm):
    follower_arm.servo("elbow_flex").set("homing_offset", -80)

    level, message, remedy = the_one(look("calibration"))

    assert level is Level.BLOCKING
    assert "the motors hold another calibration than the file" in message
    assert "press Enter" in remedy


def test_limits_beyond_the_calibrated_range_are_told(look, follower_arm):
    limits = {
        "joints": {f"{j}.pos": [0, 100] if j == "gripper" else [-90, 90] for j in JOINTS}
        | {"wrist_flex.pos": [-130, 90]},
        "max_relative_target": 8,
    }

    level, message, _ = the_one(look("calibration", limits=limits, reset={"pose": None}))

    assert level is Level.WARNING
    assert "wrist_flex may be sent from -130° to 90° and was calibrated from -102°" in message


def test_a_joint_outside_of_its_range_is_told(look, follower_arm):
    follower_arm.grip(elbow_flex=105.0)

    level, message, _ = the_one(look("calibration"))

    assert level is Level.WARNING
    assert "elbow_flex stands outside of its calibrated range" in message


def test_a_silent_servo_is_named_with_its_id(look, follower_arm):
    follower_arm.bus.faults.silence(4)

    level, message, remedy = the_one(look("servos"))

    assert level is Level.BLOCKING
    assert message == "robot: servo 4 (wrist_flex) does not answer"
    assert "cable" in remedy


def test_an_arm_without_power_is_told_from_one_with_a_loose_cable(look, follower_arm):
    follower_arm.bus.power_off()

    level, message, remedy = the_one(look("servos"))

    assert level is Level.BLOCKING
    assert message == f"robot: no servo answers on '{follower_arm.port}'"
    assert "power supply" in remedy


def test_a_servo_of_another_model_is_refused(look, follower_arm):
    follower_arm.servo("gripper").set("model_number", 1284)

    assert "servo 6 (gripper) is model 1284 instead of 777" in the_one(look("servos"))[1]


def test_a_servo_that_has_shut_itself_off_is_named(look, follower_arm):
    follower_arm.raise_alarm("shoulder_lift", Alarm.OVERLOAD)

    level, message, _ = the_one(look("servos"))

    assert level is Level.BLOCKING
    assert "shoulder_lift has shut itself off" in message
    assert "Overload" in message


@pytest.mark.parametrize(
    ("register", "value", "level", "message"),
    [
        ("present_voltage", 120, Level.BLOCKING, "elbow_flex has 12.0 V and takes 4.0 to 8.0 V"),
        ("present_voltage", 42, Level.WARNING, "elbow_flex has only 4.2 V"),
        ("present_temperature", 68, Level.BLOCKING, "elbow_flex has 68 °C, at 70 °C it shuts"),
        ("present_temperature", 58, Level.WARNING, "elbow_flex has 58 °C"),
    ],
)
def test_voltage_and_temperature_are_judged(look, follower_arm, register, value, level, message):
    follower_arm.servo("elbow_flex").set(register, value)

    found = the_one(look("servos"))

    assert found[0] is level
    assert message in found[1]


def test_a_bad_line_is_told_with_its_share_of_failed_reads(look, follower_arm):
    follower_arm.bus.faults.corrupt_every(10, servo_id=6)

    level, message, remedy = the_one(look("servos"))

    assert level is Level.WARNING
    assert "; 4 of 40 reads failed" in message
    assert "cable" in remedy


def test_leader_and_follower_in_other_units_are_refused(tmp_path, follower_arm, leader_arm):
    config = so101_config(tmp_path, follower=follower_arm, leader=leader_arm)
    config.teleop["use_degrees"] = False

    level, message, remedy = the_one(
        [f for f in check(config, data_dir=tmp_path) if f.check == "config"]
    )

    assert level is Level.BLOCKING
    assert "shoulder_pan (degrees, leader range_m100_100)" in message
    assert "use_degrees" in remedy


def test_a_slow_camera_is_told_with_the_rate_it_reached(tmp_path, look, device):
    device.slowed_to_hz = 12

    level, message, remedy = the_one(
        look("cameras", cameras={"wrist": write_video(tmp_path / "wrist.mp4")})
    )

    assert level is Level.WARNING
    assert float(re.search(r"160x120 at ([\d.]+) pictures", message)[1]) < 15
    assert message.endswith("30 are needed")
    assert "light" in remedy


def test_a_camera_that_is_not_there_blocks_and_the_other_is_measured(tmp_path, look, device):
    good = write_video(tmp_path / "wrist.mp4")

    findings = look("cameras", cameras={"overhead": tmp_path / "none.mp4", "wrist": good}, fps=3)

    assert the_one(findings)[1].endswith("none.mp4' does not exist")
    assert any(f.level is Level.OK and f.message.startswith("wrist gives") for f in findings)


def test_one_camera_under_two_names_is_refused(tmp_path, look, device):
    path = write_video(tmp_path / "wrist.mp4")

    level, message, _ = the_one(look("cameras", cameras={"a": path, "b": path}))

    assert level is Level.BLOCKING
    assert "b and a are the same camera" in message


def test_a_full_disk_blocks(look, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=1.5e9))

    assert the_one(look("disk"))[0] is Level.BLOCKING


def test_a_config_lerobot_refuses_is_one_finding(tmp_path, follower_arm):
    config = so101_config(tmp_path, follower=follower_arm)
    config.robot["type"] = "so1o1_follower"

    level, message, remedy = the_one(check(config, data_dir=tmp_path))

    assert level is Level.BLOCKING
    assert "so1o1_follower" in message
    assert "so101_emulated.yaml" in remedy


def test_the_synthetic_robot_is_measured_step_by_step(tmp_path):
    findings = check(load_robot_config("synthetic"), data_dir=tmp_path)

    assert may_move(findings)
    assert [f.check for f in findings] == ["config", "disk", "rate"]
    assert "of the 33 ms that 30 steps a second leave" in findings[-1].message


def test_the_shipped_configs_of_real_robots_are_accepted(monkeypatch, tmp_path):
    for name in ("so101", "so101_bimanual"):
        config = load_robot_config(name)
        for part in (config.robot, config.teleop):
            part["calibration_dir"] = str(tmp_path)

        findings = check(config, data_dir=tmp_path)

        assert bad([f for f in findings if f.check == "config"]) == []
        # None of the ports is there, and each is asked for by name.
        ports = [f for f in findings if f.check == "port"]
        assert len(ports) == (2 if name == "so101" else 4)
        assert Path("/dev/ttyACM0").exists() or not may_move(ports)


def test_a_koch_that_is_not_there_says_what_to_install_or_plug_in(tmp_path):
    config = load_robot_config("koch")
    for part in (config.robot, config.teleop):
        part["calibration_dir"] = str(tmp_path)

    findings = check(config, data_dir=tmp_path)

    assert not may_move(findings)
    words = in_words(findings)
    if importlib.util.find_spec("dynamixel_sdk") is None:
        assert "dynamixel" in words
        assert "install it into .venv" in words
    else:
        assert "plug the arm's USB cable in" in words
