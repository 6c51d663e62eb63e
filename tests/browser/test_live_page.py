"""The Live page alone, with an actor that has no robot."""

import time
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from backend.domain import Command, Phase
from tests.browser.live_page import PATIENCE_MS, LivePage
from tests.browser.scripted_actor import ScriptedActor

pytestmark = pytest.mark.browser
OpenPage = Callable[..., Page]


@pytest.fixture
def live(actor: ScriptedActor, open_page: OpenPage) -> LivePage:
    return LivePage(open_page())


def until(condition: Callable[[], bool], page: LivePage, what: str) -> None:
    """Let the page run until `condition` holds."""
    end_s = time.monotonic() + PATIENCE_MS / 1000
    while not condition():
        assert time.monotonic() < end_s, f"waited {PATIENCE_MS / 1000} s for: {what}"
        page.page.wait_for_timeout(20)


def commands(actor: ScriptedActor) -> list[Command]:
    return [message.command for message in actor.commands]


def test_an_attempt_runs_from_open_to_success_by_keyboard(
    live: LivePage, actor: ScriptedActor
) -> None:
    live.open_session()
    live.waits_for_pictures()
    live.start()
    assert live.label_of("intervene") == "Take over"
    live.take_over()
    assert live.label_of("intervene") == "Give back"
    live.page.keyboard.down("ArrowUp")
    until(lambda: actor.inputs[-1].held == ["ArrowUp"], live, "the arrow at the actor")
    live.page.keyboard.up("ArrowUp")
    until(lambda: actor.inputs[-1].held == [], live, "the release at the actor")
    live.press("1")

    expect(live.banner).to_contain_text("SUCCESS")
    expect(live.banner).to_be_hidden(timeout=3000)
    live.says("READY")
    assert commands(actor) == [
        Command.OPEN,
        Command.START,
        Command.INTERVENE,
        Command.SUCCESS,
    ]


def test_only_possible_commands_are_bright(live: LivePage) -> None:
    live.says("NO SESSION")
    live.refuses("start")
    live.open_session()
    live.offers("start")
    live.refuses("success")
    live.start()
    live.offers("success")
    live.refuses("start")


def test_a_held_key_is_refreshed_as_a_level_at_twenty_hertz_or_more(
    live: LivePage, actor: ScriptedActor
) -> None:
    live.open_session()
    live.start()
    live.take_over()
    live.page.keyboard.down("KeyR")
    until(lambda: actor.inputs[-1].held == ["KeyR"], live, "the key at the actor")
    first = len(actor.inputs)
    live.page.wait_for_timeout(1000)

    assert len(actor.inputs) - first >= 20
    assert all(message.held == ["KeyR"] for message in actor.inputs[first:])


def test_losing_the_focus_releases_the_keys_then_holds_and_focus_brings_it_back(
    live: LivePage, actor: ScriptedActor
) -> None:
    live.open_session()
    live.start()
    live.take_over()
    live.page.keyboard.down("ArrowLeft")
    until(lambda: actor.inputs[-1].held == ["ArrowLeft"], live, "the arrow at the actor")
    live.lose_focus()
    until(lambda: actor.inputs[-1].held == [], live, "the release at the actor")

    expect(live.inactive).to_have_text("Keys inactive: click here")
    live.says("HELD")
    expect(live.phase_note).to_contain_text("went silent")
    live.page.keyboard.up("ArrowLeft")
    live.regain_focus()
    live.says("HUMAN DRIVES")
    expect(live.inactive).to_be_hidden()


def test_clicking_buttons_leaves_the_keys_active(live: LivePage, actor: ScriptedActor) -> None:
    live.open_session()
    live.button("start")
    live.says("POLICY DRIVES")
    live.button("intervene")
    live.says("HUMAN DRIVES")
    came = len(actor.inputs)
    live.page.wait_for_timeout(1300)

    expect(live.inactive).to_be_hidden()
    assert len(actor.inputs) > came + 20
    assert actor.phase is Phase.HUMAN


def test_without_focus_a_policy_drives_on(live: LivePage, actor: ScriptedActor) -> None:
    live.open_session()
    live.start()
    live.lose_focus()
    expect(live.inactive).to_be_visible()
    came = len(actor.inputs)
    live.page.wait_for_timeout(1300)

    assert actor.phase is Phase.POLICY
    assert len(actor.inputs) > came + 20


