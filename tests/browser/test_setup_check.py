"""A robot on the Setup page: looked over, seen through, changed; and one that is not there."""

import contextlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from backend.robots.config import ROBOTS_DIR
from backend.robots.folders import RobotFolders
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


def test_what_is_cut_out_of_a_live_picture_is_saved_as_a_robot_of_ones_own(
    open_page: OpenPage, served: ServedPages, screenshots: Path, complaints: Complaints
) -> None:
    # The refused save at the end.
    complaints.expected = ("422",)
    page = open_page(path="/setup")
    expect(page.locator("[data-part=file]")).to_contain_text("synthetic.yaml")
    expect(page.locator("[data-part=owner]")).to_have_text("comes with Handrail")
    page.get_by_role("button", name="See them").click()
    card = page.locator(".camera-card").filter(has_text="overhead")
    expect(card.locator("figcaption")).to_have_text("used as it is, 320×240", timeout=CHECK_MS)

    card.scroll_into_view_if_needed()
    box = card.locator(".camera-seen").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 4, box["y"] + box["height"] / 4)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.75, box["y"] + box["height"] * 0.75, steps=3)
    page.mouse.up()
    card.get_by_label("make it width").fill("80")
    card.get_by_label("make it height").fill("61")
    expect(card.get_by_role("alert")).to_have_text("Videos need an even width and height.")
    expect(page.locator("[data-part=save]")).to_be_disabled()
    card.get_by_label("make it height").fill("60")
    expect(card.locator("figcaption")).to_have_text("what is used, 80×60")
    page.locator("#setup-fps").fill("15")
    expect(page.locator("[data-part=changes]")).to_have_text("Not saved: 2 changes.")
    page.screenshot(path=screenshots / "setup-cameras.png", full_page=True)
    page.locator("[data-part=save-name]").fill("bench")
    page.locator("[data-part=save]").click()

    expect(page.locator("[data-part=saved]")).to_contain_text("Saved as")
    expect(page.locator("[data-part=owner]")).to_have_text("your own")
    expect(page.locator("[data-part=list]")).to_contain_text("bench your own")
    config = RobotFolders.of(served.data_dir).load("bench")
    view = config.cameras_view["overhead"]
    assert (config.fps, view.size_px) == (15, (80, 60))
    assert view.crop_px == pytest.approx((80, 60, 160, 120), abs=4)
    page.get_by_role("button", name="Close them").click()
    expect(page.get_by_role("button", name="See them")).to_be_visible()

    page.get_by_role("button", name="Text").click()
    text = page.get_by_role("textbox", name="the config as YAML")
    text.fill(text.input_value().replace("fps: 15", "fps: 1500"))
    page.locator("[data-part=save]").click()
    expect(page.locator("[data-part=config-problem]")).to_contain_text("fps: must be from 1")
    assert RobotFolders.of(served.data_dir).load("bench").fps == 15


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
