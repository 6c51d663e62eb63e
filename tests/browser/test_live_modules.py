"""The small modules of the Live page by themselves, in the browser that runs them."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, Route, expect

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


def test_a_value_is_drawn_where_it_was_seen_and_grey_when_it_came_late(
    run: Callable[[str, str], Any],
) -> None:
    columns = run(
        "strip_data.js",
        """(() => { const d = new m.StripData(); d.setRate(10);
          const add = (step, more) => d.add({step, phase: 'policy', episode: null, ...more});
          add(1, {value: null});
          add(2, {value: -0.5, spread: 0.1, value_step: 1, value_late: false});
          add(3, {value: -0.5, spread: 0.1, value_step: 1, value_late: false});
          add(4, {value: -0.5, spread: 0.1, value_step: 1, value_late: true});
          add(5, {value: -0.4, spread: 0.1, value_step: 2, value_late: true});
          add(6, {value: -0.3, value_step: 99, value_late: false});
          return d.columns })()""",
    )

    none = [None] * 5
    assert columns[1] == [-0.5, *none], "once, at the tick whose pictures it judges"
    assert columns[2] == [pytest.approx(-0.6), *none]
    assert columns[4] == [None, -0.4, None, None, None, None]


def test_an_attempt_begins_with_the_version_that_drives_it(
    run: Callable[[str, str], Any],
) -> None:
    marks = run(
        "strip_data.js",
        """(() => { const d = new m.StripData(); d.setRate(10);
          const add = (step, number, policy) => d.add({step, phase: 'policy', policy,
            value: null, episode: number && {number}});
          add(1, 1, 'hold'); add(2, null, 'hold'); add(3, 2, 'run7@000012');
          return d.marks.map(mark => mark.text) })()""",
    )

    assert marks == ["episode 1", "ended", "episode 2 · run7@000012"]


def test_how_a_policy_keeps_up_is_said_in_a_few_words(run: Callable[[str, str], Any]) -> None:
    def words(tick: str) -> Any:
        return run("acting.js", f"m.acting({tick})")

    assert words("null") == {"text": "", "warns": False}
    assert words("{clamps: 0, acting: null}") == {"text": "", "warns": False}
    good = "{queue: 23, chunk_size: 50, starved: 0, chunk_ms: 180, value_ms: null}"
    assert words(f"{{clamps: 0, acting: {good}}}")["text"] == "queue 23/50 · chunk 180 ms"
    bad = "{queue: 0, chunk_size: 50, starved: 4, chunk_ms: 1800, value_ms: 90}"
    assert words(f"{{clamps: 3, acting: {bad}}}") == {
        "text": "queue 0/50 · chunk 1.8 s · critic 90 ms · cut 3 · ran dry 4×",
        "warns": True,
    }


def test_keys_are_called_what_is_printed_on_them(run: Callable[[str, str], Any]) -> None:
    azerty = "new Map([['KeyQ', 'a'], ['Digit5', '('], ['Minus', ')'], ['Space', ' ']])"
    names = run(
        "profiles.js",
        f"""(() => {{ const keys = m.indexed('seed', {azerty});
          return [keys.jogKeyOf.get('KeyQ'), keys.keyOf.get('intervene'),
            keys.jogKeyOf.get('Minus'), keys.jogKeyOf.get('Space'), keys.jogKeyOf.get('KeyR'),
            m.indexed('seed').jogKeyOf.get('KeyQ')] }})()""",
    )

    assert names == ["A", "5", ")", "Space", "R", "Q"]


def test_only_a_new_phase_is_heard(run: Callable[[str, str], Any]) -> None:
    tunes = run(
        "sounds.js",
        """[m.tuneOf('policy', null), m.tuneOf('human', 'policy'), m.tuneOf('policy', 'human'),
          m.tuneOf('human', 'human'), m.tuneOf('closed', 'idle')]""",
    )

    assert [len(tune) for tune in tunes] == [0, 2, 2, 0, 0]
    assert tunes[1] == tunes[2][::-1], "who takes over can be told from who gives back"


def test_versions_have_short_names_below_the_plot(run: Callable[[str, str], Any]) -> None:
    names = run(
        "statistics_panel.js",
        """[m.shortName('run7@000012', 80), m.shortName('run7/000500', 80),
          m.shortName('scripted', 80), m.shortName('scripted', 30)]""",
    )

    assert names == ["v12", "500", "scripted", "scr…"]


def test_the_learner_says_how_new_the_weights_are(run: Callable[[str, str], Any]) -> None:
    def note(promoted: str, policy: str) -> str:
        view = f"{{session: {{promoted: {promoted}}}, serverNow_s: 1075, policy: '{policy}'}}"
        text: str = run("learner_panel.js", f"m.weightsNote({view})")
        return text

    promoted = "{policy: 'run@000012', promoted_s: 1000}"
    assert note("null", "hold") == "No weights are promoted yet."
    assert note(promoted, "run@000012") == "run@000012 drives, published 01:15 ago."
    assert note(promoted, "run@000011") == (
        "run@000012, published 01:15 ago, comes with the next attempt; run@000011 drives."
    )


def test_the_learner_says_how_it_ended_and_what_resuming_does(
    run: Callable[[str, str], Any],
) -> None:
    def note(job: str) -> str:
        text: str = run("learner_panel.js", f"m.endNote({job})")
        return text

    killed = "{state: 'failed', message: 'killed by SIGKILL', result: {checkpoint: 'live/000040'}}"
    assert note(killed) == (
        "Killed by SIGKILL. Resume goes on from live/000040 and takes in what was recorded "
        "meanwhile."
    )
    assert note("{state: 'cancelled', message: 'cancelled', result: {}}") == (
        "Stopped. Resume begins again and takes in what was recorded meanwhile."
    )
    assert note("{state: 'done', message: 'step 100', result: {}}") == "step 100"


def test_only_uploads_that_cannot_come_are_somebodys_to_decide(
    run: Callable[[str, str], Any],
) -> None:
    def stuck(state: str, *, newest_s: int) -> list[str]:
        ids: list[str] = run(
            "uploads_panel.js",
            f"""m.stuckUploads({{actor: {{state: '{state}'}}, serverNow_s: 1000,
              episode: {{id: 'recorded'}}, session: {{uploads: [
              {{episode_id: 'recorded', share: 0, heard_s: 1, problem: ''}},
              {{episode_id: 'old', share: 0.4, heard_s: 900, problem: ''}},
              {{episode_id: 'new', share: 0.9, heard_s: {newest_s}, problem: ''}},
              {{episode_id: 'bad', share: 1, heard_s: 999, problem: 'it is no episode'}}]}}
            }}).map(upload => upload.episode_id)""",
        )
        return ids

    assert stuck("connected", newest_s=990) == ["bad"], "they come one after the other"
    assert stuck("lost", newest_s=990) == ["old", "bad"]
    assert stuck("lost", newest_s=900) == ["old", "new", "bad"]


def test_a_stuck_upload_says_why_and_is_put_away_when_somebody_is_sure(
    open_page: OpenPage,
) -> None:
    page = open_page(path="/handrail-static/live/profiles.js")
    asked: list[str] = []

    def answer(route: Route) -> None:
        asked.append(f"{route.request.method} {urlsplit(route.request.url).path}")
        route.fulfill(json={"id": "0123456789", "done": "discarded"})

    page.route(lambda url: "/api/uploads" in url, answer)
    page.evaluate(
        """async () => {
          const m = await import('/handrail-static/live/uploads_panel.js');
          const root = document.body.appendChild(document.createElement('div'));
          const said = document.body.appendChild(document.createElement('p'));
          const panel = new m.UploadsPanel({root, notices: {toast: (_, words) => {
            said.textContent = words; }}});
          const session = {uploads: [{episode_id: '0123456789', share: 1, heard_s: 0,
            problem: 'episode 0123456789 cannot be read'}]};
          const view = {session, episode: null, actor: {state: 'connected'}, serverNow_s: 9,
            mayOperate: true, linked: true};
          setInterval(() => panel.render(view), 50); panel.render(view) }"""
    )
    body = page.locator("body")
    expect(body).to_contain_text("Episode 01234567 cannot be read.")
    page.get_by_role("button", name="Discard…").click()
    assert asked == []
    page.get_by_role("button", name="Put it away?").click()

    expect(body).to_contain_text("in the folder “discarded” of the robot's computer")
    assert asked == ["POST /api/uploads/0123456789/discard"]


def test_what_the_simulator_sees_is_said_while_somebody_drives(
    run: Callable[[str, str], Any],
) -> None:
    driving, held, unseen = run(
        "wording.js",
        """(() => {
          const keys = { keyOf: new Map([["success", "1"], ["start", "2"], ["intervene", "5"]]) };
          const view = { keys, policy: "scripted", reason: "the page is silent", lease: {} };
          return [["policy", true], ["held", true], ["policy", false]].map(([phase, seesSuccess]) =>
            m.phaseNote({ ...view, phase, seesSuccess })); })()""",
    )

    assert driving == "The simulator sees success. 1 grades the attempt so."
    assert held.startswith("The page is silent.")
    assert unseen == "“scripted” moves the robot. 5 takes over."


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


def test_without_a_value_the_strip_says_which_kind_of_nothing_that_is(
    run: Callable[[str, str], Any],
) -> None:
    closed, built_in, loaded, published, early = run(
        "strip.js",
        """[m.noValue(null, false), m.noValue({ policy: "hold" }, true),
          m.noValue({ policy: "touch/000500" }, true), m.noValue({ policy: "touch@3" }, true),
          m.noValue({ policy: "touch/000500", acting: {} }, true)]""",
    )

    assert "while a session is open" in closed
    assert built_in.startswith("No critic is loaded")
    assert loaded == published == "The critic's value appears here during an attempt."
    assert early == "No value yet: actions come first."
