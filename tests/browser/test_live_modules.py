"""The small modules behind strip, statistics, sounds and key names, in the browser."""

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
