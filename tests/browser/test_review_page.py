"""The Review page in a browser: a day of episodes judged by keyboard, alone and by two people.

The tests follow each other on one server: the first sees it empty, the later ones what the earlier
ones labelled.
"""

import contextlib
import re
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from backend.db.engine import Database, open_database, sqlite_url
from backend.db.models import EpisodeRow, LabelEventRow
from backend.db.queries import label_events
from backend.domain import Outcome, Role
from backend.intake import reconcile
from backend.settings import Settings
from tests.browser.conftest import Complaints, ServedPages
from tests.browser.review_data import copies, drawn_episode, make_checkpoint_row, score
from tests.browser.test_screenshots import fits
from tests.db.database_fixtures import episode_row

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
OpenPage = Callable[..., Page]
NUM_STEPS = 24
NUM_EPISODES = 32
CRITIC, SECOND = "touch/000500", "touch/000900"
SLOW_MS = 20_000
LABELS = re.compile(r"/api/episodes/[^/]+/labels$")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedPages]:
    settings = Settings(data_dir=tmp_path_factory.mktemp("review") / "data", port=0, actor=False)
    with contextlib.closing(ServedPages(settings)) as served:
        yield served


@pytest.fixture(scope="module")
def database(served: ServedPages) -> Iterator[Database]:
    with contextlib.closing(open_database(sqlite_url(served.data_dir))) as database:
        yield database


@pytest.fixture(scope="module")
def episodes(served: ServedPages, database: Database) -> list[str]:
    """Ids, oldest first: every fourth judged by its operator, the first of these wrongly."""
    folder = drawn_episode(
        served.data_dir / "episodes", num_steps=NUM_STEPS, fps=10.0, human=range(8, 14)
    )
    judged = {0: Outcome.FAILURE, 4: Outcome.SUCCESS, 8: Outcome.SUCCESS}
    ids = copies(folder, [judged.get(n, Outcome.NONE) for n in range(NUM_EPISODES - 1)])
    reconcile(database, served.data_dir)
    for checkpoint in (CRITIC, SECOND):
        make_checkpoint_row(database, checkpoint)
    score(database, served.data_dir, SECOND, dict.fromkeys(ids[:2], 0.3), created_s=1.0)
    score(database, served.data_dir, CRITIC, {ids[0]: 0.95, ids[1]: 0.9, ids[4]: 0.97, ids[8]: 0.9})
    return [*ids, folder.name]


def events_of(database: Database, episode_id: str) -> Sequence[LabelEventRow]:
    with database.read() as db:
        return label_events(db, episode_id=episode_id)


def outcome_of(database: Database, episode_id: str) -> str:
    with database.read() as db:
        return db.get_one(EpisodeRow, episode_id).outcome


def place(page: Page) -> Locator:
    return page.locator("[data-part=place]")


def shown_episode(page: Page) -> str:
    id = page.locator("[data-part=cameras]").get_attribute("data-episode")
    assert id is not None
    return id


def is_ready(page: Page) -> None:
    """The episode's curves and history are there, not only its pictures."""
    expect(page.locator(".rv-history")).to_be_visible(timeout=SLOW_MS)


def history_of(page: Page) -> Locator:
    return page.locator(".rv-history li")


def until_logged(database: Database, episode_id: str, count: int) -> Sequence[LabelEventRow]:
    """The episode's events, once there are `count`."""
    give_up_s = time.monotonic() + SLOW_MS / 1000
    while len(events := events_of(database, episode_id)) < count:
        assert time.monotonic() < give_up_s, f"{len(events)} of {count} events came"
        time.sleep(0.02)
    return events


def test_an_empty_page_says_what_to_do(open_page: OpenPage) -> None:
    page = open_page(path="/review")

    heading = page.get_by_role("heading", name="Nothing to review yet")
    expect(heading).to_be_visible(timeout=SLOW_MS)
    expect(page.get_by_role("link", name="Go to Live")).to_be_visible()