def test_typing_in_the_task_box_sends_nothing_but_stop(
    live: LivePage, actor: ScriptedActor
) -> None:
    live.open_session()
    live.start()
    live.take_over()
    before = commands(actor)
    live.task.click()
    live.page.keyboard.type("5 1 0 2 rfqe zz?")
    until(lambda: actor.inputs[-1].held == [], live, "nothing held")

    assert commands(actor) == before
    assert all(message.held == [] for message in actor.inputs)
    live.press("Escape")
    live.says("STOPPED")


def test_the_task_of_the_box_goes_with_the_start(live: LivePage, actor: ScriptedActor) -> None:
    live.open_session()
    live.task.fill("Lift the red cube")
    live.task.press("Enter")
    live.start()

    assert actor.commands[-1].params == {"task": "Lift the red cube"}


def test_key_repeat_is_one_command(live: LivePage, actor: ScriptedActor) -> None:
    live.open_session()
    live.start()
    live.page.keyboard.down("5")
    for _ in range(5):
        live.page.keyboard.down("5")
    live.says("HUMAN DRIVES")
    live.page.keyboard.up("5")

    assert commands(actor).count(Command.INTERVENE) == 1


def test_the_digits_of_the_numpad_command_too(live: LivePage, actor: ScriptedActor) -> None:
    live.open_session()
    live.press("Numpad2")
    live.says("POLICY DRIVES")
    live.press("Numpad5")
    live.says("HUMAN DRIVES")


def test_stop_latches_until_it_is_cleared(live: LivePage, actor: ScriptedActor) -> None:
    live.open_session()
    live.start()
    live.press("Escape")
    live.says("STOPPED")
    live.press("5")
    expect(live.toasts).to_contain_text("not possible while stopped")
    assert actor.phase is Phase.STOPPED
    live.button("clear")
    live.says("HELD")
    assert live.label_of("start") == "Policy goes on"
    live.press("2")
    live.says("POLICY DRIVES")


def test_a_second_browser_sees_everything_and_drives_nothing(
    live: LivePage, actor: ScriptedActor, open_page: OpenPage
) -> None:
    live.open_session()
    live.start()
    live.take_over()
    other = LivePage(open_page("Ben"))
    other.says("HUMAN DRIVES")
    other.waits_for_pictures()
    other.lease_says("Viewing · Ana drives")
    before = commands(actor)
    other.press("1", "5")
    expect(other.toasts).to_contain_text("Ana drives")
    other.page.keyboard.down("ArrowDown")
    came = len(actor.inputs)
    until(lambda: len(actor.inputs) > came + 10, live, "more refreshes of the holder")

    assert commands(actor) == before
    assert all(message.held == [] for message in actor.inputs[came:])


def test_a_viewer_can_stop_the_robot(
    live: LivePage, actor: ScriptedActor, open_page: OpenPage
) -> None:
    live.open_session()
    live.start()
    other = LivePage(open_page("Ben"))
    other.says("POLICY DRIVES")
    other.button("stop")
    other.says("STOPPED")
    live.says("STOPPED")
    expect(live.phase_note).to_contain_text("Ben")


def test_the_lease_is_asked_for_and_handed_over(live: LivePage, open_page: OpenPage) -> None:
    live.open_session()
    other = LivePage(open_page("Ben"))
    other.lease_says("Viewing · Ana drives")
    other.lease_button.click()
    live.toasts.get_by_role("button", name="Hand over").click()
    other.lease_says("You hold the lease · Ben")
    live.lease_says("Viewing · Ben drives")


def test_a_camera_that_stands_still_is_called_frozen(live: LivePage, actor: ScriptedActor) -> None:
    live.open_session()
    live.waits_for_pictures()
    actor.frozen.set()
    tile = live.page.locator(".cam").first
    expect(tile).to_have_attribute("data-state", "frozen", timeout=3000)
    expect(tile.locator(".cam-frozen")).to_contain_text("frozen")
    actor.frozen.clear()
    expect(tile).to_have_attribute("data-state", "live", timeout=3000)


