"""The page on the real thing: `python -m app`, its actor, and the simulated SO-101."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import Complaints
from tests.browser.live_page import LivePage
from tests.flows.processes import HandrailProcess, wait_for

pytestmark = [pytest.mark.browser, pytest.mark.flow]
# What Chromium says of a server that is restarted.
RESTART_NOISE = ("net::ERR_", "WebSocket connection")


@pytest.fixture(scope="module")
def handrail(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HandrailProcess]:
    data_dir = tmp_path_factory.mktemp("real") / "data"
    with contextlib.closing(HandrailProcess(data_dir).start()) as handrail:
        handrail.wait_actor()
        yield handrail


@pytest.fixture
def complaints(handrail: HandrailProcess) -> Iterator[Complaints]:
    complaints = Complaints(urlsplit(handrail.url).netloc)
    yield complaints
    assert complaints.found == []


@pytest.fixture
def live(browser: Browser, handrail: HandrailProcess, complaints: Complaints) -> Iterator[LivePage]:
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    complaints.watch(page)
    page.goto(handrail.url)
    live = LivePage(page)
    if handrail.session()["phase"] == "closed":
        live.says("NO SESSION")
        page.locator("[data-part=policy-choice]").select_option("scripted")
        live.button("open")
    live.says("READY", timeout_s=90)
    live.waits_for_pictures()
    yield live
    context.close()


def test_an_attempt_in_the_simulator_by_keyboard_is_recorded(
    live: LivePage, handrail: HandrailProcess, screenshots: Path
) -> None:
    before = handrail.api.get("/api/episodes").json()["total"]
    live.start()
    live.page.wait_for_timeout(800)
    live.take_over()
    live.page.keyboard.down("ArrowLeft")
    live.page.wait_for_timeout(1000)
    live.page.screenshot(path=screenshots / "live-simulator-1440x900-light.png")
    live.page.keyboard.up("ArrowLeft")
    live.press_until("1", "READY")
    episodes = handrail.api.get("/api/episodes").json()

    assert episodes["total"] == before + 1
    newest = episodes["items"][0]
    assert newest["outcome"] == "success"
    assert 0 < newest["num_human_steps"] < newest["num_steps"]


def test_a_lost_focus_holds_the_real_loop_and_a_driver_who_is_back_goes_on(
    live: LivePage, handrail: HandrailProcess
) -> None:
    live.start()
    live.take_over()
    live.page.keyboard.down("ArrowRight")
    live.page.wait_for_timeout(300)
    live.lose_focus()
    live.says("HELD")
    live.page.keyboard.up("ArrowRight")
    live.regain_focus()
    live.says("HUMAN DRIVES")
    live.press_until("0", "READY")


def test_the_page_comes_back_by_itself_after_a_server_restart(
    live: LivePage, handrail: HandrailProcess, complaints: Complaints
) -> None:
    complaints.expected = RESTART_NOISE
    actor = handrail.actor_pid()
    live.start()
    handrail.kill_server()
    expect(live.lost).to_contain_text("Link to Handrail lost", timeout=10_000)
    live.says("NO CONTACT")
    handrail.start()
    expect(live.lost).to_be_hidden(timeout=20_000)
    live.says("HELD", timeout_s=30)
    live.press_until("0", "READY")

    assert handrail.actor_pid() == actor
    wait_for("new pictures", lambda: live.page.locator(".cam[data-state=live]").count() == 2)