def test_the_episodes_where_critic_and_label_disagree_are_found_first(
    open_page: OpenPage, episodes: list[str], screenshots: Path
) -> None:
    page = open_page(path="/review?order=disagree")
    is_ready(page)

    assert shown_episode(page) == episodes[0]
    expect(place(page)).to_have_text(f"1 of {NUM_EPISODES}")
    first = page.locator(".rv-row").first
    expect(first).to_contain_text("✗ failure")
    expect(first.locator("[data-flag=disagree]")).to_be_visible()
    page.get_by_role("button", name="Filter", exact=True).click()
    page.get_by_label("outcome", exact=True).and_(page.locator("select")).select_option("success")
    expect(place(page)).to_have_text("1 of 2")
    expect(page).to_have_url(re.compile("outcome=success"))
    page.screenshot(path=screenshots / "review-filter-light.png")
    page.go_back()
    expect(place(page)).to_have_text(f"1 of {NUM_EPISODES}")
    page.keyboard.press("f")
    page.keyboard.type("no such thing")
    expect(page.get_by_role("heading", name="No episode matches")).to_be_visible()
    page.get_by_role("button", name="Clear search and filter").click()
    expect(place(page)).to_have_text(f"1 of {NUM_EPISODES}")


def test_a_step_while_the_queue_is_being_sorted_is_one_of_the_new_queue(
    open_page: OpenPage, episodes: list[str]
) -> None:
    page = open_page(path="/review?order=oldest")
    is_ready(page)
    held: list[Route] = []
    page.route(re.compile(r"/api/episodes\?order=newest"), lambda route: held.append(route))
    with page.expect_request(re.compile("order=newest")):
        page.get_by_label("order").select_option("newest")
    page.keyboard.press("ArrowDown")

    assert place(page).text_content() == f"1 of {NUM_EPISODES}"
    held[0].continue_()
    expect(place(page)).to_have_text(f"2 of {NUM_EPISODES}")
    second = page.locator(".rv-row[data-index='1']")
    expect(second).to_have_attribute("aria-selected", "true")
    assert shown_episode(page) == second.get_attribute("data-id") != episodes[1]


def test_thirty_episodes_are_judged_by_keyboard_alone_and_the_log_says_so(
    open_page: OpenPage, episodes: list[str], database: Database
) -> None:
    page = open_page("Rita", "/review?order=oldest")
    is_ready(page)
    before = {id: outcome_of(database, id) for id in episodes}
    said = {}
    for number in range(30):
        expect(place(page)).to_have_text(f"{number + 1} of {NUM_EPISODES}")
        id = shown_episode(page)
        said[id] = "failure" if number % 3 == 0 else "success"
        page.keyboard.press("0" if number % 3 == 0 else "1")
        page.keyboard.press("Enter")
    expect(place(page)).to_have_text(f"31 of {NUM_EPISODES}")
    page.keyboard.press("Backspace")
    expect(place(page)).to_have_text(f"32 of {NUM_EPISODES}")
    page.keyboard.press("Enter")
    finished = page.locator(".rv-empty")
    expect(finished).to_contain_text("The queue is finished")
    changed = {id: outcome for id, outcome in said.items() if before[id] != outcome}
    expect(finished).to_contain_text(f"You judged {len(changed)} episodes")
    expect(finished).to_contain_text("1 skipped")

    assert list(said) == episodes[:30]
    for id, outcome in changed.items():
        event = until_logged(database, id, 1 + (before[id] != "none"))[-1]
        assert (event.author, event.kind) == ("Rita", "outcome")
        assert (event.old, event.new) == ({"outcome": before[id]}, {"outcome": outcome})
    for id in said.keys() - changed.keys():
        assert [event.author for event in events_of(database, id)] == ["Ana"]
    assert [outcome_of(database, id) for id in episodes[30:]] == ["none", "none"]


