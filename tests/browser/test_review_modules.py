"""The small modules of the Review page by themselves, in the browser that runs them."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page

pytestmark = pytest.mark.browser
OpenPage = Callable[..., Page]
Run = Callable[[str, str], Any]

KEY = "(code, key, more) => m.actOf({code, key, shiftKey: false, ...more})"
# A server that answers as it is told, one word a label.
OUTBOX = """
const sent = [], told = [], kept = new Map();
const storage = {
  get length() { return kept.size }, key: (at) => [...kept.keys()][at],
  getItem: (name) => kept.get(name), setItem: (name, value) => kept.set(name, value),
  removeItem: (name) => kept.delete(name),
};
const answers = [];
let emptied;
const send = async (path, body) => {
  sent.push({path, ...body});
  const next = answers.shift() ?? {episode_id: path, revision: sent.length};
  if (next.status !== undefined) throw next;
  return next;
};
const tell = {
  changed: () => {}, answered: (entry) => { told.push(['answered', entry.words]); emptied?.(); },
  refused: (entry, refusal) => { told.push([refusal.code, entry.words]); emptied?.(); },
};
const label = (words, expected_revision = 0) => (
  {episode_id: 'e', path: 'e', body: {expected_revision}, words});
const until = (count) => new Promise((resolve) => {
  emptied = () => { if (told.length === count) resolve() };
  emptied();
});
"""


@pytest.fixture
def run(open_page: OpenPage) -> Run:
    """Import a module of the Review page as `m` and return what the code returns."""
    page = open_page(path="/handrail-static/review/places.js")

    def run(module: str, code: str) -> Any:
        body = code if "return " in code else f"return {code}"
        return page.evaluate(
            f"async () => {{ const m = await import('/handrail-static/review/{module}'); {body} }}"
        )

    return run


def test_a_dip_is_the_lowest_step_of_a_fall_that_comes_back_or_ends_the_episode(run: Run) -> None:
    found = run(
        "places.js",
        "m.dips([-0.5, -0.4, -0.8, -0.9, -0.85, -0.3, -0.32, -0.3, null, -0.6, -0.7], [-1, 0])",
    )

    assert found == [3, 10]


def test_small_waves_are_no_dips(run: Run) -> None:
    assert run("places.js", "m.dips([-0.5, -0.45, -0.5, -0.44, -0.5], [-1, 0])") == []


def test_critics_of_different_ranges_are_compared_by_their_shares(run: Run) -> None:
    spans = run(
        "places.js",
        "m.differences([-0.5, -0.5, -0.9, -0.9, null], [50, 60, 50, 10, 10], [-1, 0], [0, 100])",
    )

    assert spans == [[2, 3]]


def test_the_next_place_lies_strictly_on_its_side(run: Run) -> None:
    found = run("places.js", "[m.nextPlace([3, 9], 3, 1), m.nextPlace([3, 9], 3, -1) ?? null]")

    assert found == [9, None]


def test_digits_judge_and_with_shift_give_a_range_its_kind(run: Run) -> None:
    acts = run(
        "keys.js",
        f"const key = {KEY}; return [key('Digit1', '1'), key('Digit0', '0'), key('Numpad1', '1'),"
        " key('Digit1', '!', {shiftKey: true}), key('Digit5', '%', {shiftKey: true}),"
        " key('Digit7', '7')]",
    )

    assert acts == [
        {"name": "outcome", "outcome": "success"},
        {"name": "outcome", "outcome": "failure"},
        {"name": "outcome", "outcome": "success"},
        {"name": "range-kind", "kind": "mistake", "number": None},
        {"name": "range-kind", "kind": "subtask", "number": 5},
        None,
    ]


def test_letters_mean_the_same_with_caps_lock_and_only_u_has_a_second_meaning(run: Run) -> None:
    acts = run(
        "keys.js",
        f"const key = {KEY}; const shift = {{shiftKey: true}};"
        " return [key('KeyU', 'U'), key('KeyU', 'U', shift), key('KeyX', 'X', shift),"
        " key('Slash', '?', shift), key('KeyT', 't')].map((act) => act?.name ?? null)",
    )

    assert acts == ["undo", "redo", None, "help", "terminal"]


def test_held_keys_step_on_but_never_label_twice(run: Run) -> None:
    acts = run(
        "keys.js",
        f"const key = {KEY}; const held = {{repeat: true}};"
        " return [key('ArrowRight', 'ArrowRight', held), key('Enter', 'Enter', held),"
        " key('KeyU', 'u', held)].map((act) => act?.name ?? null)",
    )

    assert acts == ["frame-on", None, None]


def test_browser_shortcuts_stay_the_browsers_but_altgr_makes_brackets(run: Run) -> None:
    acts = run(
        "keys.js",
        f"const key = {KEY}; return [key('KeyR', 'r', {{ctrlKey: true}}),"
        " key('Digit8', '[', {ctrlKey: true, altKey: true, getModifierState: () => true})]"
        ".map((act) => act?.name ?? null)",
    )

    assert acts == [None, None]


def test_rows_keep_their_place_when_later_pages_repeat_them(run: Run) -> None:
    state = run(
        "queue.js",
        """const pages = {
             undefined: {items: [{id: 'a'}, {id: 'b'}], total: 4, next_cursor: '2'},
             2: {items: [{id: 'b'}, {id: 'c'}], total: 3, next_cursor: null},
           };
           const queue = new m.Queue({list: async ({cursor}) => pages[cursor], changed: () => {}});
           await queue.begin({order: 'newest'});
           const before = queue.total;
           const place = await queue.find('c');
           queue.update('b', {outcome: 'success'});
           return [before, place, queue.total, queue.at(1), queue.indexOf('z')]""",
    )

    assert state == [4, 2, 3, {"id": "b", "outcome": "success"}, -1]


def test_an_answer_that_was_overtaken_by_another_question_is_dropped(run: Run) -> None:
    state = run(
        "queue.js",
        """const waiting = [];
           const list = () => new Promise((resolve) => waiting.push(resolve));
           const queue = new m.Queue({list, changed: () => {}});
           const first = queue.begin({q: 'slow'}), second = queue.begin({q: 'fast'});
           waiting[1]({items: [{id: 'fast'}], total: 1, next_cursor: null});
           waiting[0]({items: [{id: 'slow'}], total: 1, next_cursor: null});
           return [await first, await second, queue.at(0).id]""",
    )

    assert state == [False, True, "fast"]


def test_labels_are_sent_in_order_and_the_later_one_is_based_on_the_first(run: Run) -> None:
    state = run(
        "outbox.js",
        f"""{OUTBOX}
            const box = new m.Outbox({{tell, storage, send}});
            answers.push({{episode_id: 'e', revision: 41}});
            box.put(label('first')); box.put(label('second'));
            await until(2);
            return [sent.map((one) => one.expected_revision), told, kept.size,
              new Set(sent.map((one) => one.event_id)).size]""",
    )

    assert state == [[0, 41], [["answered", "first"], ["answered", "second"]], 0, 2]


def test_a_label_the_server_did_not_answer_is_kept_and_sent_again_as_the_same(run: Run) -> None:
    state = run(
        "outbox.js",
        f"""{OUTBOX}
            answers.push({{status: 0}}, {{status: 503}});
            const box = new m.Outbox({{tell, storage, send}});
            box.put(label('one'));
            await until(1);
            return [sent.length, new Set(sent.map((one) => one.event_id)).size, kept.size]""",
    )

    assert state == [3, 1, 0]


def test_a_reload_finds_what_was_not_sent(run: Run) -> None:
    state = run(
        "outbox.js",
        f"""{OUTBOX}
            const lost = new m.Outbox({{tell, storage, send: () => new Promise(() => {{}})}});
            lost.put(label('one')); lost.put(label('two')); lost.close();
            const box = new m.Outbox({{tell, storage, send}});
            const before = box.unsent;
            box.begin();
            await until(2);
            return [before, told.map(([, words]) => words), box.unsent]""",
    )

    assert state == [2, ["one", "two"], 0]


def test_a_refused_label_is_told_and_does_not_hold_up_the_next(run: Run) -> None:
    state = run(
        "outbox.js",
        f"""{OUTBOX}
            answers.push({{status: 409, code: 'conflict'}});
            const box = new m.Outbox({{tell, storage, send}});
            box.put(label('one')); box.put(label('two'));
            await until(2);
            return [told, kept.size]""",
    )

    assert state == [[["conflict", "one"], ["answered", "two"]], 0]


def test_a_refused_label_stays_kept_until_somebody_has_decided(run: Run) -> None:
    state = run(
        "outbox.js",
        f"""{OUTBOX}
            answers.push({{status: 409, code: 'conflict'}});
            let decide;
            const decision = new Promise((resolve) => {{ decide = resolve; }});
            const asked = new Promise((resolve) => {{
              tell.refused = () => {{ resolve(); return decision; }};
            }});
            const box = new m.Outbox({{tell, storage, send}});
            box.put(label('one'));
            await asked;
            const before = kept.size;
            decide(); await decision; await null;
            return [before, kept.size]""",
    )

    assert state == [1, 0]


def test_events_are_told_in_words(run: Run) -> None:
    words = run(
        "said.js",
        """[
          {kind: 'outcome', new: {outcome: 'failure'}},
          {kind: 'exclude', new: {excluded: true, reason: 'slipped'}},
          {kind: 'terminal', new: {step: 9}},
          {kind: 'subtask', new: {text: 'reach'}, start_step: 0, end_step: 5},
          {kind: 'undo', target_id: 12},
        ].map(m.saidWords)""",
    )

    assert words == [
        "✗ failure",
        "left out of training: slipped",
        "success at frame 10",
        "subtask “reach”, frames 1–5",
        "took back event 12",
    ]


def test_a_row_of_the_timeline_has_room_for_everything_it_shows(run: Run) -> None:
    rows = run(
        "tracks.js",
        """const curve = (id, support) => ({
            checkpoint_id: id, value: [-0.5, null], spread: null, advantage: [0.1, -0.1],
            words: ['positive', 'negative'], support, threshold: 0,
          });
          return m.rowsOf({
            curves: [curve('a/1', [-1, 0]), curve('b/1', [-2, 0])], rewards: [-0.1, 0],
            returns: [-0.1, 0], labels: {},
            columns: {action: [[1], [2]], action_names: ['j.pos'], state: [], state_names: []},
          }).map(({name, lines}) => [name, lines.map((line) => line.name)]);""",
    )

    assert [row[0] for row in rows] == ["value", "advantage", "return", "action"]
    assert rows[0][1] == ["a/1", "b/1"]
    assert rows[3][1] == ["j"]
    assert run("tracks.js", "m.around(0, [2, null], [-1])") == pytest.approx([-1.18, 2.18])


def test_flags_follow_a_label_at_once(run: Run) -> None:
    flags = run(
        "said.js",
        "m.flagsAfter(['unlabeled', 'disagree'], {outcome: 'success', excluded: true, note: '',"
        " ranges: [{kind: 'mistake'}]})",
    )

    assert flags == ["disagree", "excluded", "mistake"]