def test_one_key_enlarges_a_camera_and_the_next_and_all(live: LivePage) -> None:
    live.open_session()
    live.waits_for_pictures()
    big = live.page.locator(".cam[data-big=yes] .cam-name")
    live.press("z")
    expect(big).to_have_text("overhead")
    live.press("z")
    expect(big).to_have_text("wrist")
    live.press("z")
    expect(big).to_have_count(0)


def test_a_hidden_page_stops_acknowledging_pictures_and_goes_on_when_shown(
    live: LivePage,
) -> None:
    live.open_session()
    live.waits_for_pictures()
    live.page.evaluate(
        "() => { Object.defineProperty(document, 'hidden', {value: true, configurable: true});"
        " document.dispatchEvent(new Event('visibilitychange')) }"
    )
    live.page.wait_for_timeout(500)
    hidden = live.frames()
    live.page.wait_for_timeout(700)
    assert live.frames() == hidden
    live.page.evaluate(
        "() => { delete document.hidden; document.dispatchEvent(new Event('visibilitychange')) }"
    )
    until(lambda: live.frames() > hidden + 5, live, "pictures after being shown again")


def test_the_lerobot_profile_has_its_keys_and_a_gripper_key_of_its_own(
    live: LivePage, actor: ScriptedActor
) -> None:
    live.open_session()
    live.press("?")
    live.help.locator("select").select_option("lerobot")
    live.press("Escape")
    expect(live.help).to_be_hidden()
    assert (live.key_of("intervene"), live.key_of("success"), live.key_of("failure")) == (
        "Space",
        "S",
        "Esc",
    )
    live.start("Enter")
    live.take_over("Space")
    live.page.keyboard.down("v")
    until(lambda: actor.inputs[-1].held == ["Space"], live, "the gripper at the actor")
    live.page.keyboard.up("v")
    live.press("s")
    live.says("READY")
    live.start("n")
    live.press("Escape")
    live.says("READY")
    assert commands(actor)[-1] is Command.FAILURE
    live.start("n")
    live.press("r")
    until(lambda: commands(actor)[-2:] == [Command.ABORT, Command.START], live, "a new start")
    live.says("POLICY DRIVES")
    live.press("Control+Escape")
    live.says("STOPPED")


def test_keys_of_the_picture_can_be_pressed_by_finger(live: LivePage, actor: ScriptedActor) -> None:
    live.open_session()
    live.start()
    live.take_over()
    cap = live.page.locator(".cap[data-code=ArrowRight]")
    cap.hover()
    live.page.mouse.down()
    until(lambda: actor.inputs[-1].held == ["ArrowRight"], live, "the arrow at the actor")
    expect(cap).to_have_attribute("data-held", "yes")
    live.page.mouse.up()
    until(lambda: actor.inputs[-1].held == [], live, "the release at the actor")


def test_a_gamepad_drives_and_unplugging_it_holds(live: LivePage, actor: ScriptedActor) -> None:
    live.open_session()
    live.start()
    live.take_over()
    live.page.evaluate(
        """() => {
          window.pad = {index: 0, id: 'Test pad', connected: true, axes: [0, -1, 0, 0],
            buttons: Array.from({length: 17}, () => ({pressed: false, value: 0}))};
          navigator.getGamepads = () => [window.pad];
        }"""
    )
    until(lambda: actor.inputs[-1].axes[:2] == [1.0, 0.0], live, "the stick at the actor")
    live.page.evaluate("() => { window.pad = null }")
    until(lambda: not any(actor.inputs[-1].axes), live, "the release at the actor")
    live.says("HELD")
    expect(live.toasts).to_contain_text("unplugged")
    live.press("ArrowUp")
    live.says("HUMAN DRIVES")


def test_grades_are_counted_and_can_be_undone(live: LivePage) -> None:
    live.open_session()
    live.start()
    live.press("1")
    live.says("READY")
    successes = live.page.locator("[data-part=count-success]")
    expect(successes).to_have_text("1")
    expect(live.page.locator("[data-part=count-rate]")).to_have_text("100 %")
    live.press("Control+z")
    expect(live.toasts).to_contain_text("taken back")
    expect(successes).to_have_text("0")
    expect(live.page.locator("[data-part=last-text]")).to_contain_text("1 without a grade")