def test_undo_and_redo_reach_back_over_a_reload(
    open_page: OpenPage, episodes: list[str], database: Database
) -> None:
    page = open_page("Rita", "/review?order=oldest")
    is_ready(page)
    last = episodes[29]
    page.keyboard.press("u")

    expect(place(page)).to_have_text(f"30 of {NUM_EPISODES}")
    is_ready(page)
    assert shown_episode(page) == last
    assert outcome_of(database, last) == "none"
    expect(history_of(page).first).to_contain_text("took back event")
    page.reload()
    is_ready(page)
    page.keyboard.press("Shift+U")
    expect(page.get_by_role("radio", name="success")).to_have_attribute("aria-checked", "true")
    assert [event.kind for event in events_of(database, last)] == ["outcome", "undo", "redo"]


def test_ranges_end_note_and_exclusion_are_said_without_the_mouse(
    open_page: OpenPage, episodes: list[str], database: Database, screenshots: Path
) -> None:
    id = episodes[1]
    page = open_page("Rita", f"/review?episode={id}&frame=3&critic={CRITIC}&compare={SECOND}")
    is_ready(page)
    expect(page.locator(".rv-frame")).to_contain_text(f"frame 4 of {NUM_STEPS}")
    page.keyboard.press("Shift+Digit1")
    expect(page.locator(".toast")).to_contain_text("Mark a range first")
    page.keyboard.press("n")
    expect(page.locator(".rv-frame")).to_contain_text("frame 12 of")
    expect(page).to_have_url(re.compile("frame=11"))
    page.keyboard.press("[")
    page.keyboard.press(".")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("]")
    page.keyboard.press("Shift+Digit1")
    expect(page.locator(".rv-in-force")).to_contain_text("mistake 12–14")
    page.keyboard.press("Home")
    page.keyboard.press("[")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Shift+Digit4")
    page.keyboard.type("reach")
    page.keyboard.press("Enter")
    expect(page.locator(".rv-in-force")).to_contain_text("subtask “reach” 1–11")
    page.keyboard.press("End")
    page.keyboard.press(",")
    page.keyboard.press("t")
    expect(page.locator(".rv-in-force")).to_contain_text(f"success at frame {NUM_STEPS - 1} of")
    page.keyboard.press("m")
    page.keyboard.type("gripper slips at 1 and 0")
    page.keyboard.press("Enter")
    expect(page.locator(".rv-in-force")).to_contain_text("gripper slips at 1 and 0")
    page.keyboard.press("x")
    page.keyboard.type("camera moved")
    page.keyboard.press("Enter")
    expect(page.locator(".rv-in-force")).to_contain_text("left out of training: camera moved")
    page.get_by_label("critic", exact=True).and_(page.locator("select")).wait_for()
    page.screenshot(path=screenshots / "review-labels-light.png")
    fits(page, height=True)

    events = events_of(database, id)[-5:]
    assert [event.kind for event in events] == ["mistake", "subtask", "terminal", "note", "exclude"]
    assert [(event.start_step, event.end_step) for event in events[:2]] == [(11, 14), (0, 11)]
    assert events[2].new == {"step": NUM_STEPS - 2}
    page.get_by_title("remove this range").last.click()
    expect(page.locator(".rv-in-force")).not_to_contain_text("mistake 12–14")
    expect(history_of(page).first).to_contain_text("removed event")
    history_of(page).last.get_by_role("button", name="revert to this").click()
    expect(page.locator(".rv-in-force")).to_be_empty()
    assert events_of(database, id)[-1].kind == "revert"


