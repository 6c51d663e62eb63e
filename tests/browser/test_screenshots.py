"""Pictures of every page, for people to look at: `artifacts/screenshots/`.

They also prove that the page fits: nothing is wider than the screen, and on a desktop nothing needs
scrolling.
"""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import ServedPages
from tests.browser.live_page import LivePage
from tests.browser.scripted_actor import ScriptedActor

pytestmark = pytest.mark.browser
OpenPage = Callable[..., Page]
SIZES = [(1440, 900), (1024, 768), (820, 1180)]


@pytest.fixture
def critic_actor(served: ServedPages) -> Iterator[ScriptedActor]:
    actor = ScriptedActor(served.ws_url, served.data_dir, critic=True)
    with contextlib.closing(actor):
        yield actor


def fits(page: Page, *, height: bool) -> None:
    wide, tall = page.evaluate(
        "() => [document.documentElement.scrollWidth - innerWidth,"
        " document.documentElement.scrollHeight - innerHeight]"
    )
    assert wide <= 0, f"the page is {wide} px wider than the screen"
    assert not height or tall <= 0, f"the page is {tall} px higher than the screen"


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_the_live_page_fits_and_is_pictured(
    open_page: OpenPage,
    critic_actor: ScriptedActor,
    screenshots: Path,
    size: tuple[int, int],
    dark: bool,
) -> None:
    width, height = size
    name = f"{width}x{height}-{'dark' if dark else 'light'}"
    live = LivePage(open_page(width=width, height=height, dark=dark))
    page = live.page
    live.says("NO SESSION")
    expect(page.locator("[data-part=robot]")).to_have_value("so101_sim_touch")
    page.screenshot(path=screenshots / f"live-closed-{name}.png")
    fits(page, height=width > 1200)
    live.open_session()
    live.waits_for_pictures()
    live.start()
    page.wait_for_timeout(1500)
    live.take_over()
    page.keyboard.down("ArrowUp")
    page.wait_for_timeout(900)
    page.screenshot(path=screenshots / f"live-human-{name}.png")
    fits(page, height=width > 1200)
    live.press("Escape")
    live.says("STOPPED")
    page.screenshot(path=screenshots / f"live-stopped-{name}.png")
    fits(page, height=width > 1200)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("path", ["/data", "/setup"])
def test_the_other_pages_fit_and_are_pictured(
    open_page: OpenPage, screenshots: Path, path: str, dark: bool
) -> None:
    page = open_page(path=path, dark=dark)
    expect(page.get_by_role("heading", level=2).first).to_be_visible()
    expect(page.locator("[data-part=fact-phase]")).to_be_visible()
    fits(page, height=False)
    page.screenshot(
        path=screenshots / f"{path.strip('/')}-{'dark' if dark else 'light'}.png", full_page=True
    )
