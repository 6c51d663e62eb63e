"""The Data and Setup pages on a server of their own."""

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from backend.domain import Driver
from backend.settings import Settings
from tests.browser.conftest import ServedPages
from tests.browser.drawn_take import CAMERAS, DrawnTake, Scene
from tests.browser.live_page import LivePage
from tests.browser.scripted_actor import ScriptedActor

pytestmark = pytest.mark.browser
OpenPage = Callable[..., Page]
# An export imports LeRobot, which takes its time.
EXPORT_MS = 120_000


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedPages]:
    settings = Settings(data_dir=tmp_path_factory.mktemp("data") / "data", port=0, actor=False)
    with contextlib.closing(ServedPages(settings)) as served:
        yield served


def killed_take(episodes_dir: Path, *, steps: int) -> str:
    """A folder as a killed recorder leaves it; returns its id."""
    take = DrawnTake(
        episodes_dir,
        session_id="gone",
        number=1,
        robot="so101_sim_touch",
        task="Touch the red cube",
        fps=20.0,
    )
    scene = Scene()
    for _ in range(steps):
        scene.move(Driver.POLICY, [])
        pictures = [scene.picture(camera) for camera in range(len(CAMERAS))]
        take.add(Driver.POLICY, scene.state, pictures)
    take.abandon()
    return take.header.id


def test_an_empty_page_says_what_to_do(open_page: OpenPage) -> None:
    page = open_page(path="/data")

    expect(page.get_by_text("Nothing recorded yet")).to_be_visible()
    expect(page.get_by_text("No export has run yet")).to_be_visible()
    expect(page.get_by_role("button", name="Recover")).to_be_hidden()


def test_a_killed_take_is_recovered_or_discarded_by_hand(
    open_page: OpenPage, served: ServedPages
) -> None:
    killed_take(served.data_dir / "episodes", steps=45)
    time.sleep(0.01)
    discarded = killed_take(served.data_dir / "episodes", steps=30)
    page = open_page(path="/data")
    expect(page.get_by_text("2 unfinished takes")).to_be_visible()
    page.get_by_role("button", name="Recover").click()
    expect(page.get_by_text("1 unfinished take", exact=True)).to_be_visible()
    page.get_by_role("button", name="Discard").click()
    expect(page.get_by_text("unfinished take")).to_be_hidden()
    page.get_by_role("button", name="Refresh").click()

    table = page.locator(".hr-table")
    expect(table).to_contain_text("recovered")
    expect(table).to_contain_text("– no grade")
    assert (served.data_dir / "discarded" / discarded).is_dir()


def test_graded_attempts_are_listed_filtered_and_exported(
    open_page: OpenPage, served: ServedPages, screenshots: Path
) -> None:
    with contextlib.closing(ScriptedActor(served.ws_url, served.data_dir)):
        live = LivePage(open_page())
        live.open_session()
        for grade in "10":
            live.start()
            live.page.wait_for_timeout(700)
            live.take_over()
            live.page.wait_for_timeout(300)
            live.press(grade)
            live.says("READY")
    page = open_page(path="/data")
    table = page.locator(".hr-table")
    expect(table).to_contain_text("✓ success")
    expect(table).to_contain_text("✗ failure")
    page.get_by_label("outcome").click()
    page.get_by_role("option", name="✓ success").click()
    expect(table).not_to_contain_text("✗ failure")
    expect(page.get_by_text("1 of 1 episode")).to_be_visible()
    page.get_by_label("those of the filter").click()
    page.get_by_role("button", name="Dry run").click()
    expect(page.get_by_text("at 20 Hz")).to_be_visible()
    page.get_by_role("button", name="Export").click()
    expect(page.locator(".hr-job")).to_have_attribute("data-state", "done", timeout=EXPORT_MS)
    page.screenshot(path=screenshots / "data-exported-light.png", full_page=True)

    code = page.locator(".cm-content").inner_text()
    assert 'LeRobotDataset("local/first"' in code
    assert (served.data_dir / "datasets/local/first/meta/info.json").is_file()


def test_a_second_export_of_that_name_is_refused_with_the_remedy(open_page: OpenPage) -> None:
    page = open_page(path="/data")
    page.get_by_role("button", name="Export").click()

    expect(page.get_by_text("exists already")).to_be_visible()


def test_setup_names_the_robots_and_both_key_profiles(open_page: OpenPage) -> None:
    page = open_page(path="/setup")
    expect(page.get_by_text("so101_sim_touch").first).to_be_visible()
    page.get_by_text("LeRobot profile").click()

    expect(page.get_by_text("end without a grade, then start again")).to_be_visible()
    expect(page.get_by_text("does not replace the robot's emergency stop")).to_be_visible()
