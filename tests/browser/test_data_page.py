"""The Data and Setup pages on a server of their own."""

import contextlib
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from backend.db.engine import open_database, sqlite_url
from backend.domain import Driver, Outcome
from backend.intake import reconcile
from backend.settings import Settings
from tests.browser.conftest import Complaints, ServedPages
from tests.browser.drawn_take import CAMERAS, DrawnTake, Scene
from tests.browser.test_screenshots import fits
from tests.episodes.episode_fixtures import STARTED_S, make_header, record
from tests.jobs.train_fixtures import write_dataset

pytestmark = pytest.mark.browser
OpenPage = Callable[..., Page]
# An export imports LeRobot, which takes its time on a busy machine.
JOB_MS = 120_000


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedPages]:
    settings = Settings(data_dir=tmp_path_factory.mktemp("data") / "data", port=0, actor=False)
    with contextlib.closing(ServedPages(settings)) as served:
        yield served


def opened(page: Page) -> Page:
    """The page, once it knows its datasets; on a busy machine that takes a while."""
    expect(page.locator(".dk-main .dk-panel:visible").last).to_be_visible(timeout=30_000)
    return page


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
    page = opened(open_page(path="/data"))

    expect(page.get_by_text("Nothing recorded yet")).to_be_visible()
    expect(page.get_by_text("No dataset yet")).to_be_visible()
    expect(page.get_by_role("button", name="Recover")).to_be_hidden()
    page.get_by_role("button", name="Export", exact=True).click()
    dry_run = page.get_by_label("Dry run")
    expect(dry_run).to_contain_text("Record and grade an attempt on the Live page")
    expect(dry_run.get_by_role("button", name="Export")).to_be_disabled()
    page.get_by_role("button", name="Import", exact=True).click()
    expect(dry_run).to_contain_text("There is no dataset in the data directory")
    page.get_by_role("button", name="Trash").click()
    expect(page.get_by_text("The trash is empty")).to_be_visible()


def test_a_killed_take_is_recovered_or_discarded_by_hand(
    open_page: OpenPage, served: ServedPages
) -> None:
    killed_take(served.data_dir / "episodes", steps=45)
    time.sleep(0.01)
    discarded = killed_take(served.data_dir / "episodes", steps=30)
    page = opened(open_page(path="/data"))
    expect(page.get_by_text("2 unfinished takes")).to_be_visible()
    page.get_by_role("button", name="Recover").first.click()
    expect(page.get_by_text("1 unfinished take", exact=True)).to_be_visible()
    page.get_by_role("button", name="Discard").click()
    expect(page.get_by_text("unfinished take")).to_be_hidden()

    table = page.locator(".da-episodes")
    expect(table).to_contain_text("recovered")
    expect(table).to_contain_text("– no grade")
    assert (served.data_dir / "discarded" / discarded).is_dir()


