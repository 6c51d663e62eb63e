"""The first evening in Chromium: examples are offered and loaded, the tour leads around once."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

import backend.main
from backend.sandbox.bundle import Sandbox
from backend.settings import Settings
from tests.browser.conftest import ServedPages
from tests.sandbox.example_bundle import make_bundle

pytestmark = pytest.mark.browser

OpenPage = Callable[..., Page]
# A whole page, on a machine with other work.
PAGE_MS = 30_000


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedPages]:
    folder = tmp_path_factory.mktemp("tour")
    bundle = make_bundle(folder / "bundle")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            backend.main,
            "Sandbox",
            lambda database, data_dir, *, wanted: Sandbox(
                database, data_dir, wanted=wanted, bundle=bundle
            ),
        )
        settings = Settings(data_dir=folder / "data", port=0, actor=False, sandbox=True)
        with contextlib.closing(ServedPages(settings)) as served:
            yield served


def test_examples_are_loaded_on_request_and_the_tour_is_closed_for_good(
    open_page: OpenPage, screenshots: Path
) -> None:
    page = open_page(path="/review")
    card = page.get_by_role("complementary", name="First steps")
    expect(card.get_by_role("heading")).to_have_text("Nothing is recorded yet")
    page.screenshot(path=screenshots / "tour-offer.png")

    card.get_by_role("button", name="Load the examples").click()

    # The page comes again, with the episodes in it.
    expect(card.get_by_text("First steps, 1 of 4")).to_be_visible(timeout=PAGE_MS)
    steps = [("Next", "/", "2 of 4"), ("Next", "/review", "3 of 4"), ("Back", "/", "2 of 4")]
    for button, path, count in steps:
        card.get_by_role("button", name=button).click()
        expect(card.get_by_text(count)).to_be_visible(timeout=PAGE_MS)
        assert urlsplit(page.url).path == path
    page.screenshot(path=screenshots / "tour-live.png")

    # On a tablet the commands are at the bottom: the card stands above them.
    page.set_viewport_size({"width": 820, "height": 1180})
    shown, commands = card.bounding_box(), page.locator(".drive").bounding_box()
    assert shown is not None
    assert commands is not None
    assert shown["y"] + shown["height"] <= commands["y"]

    card.get_by_role("button", name="Make small").click()
    expect(card.get_by_role("heading")).to_be_hidden()
    page.screenshot(path=screenshots / "tour-small.png")
    card.get_by_role("button", name="First steps, 2 of 4").click()

    card.get_by_role("button", name="Close for good").click()
    expect(card).to_be_hidden()
    with page.expect_response("**/api/sandbox"):
        page.reload()
    expect(page.get_by_text("Critic and driver")).to_be_visible()
    expect(card).to_be_hidden()
