"""Training and Replay on a server of their own: real jobs train, score and draw on drawn episodes.

The tests follow each other: what the first one trains the others look at.
"""

import contextlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from backend.db.engine import open_database, sqlite_url
from backend.domain import Driver, EndReason, Outcome
from backend.intake import reconcile
from backend.settings import Settings
from tests.browser.conftest import Complaints, ServedPages
from tests.browser.drawn_take import CAMERAS, DrawnTake, Scene
from tests.browser.test_screenshots import fits

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]
OpenPage = Callable[..., Page]
# A child imports torch, which takes its time on a busy machine.
JOB_MS = 240_000
NUM_EPISODES = 6


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedPages]:
    settings = Settings(data_dir=tmp_path_factory.mktemp("training") / "data", port=0, actor=False)
    with contextlib.closing(ServedPages(settings)) as served:
        yield served


def graded_take(served: ServedPages, number: int, outcome: Outcome) -> None:
    """Record an attempt."""
    take = DrawnTake(
        served.data_dir / "episodes",
        session_id="s1",
        number=number,
        robot="so101_sim_touch",
        task="Touch the red cube",
        fps=10.0,
    )
    scene = Scene()
    for step in range(18):
        driver = Driver.HUMAN if number % 3 == 0 and 5 <= step < 11 else Driver.POLICY
        scene.move(driver, ["ArrowRight"])
        take.add(driver, scene.state, [scene.picture(camera) for camera in range(len(CAMERAS))])
    take.finish(EndReason(outcome), outcome, command_id=f"c{number}", author="Ana")


def state_of(page: Page) -> Locator:
    return page.locator(".dk-run-head .dk-state")


def starts_debug(page: Page, name: str, **settings: str) -> None:
    page.get_by_role("button", name="New run", exact=True).click()
    page.get_by_role("radio", name="debug").check()
    page.get_by_label("start from").select_option("")
    page.get_by_label("name of the run").fill(name)
    for label, value in settings.items():
        page.get_by_label(label.replace("_", " ")).fill(value)
    expect(page.locator(".dk-start-summary")).to_contain_text("model tiny")
    page.get_by_role("button", name="Start training").click()
    expect(page.locator(".dk-run-head h2")).to_have_text(name)


def test_an_empty_page_says_what_is_missing(open_page: OpenPage) -> None:
    page = open_page(path="/training")

    expect(page.get_by_text("No training has run yet")).to_be_visible()
    expect(page.locator(".dk-start-summary")).to_contain_text("no episode to learn from")
    expect(page.get_by_role("button", name="Start training")).to_be_disabled()
    page.get_by_role("button", name="Checkpoints").click()
    expect(page.get_by_text("There is no checkpoint yet")).to_be_visible()


def test_an_empty_wall_says_what_to_do(open_page: OpenPage) -> None:
    page = open_page(path="/replay")

    expect(page.get_by_text("Nothing was recorded yet")).to_be_visible()


def test_a_mistake_in_the_form_is_named_before_anything_starts(
    open_page: OpenPage, complaints: Complaints
) -> None:
    complaints.expected = ("status of 422",)
    page = open_page(path="/training?view=new")
    page.get_by_label("name of the run").fill("no/slashes")

    expect(page.locator(".dk-start-summary")).to_contain_text("run is a name of letters")
    expect(page.get_by_role("button", name="Start training")).to_be_disabled()


def test_a_training_is_started_followed_to_its_end_and_read(
    open_page: OpenPage, served: ServedPages, screenshots: Path
) -> None:
    for number in range(NUM_EPISODES):
        outcome = Outcome.FAILURE if number % 2 else Outcome.SUCCESS
        graded_take(served, number, outcome)
    with contextlib.closing(open_database(sqlite_url(served.data_dir))) as database:
        reconcile(database, served.data_dir)
    page = open_page(path="/training?view=new")
    expect(page.locator(".dk-preview td").nth(2)).to_have_text("3")
    expect(page.locator(".dk-warnings")).to_contain_text("Only 6 judged episodes")
    starts_debug(page, "first")

    expect(state_of(page)).to_contain_text("running", timeout=JOB_MS)
    expect(state_of(page)).to_contain_text("done", timeout=JOB_MS)
    expect(page.locator(".dk-run-head")).to_contain_text("step 4 of 4")
    expect(page.locator(".dk-run-head")).to_contain_text("Ana")
    for chart in ("Actor loss", "Critic loss", "Gradient norm", "Waiting for data"):
        expect(page.locator(".dk-plot-title", has_text=re.compile(f"^{chart}$"))).to_be_visible()
    assert page.locator(".dk-plot canvas").count() >= 8
    expect(page.locator(".dk-command")).to_contain_text("-m backend.jobs.train --data-dir")
    expect(page.locator(".dk-orders")).to_contain_text("with the labels up to event 6")
    page.get_by_label("search the log").fill("warning")
    expect(page.locator(".dk-log mark").first).to_have_text("warning")
    page.screenshot(path=screenshots / "training-run-light.png")
    fits(page, height=True)