def test_a_dataset_is_checked_and_imported_and_its_episodes_appear(
    open_page: OpenPage, served: ServedPages, screenshots: Path
) -> None:
    rewards = [0.0] * 29 + [1.0] + [0.0] * 28
    write_dataset(served.data_dir / "datasets/ana/pick", (30, 28), columns={"next.reward": rewards})
    page = opened(open_page(path="/data?view=import"))
    page.get_by_label("a folder of the server").check()
    page.get_by_placeholder("/data/lerobot/owner/name").fill(
        str(write_dataset(served.data_dir.parent / "elsewhere/set"))
    )
    expect(page.get_by_label("Dry run")).to_contain_text("21 at 10 Hz", timeout=20_000)
    expect(page.get_by_label("Dry run")).to_contain_text("Nothing in it says how")
    page.get_by_role("button", name="Check its health first").click()
    findings = page.get_by_label("Findings")
    expect(findings).to_contain_text("Nothing says how its episodes ended", timeout=JOB_MS)
    page.get_by_role("button", name="ana/pick").click()
    expect(page.locator(".dk-facts").first).to_contain_text("overhead, wrist")
    page.get_by_role("button", name="Check its health", exact=True).click()
    expect(findings).to_contain_text("meta/tasks.parquet is missing", timeout=JOB_MS)
    expect(findings.locator("li").first).to_contain_text("broken")
    expect(findings).to_contain_text("Copy the dataset again")
    expect(page.locator(".dk-run")).to_contain_text("1 broken")
    page.screenshot(path=screenshots / "data-health-light.png")
    fits(page, height=True)

    page.get_by_role("button", name="Import into the store").click()
    dry_run = page.get_by_label("Dry run")
    expect(dry_run).to_contain_text("58 at 10 Hz")
    expect(dry_run).to_contain_text("1 ✓ success, 1 ✗ failure")
    dry_run.get_by_role("button", name="Import").click()
    line = page.locator(".da-job[data-kind=import]")
    expect(line).to_have_attribute("data-state", "done", timeout=JOB_MS)
    expect(line).to_contain_text("2 episodes imported")
    expect(dry_run).to_contain_text("Everything is in the store already")
    line.get_by_role("button", name="Open").click()
    expect(page.get_by_label("Lineage")).to_contain_text("imported into the store")
    page.get_by_role("button", name="Episodes", exact=True).click()
    page.get_by_label("search").fill("ana/pick")
    table = page.locator(".da-episodes tbody tr")
    expect(table).to_have_count(2)
    expect(table.first).to_contain_text("imported")
    page.reload()
    expect(page.locator(".da-episodes")).to_contain_text("✓ success")


def test_graded_attempts_are_filtered_and_exported_after_a_dry_run(
    open_page: OpenPage, served: ServedPages, complaints: Complaints, screenshots: Path
) -> None:
    complaints.expected = ("status of 422",)
    for number, outcome in enumerate((Outcome.SUCCESS, Outcome.FAILURE)):
        header = make_header(f"graded-{number}", started_s=STARTED_S + 60 * number)
        record(served.data_dir / "episodes", header, outcome=outcome)
    with contextlib.closing(open_database(sqlite_url(served.data_dir))) as database:
        reconcile(database, served.data_dir)
    page = opened(open_page(path="/data"))
    table = page.locator(".da-episodes")
    expect(table).to_contain_text("✗ failure")
    page.get_by_label("outcome").select_option("success")
    page.get_by_label("search").fill("so101_sim")
    expect(table).not_to_contain_text("✗ failure")
    expect(page.get_by_text("1 of 1 episode")).to_be_visible()
    page.get_by_role("button", name="Export these").click()
    dry_run = page.get_by_label("Dry run")
    expect(dry_run).to_contain_text("25 at 10 Hz")
    expect(dry_run).to_contain_text("1 episode")
    expect(dry_run).to_contain_text("next.reward")
    assert not (served.data_dir / "datasets/local/first").exists()
    page.get_by_text("Columns besides").click()
    page.get_by_label("next.truncated").uncheck()
    expect(dry_run).not_to_contain_text("next.truncated")
    dry_run.get_by_role("button", name="Export").click()
    line = page.locator(".da-job[data-kind=export]")
    expect(line).to_have_attribute("data-state", "done", timeout=JOB_MS)
    expect(line).to_contain_text("verified")
    expect(dry_run).to_contain_text("exists already")
    expect(dry_run.get_by_role("button", name="Export")).to_be_disabled()
    page.get_by_label("replace the dataset").check()
    expect(dry_run.get_by_role("button", name="Export")).to_be_enabled()

    line.get_by_role("button", name="Open").click()
    expect(page.get_by_label("Lineage")).to_contain_text("1 recorded episode")
    expect(page.locator(".dk-command").first).to_contain_text('LeRobotDataset("local/first"')
    expect(page.get_by_text("read back with LeRobot and compared")).to_be_visible()
    page.screenshot(path=screenshots / "data-exported-light.png")
    assert (served.data_dir / "datasets/local/first/meta/info.json").is_file()


