"""The page's small modules by themselves, in the browser that runs them."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page

pytestmark = pytest.mark.browser
OpenPage = Callable[..., Page]


@pytest.fixture
def run(open_page: OpenPage) -> Callable[[str, str], Any]:
    """Import a module of the Live page as `m` and return what the expression gives."""
    page = open_page(path="/handrail-static/live/profiles.js")

    def run(module: str, expression: str) -> Any:
        return page.evaluate(
            f"async () => {{ const m = await import('/handrail-static/live/{module}');"
            f" return {expression} }}"
        )

    return run


def test_no_key_of_a_profile_means_two_things(run: Callable[[str, str], Any]) -> None:
    profiles = run("profiles.js", "m.PROFILES")

    for name, profile in profiles.items():
        places = [jog["place"] for jog in profile["jog"]]
        for command in profile["commands"]:
            places += [command["place"], *command["also"]]
        assert len(places) == len(set(places)), name
        assert not {"KeyZ", "Slash"} & set(places), f"{name} takes a key of the page"


def test_every_profile_can_jog_everything(run: Callable[[str, str], Any]) -> None:
    profiles = run("profiles.js", "m.PROFILES")
    codes = [{jog["code"] for jog in profile["jog"]} for profile in profiles.values()]

    assert codes[0] == codes[1]
    assert {"Space", "KeyR", "KeyF", "ArrowUp"} <= codes[0]


def test_the_clock_trusts_the_shortest_round_trip(run: Callable[[str, str], Any]) -> None:
    known = run(
        "server_clock.js",
        """(() => { const c = new m.ServerClock(); const before = c.certain();
          const now = Date.now();
          c.answered(now + 5000 + 100, now - 200, now);
          c.answered(now + 5000 - 5, now - 10, now);
          c.answered(now + 5000 - 300, now - 800, now);
          return [before, c.certain() - Date.now()] })()""",
    )

    assert known[0] is None
    assert known[1] == pytest.approx(5000, abs=3)


def test_a_late_message_does_not_age_the_pictures(run: Callable[[str, str], Any]) -> None:
    offset = run(
        "server_clock.js",
        """(() => { const c = new m.ServerClock(); const now = Date.now();
          c.arrived(now - 900, now); c.arrived(now - 4, now); c.arrived(now - 300, now);
          return c.now() - Date.now() })()""",
    )

    assert offset == pytest.approx(-4, abs=3)


def test_the_lane_says_who_drove_and_where_ticks_are_missing(
    run: Callable[[str, str], Any],
) -> None:
    spans = run(
        "strip_data.js",
        """(() => { const d = new m.StripData(); d.setRate(10);
          const add = (step, phase) => d.add({step, phase, value: null, episode: null});
          for (let s = 1; s <= 5; s++) add(s, 'policy');
          for (let s = 6; s <= 8; s++) add(s, 'human');
          add(9, 'held'); add(40, 'human'); add(41, 'human');
          return d.spans() })()""",
    )

    assert [(span["kind"], span["from"], span["to"]) for span in spans] == [
        ("policy", 1, 6),
        ("human", 6, 9),
        ("held", 9, 9),
        ("human", 40, 41),
    ]


def test_the_strip_forgets_what_left_its_window_and_starts_over(
    run: Callable[[str, str], Any],
) -> None:
    sizes = run(
        "strip_data.js",
        """(() => { const d = new m.StripData(); d.setRate(10);
          for (let s = 1; s <= 1000; s++)
            d.add({step: s, phase: 'policy', value: -0.5, spread: 0.1, episode: null});
          const full = d.columns.map(c => c.length);
          d.add({step: 1, phase: 'idle', value: null, episode: null});
          return [full, d.columns[0]] })()""",
    )

    assert all(200 <= size <= 205 for size in sizes[0])
    assert sizes[1] == [1]


def test_the_sticks_follow_the_teleoperators_axes(run: Callable[[str, str], Any]) -> None:
    def axes(sticks: list[float], *pressed: int) -> list[float]:
        buttons = [{"value": 1.0 if index in pressed else 0.0} for index in range(17)]
        return run("gamepad.js", f"m.axesOf({{axes: {sticks}, buttons: {buttons}}})")

    assert axes([0.05, -0.05, 0, 0]) == [0] * 6, "a stick at rest moves nothing"
    assert axes([-1, -1, 0, 0])[:2] == [1, 1], "away and left are positive"
    assert axes([0, 0, -1, -1])[2:4] == [1, 1], "up and roll left are positive"
    assert axes([0, 0, 0, 0], 12)[4] == 1, "pitch up is positive"
    assert axes([0, 0, 0, 0], 7)[5] == -1, "the right trigger closes the gripper"


def test_ids_are_made_without_a_secure_origin(run: Callable[[str, str], Any]) -> None:
    ids = run("drive.js", "[...Array(50)].map(() => m.makeId())")

    assert len(set(ids)) == 50
    assert all(len(one) == 32 for one in ids)