def test_what_others_say_appears_and_a_label_on_an_outdated_view_shows_both_versions(
    open_page: OpenPage, episodes: list[str], database: Database, complaints: Complaints
) -> None:
    complaints.expected = ("status of 409",)
    id = episodes[6]
    rita, bo = open_page("Rita", f"/review?episode={id}"), open_page("Bo", f"/review?episode={id}")
    is_ready(rita)
    is_ready(bo)
    bo.keyboard.press("1")
    bo.keyboard.press("Enter")

    expect(history_of(rita).first).to_contain_text("Bo", timeout=SLOW_MS)
    expect(rita.get_by_role("radio", name="success")).to_have_attribute("aria-checked", "true")
    # Rita hears nothing more of others; a question under way may still be answered.
    news = "**/api/labels/events*"
    rita.route(
        news, lambda route: route.fulfill(json={"items": [], "newest": 1, "num_episodes": 1})
    )
    for _ in range(2):
        rita.wait_for_event("requestfinished", lambda request: "labels/events" in request.url)
    bo.keyboard.press("ArrowUp")
    is_ready(bo)
    expect(history_of(bo).first).to_contain_text("✓ success")
    bo.keyboard.press("m")
    bo.keyboard.type("fell over")
    bo.keyboard.press("Enter")
    expect(bo.locator(".rv-in-force")).to_contain_text("fell over")
    rita.keyboard.press("0")
    rita.keyboard.press("Enter")
    dialog = rita.get_by_role("dialog")
    expect(dialog).to_contain_text("you saw: ✓ success")
    expect(dialog).to_contain_text("note: fell over")
    assert outcome_of(database, id) == "success"
    dialog.get_by_role("button", name="Say mine now").click()
    expect(rita.locator(f'.rv-row[data-id="{id}"]')).to_contain_text("✗ failure")
    assert [(e.author, e.kind) for e in events_of(database, id)[-3:]] == [
        ("Bo", "outcome"),
        ("Bo", "note"),
        ("Rita", "outcome"),
    ]


def test_episodes_that_come_meanwhile_are_offered_and_do_not_move_the_queue(
    open_page: OpenPage, episodes: list[str], database: Database, complaints: Complaints
) -> None:
    page = open_page(path="/review?order=newest")
    is_ready(page)
    before = shown_episode(page)
    with database.write() as db:
        db.add(episode_row("recorded-meanwhile", started_s=2e9, session_id=None))
    try:
        offer = page.get_by_role("button", name="1 new episode: sort anew (R)")
        expect(offer).to_be_visible(timeout=SLOW_MS)
        assert shown_episode(page) == before
        expect(place(page)).to_have_text(f"1 of {NUM_EPISODES}")
        # Its row is all there is of it: no pictures for a film strip.
        complaints.expected = ("recorded-meanwhile/strip.jpg",)
        page.keyboard.press("r")
        expect(page.locator(".rv-row[data-index='0']")).to_contain_text("reco")
        expect(offer).to_be_hidden()
        expect(place(page)).to_have_text(f"2 of {NUM_EPISODES + 1}")
    finally:
        with database.write() as db:
            db.delete(db.get_one(EpisodeRow, "recorded-meanwhile"))


def test_a_label_that_could_not_be_sent_is_kept_over_a_reload_and_counts_once(
    open_page: OpenPage, episodes: list[str], database: Database, complaints: Complaints
) -> None:
    complaints.expected = ("Failed to load resource",)
    id = episodes[31]
    page = open_page("Rita", f"/review?episode={id}")
    is_ready(page)
    sent: list[str] = []

    def lose(route: Route) -> None:
        """The label arrives, its answer does not."""
        sent.append((route.request.post_data_json or {})["event_id"])
        route.fetch()
        route.abort()

    page.route(LABELS, lose)
    page.keyboard.press("1")
    page.keyboard.press("Enter")
    away = page.locator("[data-part=away]")
    expect(away).to_have_text("1 label not sent yet, trying again", timeout=SLOW_MS)
    page.reload()
    expect(away).to_have_text("1 label not sent yet, trying again", timeout=SLOW_MS)
    page.unroute_all(behavior="ignoreErrors")

    expect(away).to_have_text("", timeout=SLOW_MS)
    assert len(set(sent)) == 1
    assert [event.new for event in events_of(database, id)] == [{"outcome": "success"}]