def test_another_threshold_is_tried_without_asking_anybody(open_page: OpenPage) -> None:
    page = open_page(path="/training")
    histogram = page.get_by_role("slider", name="threshold")
    expect(histogram).to_be_visible()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    histogram.press("PageUp")
    before = float(histogram.get_attribute("aria-valuenow") or "nan")
    for _ in range(3):
        histogram.press("PageDown")

    assert float(histogram.get_attribute("aria-valuenow") or "nan") < before
    expect(page.locator(".dk-setting")).to_contain_text("words.positive_fraction =")
    assert not [url for url in asked if "advantages" in url]
    box = histogram.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + 60)
    page.mouse.up()
    page.get_by_role("button", name="Use in a new run").click()
    expect(page.get_by_text("1 changed by hand")).to_be_attached()
    expect(page.get_by_role("radio", name="debug")).to_be_checked()


def test_a_training_is_cancelled_and_can_be_resumed(open_page: OpenPage) -> None:
    page = open_page(path="/training?view=new")
    page.get_by_label("when it is done").select_option("video")
    page.get_by_label("one video in").fill("3")
    starts_debug(page, "long", optimiser_steps="4000")
    scores = page.locator(".dk-run", has_text="scores by long (newest)")
    videos = page.locator(".dk-run", has_text="critic videos by long (newest)")
    expect(scores).to_contain_text("waits for training long")
    expect(page.locator(".dk-run-message")).to_contain_text("step", timeout=JOB_MS)
    page.get_by_role("button", name="Cancel").click()

    expect(state_of(page)).to_contain_text("cancelled", timeout=JOB_MS)
    expect(scores).to_contain_text("not begun: training long was cancelled")
    expect(videos).to_contain_text("not begun: scoring")
    page.get_by_role("button", name="Resume").click()
    expect(videos).to_contain_text("waiting")
    expect(page.get_by_role("button", name="Cancel")).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    expect(state_of(page)).to_contain_text("cancelled", timeout=JOB_MS)


def test_one_that_is_stopping_is_ended_by_force_after_a_question(open_page: OpenPage) -> None:
    page = open_page("Ana", "/training?view=new")
    forced: list[str] = []

    def stopping(route: Route) -> None:
        body = route.fetch().json()
        job = body["items"][0] | {"state": "running", "message": "stopping"}
        route.fulfill(json={**body, "items": [job]})

    def force(route: Route) -> None:
        forced.append(route.request.url)
        route.fulfill(json={})

    page.route("**/api/jobs?kind=train*", stopping)
    page.route("**/cancel?force=true", force)
    page.locator(".dk-run").first.click()
    page.get_by_role("button", name="End it now").click()
    expect(page.get_by_role("dialog")).to_contain_text("loses all steps since")
    page.get_by_role("dialog").get_by_role("button", name="End it now").click()

    expect(page.get_by_role("dialog")).to_be_hidden()
    page.wait_for_function("() => !document.querySelector('dialog')")
    assert len(forced) == 1
    # A question that is still answered by this test would be an error in the next one.
    page.unroute_all(behavior="wait")


def test_a_checkpoint_is_promoted_after_a_question_and_shows_its_lineage(
    open_page: OpenPage, screenshots: Path
) -> None:
    page = open_page(path="/training?view=checkpoints&checkpoint=first/000004")
    lineage = page.locator(".dk-lineage")
    expect(lineage).to_contain_text("up to event 6")
    expect(lineage).to_contain_text("recorded episodes: 3 ✓ 3 ✗ 0 –")
    expect(lineage).to_contain_text("first by preset debug")
    page.get_by_role("button", name="Promote").click()
    expect(page.get_by_role("dialog")).to_contain_text("next episode")
    page.get_by_role("dialog").get_by_role("button", name="Promote").click()

    expect(page.locator("tr", has_text="first/000004")).to_contain_text("drives")
    expect(page.get_by_role("button", name="Delete")).to_be_disabled()
    page.get_by_role("checkbox", name="critic video of every").check()
    expect(page.locator(".dk-rule")).to_contain_text("after 4 more episodes, by long/")
    page.get_by_label("compare with").select_option("first/000002")
    expect(page.get_by_text("no scored episode in common")).to_be_visible()
    page.screenshot(path=screenshots / "training-checkpoints-light.png")
    fits(page, height=True)


