"""The walk of docs/first_evening.md in Chromium: from the examples to a checkpoint of one's own.

Server, actor, simulator, bundled checkpoint, training and promotion are the real ones. The walk's
ten attempts are two here, and its minutes of training four steps: what comes out has learned
nothing, and drives.
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
EXAMPLES = 30
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


def attempt_and_grade(live: LivePage, key: str) -> None:
    """Let the policy begin, take over, push the tool down and outwards for a moment, and grade."""
    live.start()
    live.take_over()
    for direction in ("ArrowUp", "KeyF"):
        live.page.keyboard.down(direction)
        live.page.wait_for_timeout(300)
        live.page.keyboard.up(direction)
    live.press_until(key, "READY")


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
    attempt_and_grade(live, "1")
    attempt_and_grade(live, "0")
    episodes = api.get("/api/episodes").json()
    assert episodes["total"] == EXAMPLES + 2
    mine = episodes["items"][:2]
    assert [episode["outcome"] for episode in mine] == ["failure", "success"]
    assert all(0 < e["num_human_steps"] < e["num_steps"] for e in mine)
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
    attempt_and_grade(live, "1")
    newest = api.get("/api/episodes").json()["items"][0]
    assert newest["checkpoint_id"] == MINE
