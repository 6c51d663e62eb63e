"""How the Data page words what it lists."""

from pathlib import Path

import pytest

from app.data_rows import EPISODE_HEADERS, episode_rows, job_html, load_code, log_tail, plan_text
from app.wording import counted, length, share, size
from backend.db.models import EpisodeRow, JobRow
from backend.domain import EpisodeState, JobState, Outcome


def episode(**changes: object) -> EpisodeRow:
    fields = {
        "id": "7f3a0000-aaaa",
        "session_id": None,
        "number": 1,
        "state": EpisodeState.FINISHED.value,
        "end_reason": "success",
        "robot": "so101_sim_touch",
        "task": "Touch the red cube",
        "policy": "scripted",
        "checkpoint_id": None,
        "operator": "Ana",
        "fps": 10.0,
        "num_steps": 123,
        "num_human_steps": 31,
        "started_s": 1_790_000_000.0,
        "ended_s": None,
        "outcome": Outcome.SUCCESS.value,
        "label_revision": 1,
        "cameras": [],
        "joints": [],
    }
    return EpisodeRow(**{**fields, **changes})


def job(state: JobState, **changes: object) -> JobRow:
    fields = {
        "id": "j",
        "kind": "export",
        "params": {"repo_id": "local/first"},
        "state": state.value,
        "progress": 0.42,
        "message": "writing <video>",
    }
    return JobRow(**{**fields, **changes})


SUMMARY = {
    "repo_id": "local/first",
    "episodes": 3,
    "frames": 1200,
    "bytes": 5_300_000,
    "fps": 10.0,
    "columns": ["observation.state", "action"],
    "outcomes": {"success": 2, "none": 1},
    "unlabeled": ["7f3a0000-aaaa"],
    "skipped": [{"id": "91bc1111-bbbb", "reason": "excluded by Ana"}],
}


def test_an_episode_is_one_row_of_words_with_units() -> None:
    (row,) = episode_rows([episode()])
    named = dict(zip(EPISODE_HEADERS, row, strict=True))

    assert named["outcome"] == "✓ success"
    assert named["length"] == "12.3 s"
    assert named["human"] == "25 %"
    assert named["policy"] == "scripted"
    assert named["id"] == "7f3a0000"


@pytest.mark.parametrize(
    ("state", "word"),
    [
        (EpisodeState.RECORDING, "● recording"),
        (EpisodeState.UNFINISHED, "■ unfinished"),
        (EpisodeState.RECOVERED, "✓ success · recovered"),
    ],
)
def test_an_episode_that_is_not_simply_finished_says_so(state: EpisodeState, word: str) -> None:
    assert episode_rows([episode(state=state.value)])[0][0] == word


def test_the_checkpoint_names_the_policy_when_there_is_one() -> None:
    row = episode_rows([episode(checkpoint_id="run7/1200")])[0]

    assert row[EPISODE_HEADERS.index("policy")] == "run7/1200"


def test_a_plan_says_what_is_written_what_is_ungraded_and_what_is_left_out() -> None:
    text = plan_text(SUMMARY)

    assert "3 episodes" in text
    assert "1,200 frames at 10 Hz" in text
    assert "5.3 MB" in text
    assert "1 episode without a grade" in text
    assert "`91bc1111` excluded by Ana" in text


def test_an_empty_plan_says_what_to_do() -> None:
    text = plan_text({**SUMMARY, "episodes": 0, "skipped": []})

    assert "Nothing to export" in text
    assert "Live page" in text


def test_a_job_shows_state_progress_and_its_message_as_text() -> None:
    html = job_html(job(JobState.RUNNING))

    assert "42 %" in html
    assert "writing &lt;video&gt;" in html
    assert "No export" in job_html(None)


def test_only_a_finished_export_says_how_to_load_it(tmp_path: Path) -> None:
    assert load_code(job(JobState.RUNNING), tmp_path) == ""
    lines = load_code(job(JobState.DONE), tmp_path).splitlines()

    assert len(lines) == 2
    compile("\n".join(lines), "shown", "exec")
    assert str(tmp_path / "datasets" / "local/first") in lines[1]


def test_the_log_shows_its_end(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    assert log_tail(path) == ""
    path.write_text("x" * 5000 + "the end")

    assert log_tail(path, num_bytes=7) == "the end"


def test_words_agree_with_their_numbers() -> None:
    assert counted(1, "episode") == "1 episode"
    assert counted(1200, "frame") == "1,200 frames"
    assert length(45, 10.0) == "4.5 s · 45 steps"
    assert [size(n) for n in (12, 3_400, 5_300_000, 77_000_000_000)] == [
        "12 B",
        "3.4 KB",
        "5.3 MB",
        "77.0 GB",
    ]
    assert share(1, 3) == "33 %"
    assert share(0, 0) == "–"