def test_episodes_are_watched_without_a_critic_all_cameras_in_step(
    open_page: OpenPage, screenshots: Path
) -> None:
    page = open_page(path="/replay?q=ana/pick")
    cards = page.locator(".rp-card")
    expect(cards).to_have_count(2, timeout=30_000)
    expect(cards.first.locator("video")).to_have_count(2)
    expect(page.get_by_role("combobox", name="critic", exact=True)).to_have_value("cameras")
    expect(page.locator(".rp-make")).to_have_text("2 episodes")
    cards.first.click()
    players = page.locator(".rp-cameras video")
    expect(players).to_have_count(2)
    page.wait_for_function(
        "() => [...document.querySelectorAll('.rp-cameras video')].every(v => v.readyState >= 2)"
    )
    if page.get_by_role("button", name="Pause").is_visible():
        page.keyboard.press("Space")
    page.keyboard.press("Home")
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    expect(page.locator(".rp-frame")).to_have_text(re.compile("step 5 of"))
    times = players.evaluate_all("videos => videos.map(v => v.currentTime)")
    assert times == pytest.approx([0.55, 0.55])
    with page.expect_download() as download:
        page.get_by_role("link", name="Download wrist").click()
    assert download.value.suggested_filename.endswith("-wrist.mp4")
    link = page.evaluate("location.pathname + location.search")
    again = open_page("Ben", path=link, dark=True)
    expect(again.locator(".rp-cameras video")).to_have_count(2, timeout=30_000)
    again.screenshot(path=screenshots / "replay-cameras-dark.png")


def test_a_dataset_goes_to_the_trash_and_comes_back(
    open_page: OpenPage, served: ServedPages
) -> None:
    write_dataset(served.data_dir / "datasets/ana/bin")
    page = opened(open_page(path="/data?dataset=ana/bin"))
    page.get_by_role("button", name="Move to trash").click()
    page.get_by_role("button", name="Move it").click()
    expect(page.locator(".da-take-list")).to_contain_text("ana/bin")
    assert not (served.data_dir / "datasets/ana/bin").exists()
    page.get_by_role("button", name="Restore").click()
    expect(page.get_by_role("heading", name="ana/bin")).to_be_visible()
    assert (served.data_dir / "datasets/ana/bin/meta/info.json").is_file()


def test_what_a_viewer_may_not_do_is_grey_and_says_why(
    open_page: OpenPage, served: ServedPages
) -> None:
    write_dataset(served.data_dir / "datasets/ana/seen")
    page = open_page(path="/setup")

    def as_viewer(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, json={**answer.json(), "role": "viewer"})

    page.route("**/api/datasets", as_viewer)
    page.goto(served.url + "/data?dataset=ana/seen")
    opened(page)
    for name in ("Import into the store", "Move to trash", "Check its health"):
        button = page.get_by_role("button", name=name)
        expect(button).to_be_disabled()
        expect(button).to_have_attribute("title", re.compile("takes the role .*; you are viewer"))
    page.get_by_text("Push to the Hugging Face Hub").click()
    page.get_by_label("name on the Hub").fill("ana/touch")
    push = page.locator(".da-push")
    expect(push).to_contain_text("go to https://huggingface.co/datasets/ana/touch, private")
    expect(push).to_contain_text("takes the role admin; you are viewer")
    expect(page.get_by_role("button", name="Push to the Hub", exact=True)).to_be_disabled()


def test_setup_names_the_robots_and_both_key_profiles(open_page: OpenPage) -> None:
    page = open_page(path="/setup")
    expect(page.get_by_text("so101_sim_touch").first).to_be_visible()
    page.get_by_text("LeRobot profile").click()

    expect(page.get_by_text("end without a grade, then start again")).to_be_visible()
    expect(page.get_by_text("does not replace the robot's emergency stop")).to_be_visible()
