"""Looking a robot over on the Setup page, with the synthetic robot and one that is not there."""

import contextlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from backend.robots.config import ROBOTS_DIR
from backend.settings import Settings
from tests.browser.conftest import Complaints, ServedPages
from tests.browser.live_page import LivePage
from tests.browser.scripted_actor import ScriptedActor

pytestmark = pytest.mark.browser
OpenPage = Callable[..., Page]
# A check imports LeRobot, which takes its time.
CHECK_MS = 90_000


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedPages]:
    folder = tmp_path_factory.mktemp("setup")
    robots_dir = folder / "robots"
    robots_dir.mkdir()
    # The list of robots is that of the repository; what is checked is found here.
    shutil.copy(ROBOTS_DIR / "synthetic.yaml", robots_dir)
    text = (ROBOTS_DIR / "so101.yaml").read_text().replace("/dev/ttyACM", "/dev/none")
    (robots_dir / "so101.yaml").write_text(text)
    settings = Settings(
        data_dir=folder / "data", port=0, actor=False, robots_dir=robots_dir, robot="synthetic"
    )
    with contextlib.closing(ServedPages(settings)) as served:
        yield served


def test_a_check_says_that_a_robot_may_move_and_shows_what_it_sees(
    open_page: OpenPage, screenshots: Path
) -> None:
    page = open_page(path="/setup")
    verdict = page.locator("[data-part=verdict]")
    expect(verdict).to_have_text("Not checked yet.")

    page.get_by_role("button", name="Check it").click()

    expect(page.locator("[data-part=progress]")).to_contain_text("…")
    expect(page.get_by_role("button", name="Check it")).to_be_disabled()
    expect(verdict).to_contain_text("It may move", timeout=CHECK_MS)
    expect(page.locator(".check-finding")).to_have_count(3)
    picture = page.get_by_role("img", name="what overhead sees")
    expect(picture).to_be_visible()
    before = picture.get_attribute("src")
    page.get_by_role("button", name="New pictures").click()
    expect(picture).not_to_have_attribute("src", before or "", timeout=CHECK_MS)
    expect(page.locator(".check-finding")).to_have_count(3)
    page.screenshot(path=screenshots / "setup-check.png", full_page=True)


def test_what_must_be_remedied_comes_first_with_what_to_do(
    open_page: OpenPage, screenshots: Path
) -> None:
    page = open_page(path="/setup", width=390, height=844)
    page.locator("select[data-part=robot]").select_option("so101")

    page.get_by_role("button", name="Check it").click()

    verdict = page.locator("[data-part=verdict]")
    expect(verdict).to_contain_text("It may not move yet", timeout=CHECK_MS)
    first = page.locator(".check-finding").first
    expect(first).to_contain_text("must be remedied")
    expect(page.locator(".check-findings")).to_contain_text("plug the arm's USB cable in")
    page.reload()
    expect(page.locator("select[data-part=robot]")).to_have_value("synthetic")
    page.locator("select[data-part=robot]").select_option("so101")
    expect(verdict).to_contain_text("It may not move yet")
    page.screenshot(path=screenshots / "setup-check-phone.png", full_page=True)


def test_an_open_session_is_not_disturbed(
    open_page: OpenPage, actor: ScriptedActor, complaints: Complaints
) -> None:
    complaints.expected = ("409",)
    live = LivePage(open_page())
    live.lease_button.click()
    live.page.locator("[data-command=open]").click()
    live.offers("start")
    page = open_page(path="/setup")

    page.get_by_role("button", name="Check it").click()

    expect(page.locator("[data-part=verdict]")).to_contain_text(
        "Close the session on the Live page"
    )