def test_a_bulk_says_what_it_would_do_and_one_undo_takes_it_back(
    open_page: OpenPage, episodes: list[str], database: Database
) -> None:
    page = open_page("Rita", "/review?outcome=failure")
    is_ready(page)
    before = {id: outcome_of(database, id) for id in episodes}
    failed = [id for id, outcome in before.items() if outcome == "failure"]
    page.keyboard.press("b")
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("what to say").select_option("none")
    expect(dialog).to_contain_text(
        f"{len(failed)} episodes would change, 0 episodes say so already"
    )
    assert {id: outcome_of(database, id) for id in episodes} == before
    dialog.get_by_role("button", name=f"Change {len(failed)} episodes").click()
    expect(page.get_by_role("heading", name="No episode matches")).to_be_visible()
    assert {outcome_of(database, id) for id in failed} == {"none"}
    page.get_by_role("button", name="Undo all").click()

    expect(place(page)).to_have_text(re.compile(f" of {len(failed)}$"))
    assert {id: outcome_of(database, id) for id in episodes} == before


def test_a_view_is_saved_under_a_name_and_episodes_play_on(
    open_page: OpenPage, episodes: list[str]
) -> None:
    page = open_page(path="/review?order=longest&q=touch")
    is_ready(page)
    page.get_by_role("button", name="Save view").click()
    page.keyboard.type("long ones")
    page.keyboard.press("Enter")
    page.get_by_label("order").select_option("newest")
    page.get_by_label("saved views").select_option("long ones")

    expect(page).to_have_url(re.compile("order=longest&q=touch"))
    expect(place(page)).to_have_text(f"1 of {NUM_EPISODES}")
    page.keyboard.press("ArrowDown")
    expect(place(page)).to_have_text(f"2 of {NUM_EPISODES}")
    page.keyboard.press("Space")
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    expect(page.locator(".rv-frame")).to_contain_text(f"frame {NUM_STEPS} of", timeout=SLOW_MS)
    expect(page.get_by_role("button", name="Play")).to_be_visible()
    page.keyboard.press("-")
    page.keyboard.press("-")
    expect(page.get_by_label("speed")).to_have_value("0.25")
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    page.keyboard.press("Space")
    expect(page.get_by_role("button", name="Play")).to_be_visible()


@pytest.mark.parametrize("size", [(1440, 900), (820, 1180)], ids=lambda size: f"{size[0]}")
def test_the_page_fits_in_the_dark_too(
    open_page: OpenPage, episodes: list[str], screenshots: Path, size: tuple[int, int]
) -> None:
    page = open_page(
        path=f"/review?episode={episodes[0]}&frame=11", width=size[0], height=size[1], dark=True
    )
    is_ready(page)
    box = page.locator(".rv-rows").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] * 0.99, box["y"] + 80)

    expect(page.locator(".rv-frame")).to_contain_text(f"frame {NUM_STEPS} of")
    expect(page.locator("[data-part=cameras]")).to_have_attribute(
        "data-painted", f"{episodes[0]} {NUM_STEPS - 1}"
    )
    page.screenshot(path=screenshots / f"review-{size[0]}-dark.png")
    fits(page, height=size[0] > 1200)


def test_a_viewer_sees_everything_and_is_told_why_keys_do_not_label(
    open_page: OpenPage, episodes: list[str], database: Database
) -> None:
    page = open_page("Vera", f"/review?episode={episodes[3]}")
    page.route_web_socket(
        re.compile("/ws/live"),
        lambda socket: socket.send(f'{{"type": "hello", "you": "Vera", "role": "{Role.VIEWER}"}}'),
    )
    page.reload()
    expect(page.locator(".rv-state")).to_have_text("You may look. Labels take the role labeler.")
    before = len(events_of(database, episodes[3]))
    page.keyboard.press("1")
    page.keyboard.press("x")

    expect(page.locator(".toast").last).to_contain_text("You may look, not label.")
    assert page.get_by_role("dialog").count() == 0
    assert len(events_of(database, episodes[3])) == before
