"""The walk of docs/first_evening.md in Chromium: from the examples to a checkpoint of one's own.

Server, actor, simulator, bundled checkpoint, training and promotion are the real ones, and so are
the ten attempts, which an oracle watches: it grades by the simulator's verdict. The walk's minutes
of training are four steps: what comes out has learned nothing, and drives.
"""

import contextlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect

from backend.settings import Settings
from tests.browser.conftest import ServedPages
from tests.browser.live_page import LivePage
from tests.flows.processes import wait_for

pytestmark = [pytest.mark.browser, pytest.mark.flow, pytest.mark.timeout(600)]

OpenPage = Callable[..., Page]
# Actor and training each import torch, which takes its time on a busy machine.
SLOW_S = 240.0
EXAMPLES = 27
ATTEMPTS = 10
# So long the oracle lets the policy try.
LIMIT_S = 5.0
# What the training of this evening leaves.
MINE = "evening/000004"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedPages]:
    settings = Settings(data_dir=tmp_path_factory.mktemp("evening") / "data", port=0, sandbox=True)
    with contextlib.closing(ServedPages(settings)) as served:
        yield served


@pytest.fixture
def api(served: ServedPages) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=served.url, timeout=30) as api:
        yield api


def load_the_examples(page: Page) -> None:
    card = page.get_by_role("complementary", name="First steps")
    card.get_by_role("button", name="Load the examples").click()
    expect(card.get_by_text("First steps, 1 of 4")).to_be_visible(timeout=SLOW_S * 1000)
    card.get_by_role("button", name="Close for good").click()


def open_the_robot(live: LivePage) -> None:
    live.says("NO SESSION", timeout_s=SLOW_S)
    live.button("open")
    live.says("READY", timeout_s=SLOW_S)
    live.waits_for_pictures()


def push_down_and_outwards(live: LivePage) -> None:
    for direction in ("ArrowUp", "KeyF"):
        live.page.keyboard.down(direction)
        live.page.wait_for_timeout(300)
        live.page.keyboard.up(direction)


def sees_success(live: LivePage, *, within_s: float) -> bool:
    """Whether the page says so in time: only the simulator knows."""
    said = live.phase_note.get_by_text("The simulator sees success")
    try:
        expect(said).to_be_visible(timeout=within_s * 1000)
    except AssertionError:
        return False
    return True


def let_the_oracle_watch(live: LivePage, *, helps: bool) -> str:
    """Let the policy try, take over after a moment if it helps, and return how it graded."""
    live.start()
    touched = sees_success(live, within_s=1 if helps else LIMIT_S)
    if helps:
        live.take_over()
        push_down_and_outwards(live)
        touched = sees_success(live, within_s=1)
    live.press_until("1" if touched else "0", "READY")
    return "success" if touched else "failure"


def train(page: Page, *, run: str) -> None:
    page.get_by_role("button", name="New run", exact=True).click()
    page.get_by_role("radio", name=re.compile("^recap_tiny")).check()
    page.get_by_label("optimiser steps").fill("4")
    page.get_by_label("name of the run").fill(run)
    expect(page.locator(".dk-start-summary")).to_contain_text("model tiny")
    page.get_by_role("button", name="Start training").click()
    expect(page.locator(".dk-run-head h2")).to_have_text(run)
    state = page.locator(".dk-run-head .dk-state")
    expect(state).to_contain_text("done", timeout=SLOW_S * 1000)


def test_the_first_evening_ends_with_a_promoted_checkpoint_that_drives(
    open_page: OpenPage, api: httpx.Client, screenshots: Path
) -> None:
    page = open_page()
    load_the_examples(page)
    (bundled,) = api.get("/api/checkpoints").json()["items"]
    assert bundled["promoted_s"] is not None

    live = LivePage(page)
    open_the_robot(live)
    # In the first and in every third one after it the oracle takes over.
    grades = [let_the_oracle_watch(live, helps=number % 3 == 0) for number in range(ATTEMPTS)]
    episodes = api.get("/api/episodes").json()
    assert episodes["total"] == EXAMPLES + ATTEMPTS
    mine = episodes["items"][ATTEMPTS - 1 :: -1]
    assert [episode["outcome"] for episode in mine] == grades
    assert [e["num_human_steps"] > 0 for e in mine] == [n % 3 == 0 for n in range(ATTEMPTS)]
    assert {episode["checkpoint_id"] for episode in mine} == {bundled["id"]}

    page.goto(str(api.base_url.join("/training")))
    train(page, run=MINE.split("/")[0])
    page.goto(str(api.base_url.join(f"/training?view=checkpoints&checkpoint={MINE}")))
    page.get_by_role("button", name="Promote").click()
    page.get_by_role("dialog").get_by_role("button", name="Promote").click()
    expect(page.locator("tr", has_text=MINE)).to_contain_text("drives")
    page.screenshot(path=screenshots / "first-evening-promoted.png")

    page.goto(str(api.base_url))
    live.says("READY")
    wait_for(
        "the new checkpoint to be the one that drives",
        lambda: api.get("/api/session").json()["policy"] == MINE,
        timeout_s=SLOW_S,
    )
    let_the_oracle_watch(live, helps=True)
    newest = api.get("/api/episodes").json()["items"][0]
    assert newest["checkpoint_id"] == MINE
