"""The Live page on a phone: everything within the thumb's reach, and pads for several fingers."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.browser.live_page import PATIENCE_MS, LivePage
from tests.browser.scripted_actor import ScriptedActor

pytestmark = pytest.mark.browser
OpenPage = Callable[..., Page]
POINTER = """(type, code, finger) => document.querySelector(`[data-code=${code}]`).dispatchEvent(
  new PointerEvent(type, {pointerId: finger, bubbles: true, pointerType: "touch"}))"""


@pytest.fixture
def live(open_page: OpenPage, actor: ScriptedActor) -> LivePage:
    live = LivePage(open_page(width=390, height=844))
    live.lease_button.click()
    live.button("open")
    live.offers("start")
    live.page.locator(".command[data-command=start]").click()
    live.offers("intervene")
    live.page.locator(".command[data-command=intervene]").click()
    live.says("HUMAN DRIVES")
    return live


def test_pictures_pads_commands_and_stop_share_one_screen(
    live: LivePage, screenshots: Path
) -> None:
    page = live.page
    page.screenshot(path=screenshots / "live-phone.png")
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    dock = page.locator(".drive").bounding_box()
    stop = page.locator(".hr-live .stop").bounding_box()
    assert dock is not None
    assert stop is not None
    assert stop["y"] + stop["height"] <= 844
    for code in ("ArrowUp", "KeyR", "KeyT", "KeyE", "Space", "Minus"):
        pad = page.locator(f"[data-code={code}]").bounding_box()
        assert pad is not None
        assert pad["width"] >= 44, f"{code} is too narrow for a finger"
        assert pad["height"] >= 44, f"{code} is too flat for a finger"
        assert pad["y"] + pad["height"] <= dock["y"], f"{code} lies below the commands"
    word = page.locator("[data-part=phase-word]")
    assert word.evaluate("e => e.scrollWidth <= e.clientWidth"), "the phase is cut off"


def test_lifting_one_finger_keeps_what_the_other_holds(
    live: LivePage, actor: ScriptedActor
) -> None:
    page = live.page

    def held(codes: set[str]) -> None:
        deadline_s = time.monotonic() + PATIENCE_MS / 1000
        while not actor.inputs or set(actor.inputs[-1].held) != codes:
            assert time.monotonic() < deadline_s, actor.inputs[-1:]
            page.wait_for_timeout(20)

    def finger(event: str, code: str, number: int) -> None:
        page.evaluate(f"({POINTER})('{event}', '{code}', {number})")

    finger("pointerdown", "ArrowUp", 1)
    finger("pointerdown", "KeyR", 2)
    held({"ArrowUp", "KeyR"})
    finger("pointerup", "KeyR", 2)
    held({"ArrowUp"})
    finger("pointerup", "ArrowUp", 1)
    held(set())