def test_who_may_only_watch_sees_why_the_buttons_are_grey(open_page: OpenPage) -> None:
    page = open_page("Vera", "/training?view=new")
    viewer = {"name": "Vera", "role": "viewer"}
    page.route("**/api/user", lambda route: route.fulfill(json=viewer))
    page.reload()

    start = page.get_by_role("button", name="Start training")
    expect(start).to_have_attribute("title", re.compile("takes the role operator, you are viewer"))
    expect(start).to_be_disabled()
    page.get_by_role("button", name="Checkpoints").click()
    for name in ("Promote", "Export", "Delete", "Score", "Score and make videos"):
        expect(page.get_by_role("button", name=name, exact=True)).to_be_disabled()
    expect(page.get_by_role("checkbox", name="critic video of every")).to_be_disabled()
    page.locator(".dk-run", has_text="long").first.click()
    expect(page.get_by_role("button", name="Resume")).to_be_disabled()
    expect(page.get_by_role("button", name="New run like this")).to_be_enabled()


def test_a_checkpoint_is_deleted_after_a_question_only(
    open_page: OpenPage, served: ServedPages
) -> None:
    page = open_page(path="/training?view=checkpoints&checkpoint=first/000002")
    folder = served.data_dir / "checkpoints/first/000002"
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Keep things as they are").click()
    assert folder.is_dir()
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()

    expect(page.locator("tr", has_text="first/000002")).to_be_hidden()
    assert not folder.exists()


def test_videos_are_made_on_demand_scored_first_and_play_two_in_step(
    open_page: OpenPage, screenshots: Path
) -> None:
    page = open_page(path="/replay")
    expect(page.get_by_role("combobox", name="critic", exact=True)).to_have_value("first/000004")
    expect(page.get_by_text("There is no critic video by first/000004 yet")).to_be_visible()
    page.get_by_role("button", name=f"Make {NUM_EPISODES} videos").click()
    expect(page.locator(".dk-job").first).to_contain_text("scoring")
    cards = page.locator(".rp-card")
    expect(cards).to_have_count(NUM_EPISODES, timeout=JOB_MS)
    expect(page.get_by_role("button", name="All videos are made")).to_be_visible()
    cards.first.click()
    expect(page.locator(".rp-box video")).to_have_count(1)
    expect(page.locator(".rp-player")).not_to_contain_text("has not scored")

    page.get_by_label("beside").select_option("recorded")
    page.get_by_role("button", name="Make it").click()
    both = page.locator(".rp-box video")
    expect(both).to_have_count(2, timeout=JOB_MS)
    page.wait_for_function(
        "() => [...document.querySelectorAll('.rp-box video')].every(v => v.readyState >= 2)"
    )
    if page.get_by_role("button", name="Pause").is_visible():
        page.keyboard.press("Space")
    page.keyboard.press("Home")
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    expect(page.locator(".rp-frame")).to_have_text("step 5 of 18")
    times = both.evaluate_all("videos => videos.map(v => v.currentTime)")
    assert times == pytest.approx([0.55, 0.55])
    page.screenshot(path=screenshots / "replay-two-light.png")
    with page.expect_download() as download:
        page.locator(".rp-box a").first.click()
    assert download.value.suggested_filename.endswith("-first-000004.mp4")


def test_a_link_opens_the_same_view(open_page: OpenPage, screenshots: Path) -> None:
    page = open_page(path="/replay")
    page.locator(".rp-card").nth(1).click()
    name = page.locator(".rp-player code").inner_text()
    page.get_by_label("outcome").select_option("success")
    link = page.evaluate("location.pathname + location.search")

    again = open_page("Ben", path=link, dark=True)

    expect(again.locator(".rp-player code")).to_have_text(name)
    expect(again.locator(".rp-card")).to_have_count(3)
    again.wait_for_function(
        "() => [...document.querySelectorAll('.rp-wall video')].every(v => v.readyState >= 2)"
    )
    again.screenshot(path=screenshots / "replay-wall-dark.png")
    fits(again, height=False)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("path", ["/training", "/training?view=new", "/replay"])
def test_pages_fit_on_a_tablet(
    open_page: OpenPage, screenshots: Path, path: str, dark: bool
) -> None:
    page = open_page(path=path, width=1024, height=768, dark=dark)
    shown = {
        "/training": ".dk-plot canvas",
        "/training?view=new": ".dk-preset",
        "/replay": ".rp-card",
    }
    expect(page.locator(shown[path]).first).to_be_visible()
    fits(page, height=False)
    name = re.sub(r"\W+", "-", path).strip("-")
    theme = "dark" if dark else "light"
    page.screenshot(path=screenshots / f"{name}-1024x768-{theme}.png")
