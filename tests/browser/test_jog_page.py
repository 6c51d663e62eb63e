"""The page of the jog keys alone, in the browser."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from backend.robots.jog_page import JogPage
from tests.browser.live_page import PATIENCE_MS

pytestmark = pytest.mark.browser


@pytest.fixture
def jog() -> Iterator[JogPage]:
    jog = JogPage(host="127.0.0.1", port=0, token="sesame", clock_s=time.monotonic)
    yield jog
    jog.close()


@pytest.fixture
def page(browser: Browser, jog: JogPage) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True)
    errors: list[str] = []
    page = context.new_page()
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(jog.url)
    page.mouse.click(5, 5)
    expect(page.locator("[data-part=state]")).to_have_text("You drive.", timeout=PATIENCE_MS)
    yield page
    context.close()
    assert errors == []


def wait_held(jog: JogPage, wanted: set[str], page: Page) -> None:
    def last() -> set[str] | None:
        inputs, _ = jog.take()
        return set(inputs[-1][0]) if inputs else None

    _wait(page, lambda: last() == wanted)


def _wait(page: Page, check: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + PATIENCE_MS / 1000
    while not check():
        assert time.monotonic() < deadline_s
        page.wait_for_timeout(20)


def test_keys_and_pads_are_held_for_as_long_as_they_are_pressed(
    jog: JogPage, page: Page, screenshots: Path
) -> None:
    page.keyboard.down("ArrowUp")
    wait_held(jog, {"ArrowUp"}, page)
    pad = page.locator("[data-code=KeyR]").bounding_box()
    assert pad is not None
    page.mouse.move(pad["x"] + 10, pad["y"] + 10)
    page.mouse.down()
    wait_held(jog, {"ArrowUp", "KeyR"}, page)
    page.screenshot(path=screenshots / "jog-phone.png")
    page.mouse.up()
    page.keyboard.up("ArrowUp")
    wait_held(jog, set(), page)
    overflow = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert overflow <= 0


def test_losing_the_focus_lets_go(jog: JogPage, page: Page) -> None:
    page.keyboard.down("KeyF")
    wait_held(jog, {"KeyF"}, page)

    page.evaluate("window.dispatchEvent(new Event('blur'))")

    wait_held(jog, set(), page)
    expect(page.locator("[data-part=state]")).to_have_text("Keys inactive: click here.")


def test_escape_stops_and_only_the_button_clears_it(
    jog: JogPage, page: Page, screenshots: Path
) -> None:
    state = page.locator("[data-part=state]")
    page.keyboard.down("ArrowUp")
    wait_held(jog, {"ArrowUp"}, page)

    page.keyboard.press("Escape")

    expect(state).to_contain_text("STOPPED")
    assert jog.is_stopped
    assert jog.take()[0] == []
    page.screenshot(path=screenshots / "jog-stopped.png")
    page.locator("[data-part=clear]").click()
    expect(state).to_have_text("You drive.")
    # The key that was down all the time moves nothing.
    wait_held(jog, set(), page)
    page.keyboard.up("ArrowUp")


def test_a_page_that_no_longer_drives_can_still_stop(jog: JogPage, page: Page) -> None:
    another = page.context.new_page()
    another.goto(jog.url)
    expect(page.locator("[data-part=state]")).to_contain_text("Another page drives now")

    page.locator("[data-part=stop]").click()

    _wait(page, lambda: jog.is_stopped)
    expect(page.locator("[data-part=state]")).to_contain_text("STOPPED")
