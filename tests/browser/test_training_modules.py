"""The small modules of the Training page by themselves, in the browser that runs them."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page

pytestmark = pytest.mark.browser
OpenPage = Callable[..., Page]
Run = Callable[[str, str], Any]

# Two tasks in one source; edges at -0.2, -0.1, 0, 0.1, 0.2.
GROUPS = """[
  {task: 'lift', source: 'a', counts: [10, 20, 30, 40], num_forced: 100, num_best: 140},
  {task: 'touch', source: 'a', counts: [50, 0, 0, 50], num_forced: 0, num_best: 50},
]"""
EDGES = "[-0.2, -0.1, 0, 0.1, 0.2]"


@pytest.fixture
def run(open_page: OpenPage) -> Run:
    """Import a module of the Training page as `m` and return what the expression gives."""
    page = open_page(path="/handrail-static/training/words.js")

    def run(module: str, expression: str) -> Any:
        return page.evaluate(
            f"async () => {{ const m = await import('/handrail-static/training/{module}');"
            f" return {expression} }}"
        )

    return run


def test_without_a_threshold_the_shares_are_those_in_force(run: Run) -> None:
    shares = run("advantage_counts.js", f"m.positiveShares({GROUPS}, null)")

    assert shares["byTask"] == {"lift": 0.7, "touch": 0.5}
    assert shares["bySource"] == {"a": pytest.approx(190 / 300)}
    assert shares["all"] == pytest.approx(190 / 300)


def test_a_threshold_recounts_what_lies_above_and_keeps_what_is_forced(run: Run) -> None:
    shares = run("advantage_counts.js", f"m.positiveShares({GROUPS}, 2)")

    assert shares["byTask"] == {"lift": (30 + 40 + 100) / 200, "touch": 0.5}


def test_a_threshold_of_one_task_leaves_the_others_alone(run: Run) -> None:
    shares = run("advantage_counts.js", f"m.positiveShares({GROUPS}, 4, 'touch')")

    assert shares["byTask"] == {"lift": 0.7, "touch": 0.0}


def test_a_threshold_says_which_setting_it_amounts_to(run: Run) -> None:
    two = run(
        "advantage_counts.js",
        f"m.settingFor({{mode: 'two', groups: {GROUPS}, bin_edges: {EDGES}}}, 3, 'lift')",
    )
    five = run(
        "advantage_counts.js",
        f"m.settingFor({{mode: 'five', groups: {GROUPS}, bin_edges: {EDGES}}}, 4)",
    )

    assert two == {"name": "words.positive_fraction", "value": 0.4}
    assert five["name"] == "words.scaling"
    assert five["value"] == pytest.approx(0.2 / 1.0986, rel=1e-3)


def test_numbers_of_a_resumed_run_replace_those_it_repeats(run: Run) -> None:
    columns = run(
        "metrics.js",
        """(() => { const all = new m.Metrics('job');
          for (const step of [1, 2, 3, 4]) all.add({name: 'a', step, value: step});
          for (const step of [3, 4, 5]) all.add({name: 'a', step, value: 10 * step});
          all.add({name: 'b', step: 4, value: -1});
          return all.columns(['a', 'b']) })()""",
    )

    assert columns == [[1, 2, 3, 4, 5], [1, 2, 30, 40, 50], [None, None, None, -1, None]]


def test_numbers_that_nobody_thought_of_get_a_chart_of_their_own(run: Run) -> None:
    charts = run(
        "chart_list.js",
        "m.chartsFor(new Set(['train/loss_actor', 'train/surprise', 'probe/held_out_episodes']))",
    )

    assert [chart["title"] for chart in charts] == ["Actor loss", "surprise"]


@pytest.mark.parametrize(
    ("field", "text", "value"),
    [
        ("{kind: 'integer', optional: false}", "12", 12),
        ("{kind: 'integer', optional: true}", "", None),
        ("{kind: 'number', optional: false}", "2.5e-5", 2.5e-5),
        ("{kind: 'boolean', optional: false}", "false", False),
        ("{kind: 'list', optional: false}", "actor, critic", ["actor", "critic"]),
        ("{kind: 'list', optional: false}", "[0.9, 0.95]", [0.9, 0.95]),
        ("{kind: 'object', optional: true}", '{"rank": 8}', {"rank": 8}),
        ("{kind: 'text', optional: true}", "/models/pi05", "/models/pi05"),
    ],
)
def test_a_field_becomes_what_a_config_holds(run: Run, field: str, text: str, value: Any) -> None:
    assert run("field_table.js", f"m.valueOf({field}, {text!r})") == value


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("{kind: 'integer', optional: true}", "1.5"),
        ("{kind: 'number', optional: false}", ""),
        ("{kind: 'object', optional: true}", "{rank"),
    ],
)
def test_a_field_that_is_none_is_refused(run: Run, field: str, text: str) -> None:
    assert run("field_table.js", f"m.valueOf({field}, {text!r}) === undefined")


def test_a_command_can_be_pasted_into_a_shell(run: Run) -> None:
    words = '["python", "-m", "job", "--data-dir", "/my data/o\'clock"]'

    line = run("orders.js", f"m.commandLine({words})")

    assert line == "python -m job --data-dir '/my data/o'\\''clock'"


def test_rates_come_with_their_interval_and_number(run: Run) -> None:
    known = "{rate: 0.75, rate_low: 0.301, rate_high: 0.954, num_successes: 3, num_failures: 1}"

    assert run("words.js", f"m.rate({known})") == "75 % [30–95] of 4"
    assert run("words.js", "m.rate({rate: null})") == "–"
