"""The page's teleoperator: every motion, and above all when it stops."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lerobot.utils.errors import DeviceNotConnectedError
from websockets.sync.client import connect

from backend.control import HumanInput, Limits
from backend.robots import browserteleop
from backend.robots.browser_teleop import (
    ACTION_NAMES,
    MOTIONS,
    SPEEDS,
    BrowserTeleop,
    BrowserTeleopConfig,
)
from backend.robots.kinematics import So101Kinematics

ARM = So101Kinematics()
START = np.array([0, -62, 40, 80, -90, 60], dtype=np.float32)
LIMITS = Limits(
    low=np.array([-110, -100, -96, -95, -157, 0], dtype=np.float32),
    high=np.array([110, 100, 96, 95, 157, 100], dtype=np.float32),
    max_relative_target=np.full(6, 20, dtype=np.float32),
)


def make_teleop(tmp_path, **fields):
    human = BrowserTeleop(BrowserTeleopConfig(calibration_dir=tmp_path, **fields))
    human.bind(ACTION_NAMES, LIMITS)
    human.start(START)
    return human


@pytest.fixture
def human(tmp_path):
    return make_teleop(tmp_path)


def press(human, *codes, axes=()):
    human.feed(frozenset(codes), tuple(axes))


class Follower:
    """An arm whose joints go part of the way to their target at each step, as servos do."""

    def __init__(self, state=START, *, share=0.7):
        self.state, self.share = state.astype(float), share

    def step(self, human, fps):
        self.state += (human.act(self.state, 1 / fps) - self.state) * self.share
        return ARM.forward(self.state[:5])


def test_it_is_a_human_input(human):
    promised = [name for name in vars(HumanInput) if not name.startswith("_")]

    assert all(hasattr(human, name) for name in promised)
    assert 0 < human.speed <= 1


def test_taking_over_starts_where_the_arm_is(human):
    assert human.act(START, 0.1) == pytest.approx(START)


@pytest.mark.parametrize("code", [code for code, (place, _) in MOTIONS.items() if place < 3])
def test_a_key_moves_the_tool_along_its_axis_only(human, code):
    before = ARM.forward(START[:5])
    press(human, code)
    after, follower = before, Follower(share=1.0)
    for _ in range(4):
        after = follower.step(human, 10)

    place, sign = MOTIONS[code]
    moved = after.position_m - before.position_m
    assert moved[place] * sign == pytest.approx(4 * 0.1 * 0.15 * human.speed, rel=0.02)
    assert np.abs(np.delete(moved, place)).max() < 5e-4
    assert after.pitch_deg == pytest.approx(before.pitch_deg, abs=0.5)


@pytest.mark.parametrize(
    ("code", "name"), [("KeyQ", "roll_deg"), ("KeyE", "roll_deg"), ("KeyT", "pitch_deg")]
)
def test_a_turning_key_keeps_the_tool_in_place(human, code, name):
    before = ARM.forward(START[:5])
    press(human, code)
    follower = Follower(share=1.0)
    for _ in range(3):
        after = follower.step(human, 10)

    _, sign = MOTIONS[code]
    assert (getattr(after, name) - getattr(before, name)) * sign > 5
    assert np.linalg.norm(after.position_m - before.position_m) < 1e-3


@pytest.mark.parametrize("fps", [10, 30])
@pytest.mark.parametrize("code", list(MOTIONS))
def test_a_released_key_stops_the_motion_within_two_ticks(tmp_path, code, fps):
    human, follower = make_teleop(tmp_path, speed=1.0), Follower()
    press(human, code)
    for _ in range(fps // 2):
        follower.step(human, fps)

    press(human)
    last = human.act(follower.state, 1 / fps)
    follower.step(human, fps)
    second = follower.step(human, fps)
    later = second
    for _ in range(10):
        later = follower.step(human, fps)

    assert human.act(follower.state, 1 / fps) == pytest.approx(last), "the target stands still"
    assert np.linalg.norm(later.position_m - second.position_m) < 2e-3
    assert abs(later.pitch_deg - second.pitch_deg) < 1.0
    assert abs(later.roll_deg - second.roll_deg) < 1.0


def test_stale_input_stops_the_motion_too(human):
    press(human, "ArrowUp")
    human.act(START, 0.1)
    human.release()

    assert human.act(START, 0.1) == pytest.approx(human.act(START, 0.1))


def test_a_blocked_arm_stores_no_motion_up(human):
    press(human, "ArrowUp")
    for _ in range(100):
        ahead = human.act(START, 0.1) - START

    assert np.abs(ahead[:5]).max() <= 8.01
    press(human, "ArrowDown")
    assert np.abs(human.act(START, 0.1) - START).max() < np.abs(ahead).max()


def test_a_stalled_loop_does_not_leap(human):
    press(human, "ArrowUp")

    moved = ARM.forward(human.act(START, 30.0)[:5]).position_m - ARM.forward(START[:5]).position_m

    assert np.linalg.norm(moved) <= 0.2 * 0.15 + 1e-3


def test_space_toggles_the_gripper_when_it_goes_down(human):
    assert not human.gripper_closed
    press(human, "Space")
    assert human.gripper_closed
    press(human, "Space")
    press(human, "Space", "ArrowUp")
    assert human.gripper_closed, "held is not pressed again"
    press(human)
    press(human, "Space")
    assert not human.gripper_closed


def test_losing_focus_or_the_line_never_opens_the_gripper(human):
    press(human, "Space")
    human.release()
    press(human, "Space")
    press(human)

    assert human.gripper_closed


def test_the_gripper_moves_at_a_finite_speed(human):
    press(human, "Space")

    assert human.act(START, 0.1)[5] == pytest.approx(60 - 15)


def test_the_gripper_squeezes_what_it_holds_only_so_far(human):
    press(human, "Space")
    holding = START.copy()
    holding[5] = 35
    for _ in range(20):
        target = human.act(holding, 0.1)[5]

    assert target == pytest.approx(15)


def test_taking_over_keeps_a_grip_on_what_is_held(human):
    holding = START.copy()
    holding[5] = 25
    human.start(holding)
    for _ in range(5):
        target = human.act(holding, 0.1)[5]

    assert human.gripper_closed
    assert 10 <= target < 25


@pytest.mark.parametrize(("told", "stands"), [(0.0, 44.0), (30.0, 31.0), (80.0, 78.0)])
def test_taking_over_keeps_the_grippers_command_to_the_point(human, told, stands):
    state, commanded = START.copy(), START.copy()
    state[5], commanded[5] = stands, told

    human.start(state, commanded)
    targets = [human.act(state, 0.1)[5] for _ in range(5)]

    assert targets == [told] * 5
    assert human.gripper_closed is (told < 50)
    press(human, "Space")
    moved = [human.act(state, 0.1)[5] for _ in range(5)][-1]
    assert moved < told if told >= 50 else moved > told


def test_minus_and_equal_change_the_speed_in_steps(human):
    for _ in range(2 * len(SPEEDS)):
        press(human, "Equal")
        press(human)
    assert human.speed == SPEEDS[-1]
    press(human, "Minus")
    press(human, "Minus")
    assert human.speed == SPEEDS[-2]
    for _ in range(2 * len(SPEEDS)):
        press(human)
        press(human, "Minus")
    assert human.speed == SPEEDS[0]


def test_axes_in_the_dead_zone_or_broken_move_nothing(human):
    press(human, axes=[0.1, -0.11, float("nan"), float("inf"), 0.0, 0.05])

    assert human.act(START, 0.1) == pytest.approx(START)


def test_an_axis_pushed_half_moves_slower(human):
    def way(*axes):
        human.start(START)
        press(human, axes=axes)
        return (
            ARM.forward(human.act(START, 0.1)[:5]).position_m[0]
            - ARM.forward(START[:5]).position_m[0]
        )

    assert 0 < way(0.5) < way(1.0)


def test_the_gripper_axis_opens_and_closes(human):
    press(human, axes=[0, 0, 0, 0, 0, -1.0])
    assert human.act(START, 0.1)[5] < 60
    assert human.gripper_closed
    press(human, axes=[0, 0, 0, 0, 0, 1.0])
    assert human.act(START, 0.1)[5] >= 60
    assert not human.gripper_closed


KEYS = st.frozensets(st.sampled_from([*MOTIONS, "Space", "Minus", "Equal", "KeyZ"]), max_size=4)
AXES = st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=7).map(tuple)


@settings(deadline=None)
@given(st.lists(st.tuples(KEYS, AXES, st.floats(0, 0.3)), max_size=25))
def test_no_input_leaves_the_limits_or_runs_ahead_of_the_arm(tmp_path_factory, refreshes):
    human, follower = make_teleop(tmp_path_factory.getbasetemp()), Follower(share=0.4)
    for held, axes, dt_s in refreshes:
        human.feed(held, axes)
        target = human.act(follower.state, dt_s)

        assert np.isfinite(target).all()
        assert (target >= LIMITS.low - 1e-3).all()
        assert (target <= LIMITS.high + 1e-3).all()
        assert np.abs(target - follower.state)[:5].max() <= 8.01
        follower.state += (target - follower.state) * follower.share


def test_another_arm_is_refused(tmp_path):
    human = BrowserTeleop(BrowserTeleopConfig(calibration_dir=tmp_path))

    with pytest.raises(ValueError, match="SO-101"):
        human.bind(("x.vel", "y.vel"), LIMITS)


def test_as_a_lerobot_teleoperator_it_must_know_where_the_arm_is(tmp_path):
    now = iter([0.0, 0.1])
    human = BrowserTeleop(BrowserTeleopConfig(calibration_dir=tmp_path), clock_s=lambda: next(now))
    human.connect()
    with pytest.raises(DeviceNotConnectedError, match="send_feedback"):
        human.get_action()
    human.send_feedback(dict(zip(ACTION_NAMES, START.tolist(), strict=True)))

    still = human.get_action()
    press(human, "ArrowUp")
    moved = human.get_action()

    assert list(still) == list(human.action_features) == list(ACTION_NAMES)
    assert still == pytest.approx(dict(zip(ACTION_NAMES, START.tolist(), strict=True)))
    assert moved != still


def test_stopped_from_its_own_page_it_holds_the_arm_until_it_is_cleared(tmp_path):
    config = BrowserTeleopConfig(calibration_dir=tmp_path, page_port=0, page_token="sesame")
    times = iter(np.arange(0.0, 10.0, 0.05))
    human = browserteleop.BrowserTeleop(config, clock_s=lambda: float(next(times)))
    human.connect()
    pose = dict(zip(ACTION_NAMES, START.tolist(), strict=True))
    human.send_feedback(pose)
    with connect(human.page_url.replace("http://", "ws://").replace("/?", "/keys?")) as socket:

        def say(**message):
            socket.send(json.dumps(message))
            return json.loads(socket.recv(timeout=60))

        say(held=["ArrowUp"])
        assert human.get_action() == pytest.approx(pose), "the first step has no length"
        say(held=["ArrowUp"])
        moved = human.get_action()
        assert moved != pytest.approx(pose)

        say(command="stop")
        say(held=["ArrowUp"])
        # It was on the way to `moved` and had not come there.
        assert human.get_action() == pytest.approx(pose)
        human.send_feedback({**pose, "shoulder_pan.pos": 3.0})
        assert human.get_action() == pytest.approx(pose)

        say(command="clear")
        say(held=[])
        assert human.get_action()["shoulder_pan.pos"] == pytest.approx(0, abs=0.1)
    human.disconnect()
    assert human.page_url == ""
