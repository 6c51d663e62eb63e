"""The panel below the pictures: keys, statistics and the learner."""

import time
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.live_page import PATIENCE_MS, LivePage
from tests.browser.scripted_actor import ScriptedActor

pytestmark = pytest.mark.browser


@pytest.fixture
def live(actor: ScriptedActor, open_page: Callable[..., Page]) -> LivePage:
    return LivePage(open_page())


def test_statistics_follow_the_grades_and_the_keys_come_forward_for_whoever_drives(
    live: LivePage, actor: ScriptedActor
) -> None:
    page = live.page
    live.open_session()
    page.get_by_role("tab", name="Statistics").click()
    shown = page.locator("[data-part=statistics]")
    expect(shown).to_contain_text("No attempt is finished yet")

    live.start()
    live.take_over()
    expect(page.locator("[data-part=jog]")).to_be_visible()
    expect(shown).to_be_hidden()
    live.press("1")
    live.says("READY")

    expect(shown).to_be_visible()
    expect(shown).to_contain_text("100 %", timeout=PATIENCE_MS)
    expect(shown).to_contain_text("0 of 1")
    plot = shown.locator("svg")
    expect(plot.locator("circle")).to_have_count(1)
    expect(plot).to_have_attribute("aria-label", "scripted: 1 of 1, 100 % [21–100]")

    # On a tablet the counts have their interval too, and nothing is wider than the screen.
    page.set_viewport_size({"width": 820, "height": 1180})
    expect(page.locator(".counts")).to_contain_text("[21–100 %]")
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") == 0


def test_the_learner_form_offers_what_there_is_and_starts_a_job(
    live: LivePage,
) -> None:
    page = live.page
    asked: list[dict[str, object]] = []

    def answer(route: Route) -> None:
        request = route.request
        if request.method == "POST":
            asked.append(request.post_data_json)
            job = {"id": "j1", "kind": "online", "state": "running", "progress": 0.25}
            route.fulfill(json={**job, "message": "step 12"})
        else:
            items = [{"id": "j1", "state": "running", "progress": 0.25, "message": "step 12"}]
            route.fulfill(json={"items": items if asked else [], "total": 0, "next_cursor": None})

    page.route(lambda url: url.split("?")[0].endswith("/api/jobs"), answer)
    page.get_by_role("tab", name="Learner").click()
    learner = page.locator("[data-part=learner]")
    begin = learner.get_by_role("button", name="Start learning")
    expect(begin).to_be_enabled(timeout=PATIENCE_MS)
    learner.locator("[name=preset]").select_option("debug")
    learner.locator("[name=after]").fill("2")
    learner.locator("[name=every]").fill("60")
    begin.click()

    expect(learner).to_contain_text("Learning", timeout=PATIENCE_MS)
    expect(learner).to_contain_text("step 12")
    expect(learner.get_by_role("button", name="Stop learning")).to_be_enabled()
    params = {"preset": "debug", "start_after_episodes": 2, "publish_every_s": 60}
    assert asked == [{"kind": "online", "params": params}]
    page.reload()
    expect(page.get_by_role("tab", name="Keys")).to_have_attribute("aria-selected", "true")


def test_a_learner_that_was_killed_says_so_and_goes_on_with_one_click(live: LivePage) -> None:
    page = live.page
    asked: list[str] = []
    job = {"id": "j1", "kind": "online", "progress": 0.0, "ended_s": None}
    job |= {"state": "running", "message": "step 12", "result": {"checkpoint": "live/000010"}}

    def answer(route: Route) -> None:
        path = urlsplit(route.request.url).path
        if path.endswith("/resume"):
            asked.append(path)
            job.update(state="queued", message="waiting", ended_s=None)
            route.fulfill(json=job)
        else:
            route.fulfill(json={"items": [job], "total": 1, "next_cursor": None})

    page.route(lambda url: "/api/jobs" in url, answer)
    with page.expect_response(lambda reply: "/api/jobs" in reply.url):
        page.reload()
    tab = page.get_by_role("tab", name="Learner")
    expect(tab).to_have_attribute("data-alert", "no")
    job.update(
        state="failed", message="ended without a result (killed by SIGKILL)", ended_s=time.time()
    )

    toast = live.toasts.locator(".toast", has_text="killed by SIGKILL")
    expect(toast.get_by_role("button", name="Resume")).to_be_enabled()
    expect(tab).to_have_attribute("data-alert", "yes")
    tab.click()
    learner = page.locator("[data-part=learner]")
    expect(learner).to_contain_text("Last learner: failed")
    expect(learner).to_contain_text("Resume goes on from live/000010")
    expect(tab).to_have_attribute("data-alert", "no")
    learner.get_by_role("button", name="Resume").click()

    expect(learner).to_contain_text("Waiting to learn")
    assert asked == ["/api/jobs/j1/resume"]


def test_sounds_are_off_until_somebody_wants_them_and_stay_so(live: LivePage) -> None:
    button = live.page.locator("[data-part=sound]")
    live.says("NO SESSION")
    expect(button).to_have_text("Sound off")

    button.click()
    expect(button).to_have_attribute("aria-pressed", "true")
    live.page.reload()
    expect(live.page.locator("[data-part=sound]")).to_have_text("Sound on")
    live.open_session()
    live.start()
