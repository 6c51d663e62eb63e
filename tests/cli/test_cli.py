import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from backend.__main__ import main
from backend.db.engine import migrate, open_database, sqlite_url
from backend.db.models import JobRow
from backend.db.queries import list_jobs
from backend.domain import JobState
from backend.intake import reconcile
from tests.db.database_fixtures import session_row
from tests.episodes.episode_fixtures import STARTED_S, make_header, record
from tests.episodes.test_recovery import leave_unfinished


@pytest.fixture
def data_dir(tmp_path):
    record(tmp_path / "episodes", make_header("e1-7f3a", task="Touch the red cube"))
    record(tmp_path / "episodes", make_header("e2-91bc", started_s=STARTED_S + 60, task="Lift it"))
    return tmp_path


@pytest.fixture
def handrail(data_dir, capsys):
    """Run one command in this process; return its exit code and its JSON, or its text."""

    def run(*words: str, text: bool = False):
        flags = ["--data-dir", str(data_dir), "--author", "ana"]
        code = main([*flags, *words, *([] if text else ["--json"])])
        out, err = capsys.readouterr()
        return code, (out + err if text else json.loads(out))

    return run


def test_episodes_are_listed_even_when_no_server_has_seen_them(handrail):
    code, listing = handrail("episodes")

    assert code == 0
    assert [item["id"] for item in listing["items"]] == ["e2-91bc", "e1-7f3a"]
    assert listing["items"][0]["outcome"] == "success"
    assert listing["total"] == 2


def test_episodes_are_filtered_and_paged(handrail):
    assert handrail("episodes", "--q", "lift")[1]["items"][0]["id"] == "e2-91bc"
    assert handrail("episodes", "--outcome", "failure")[1]["items"] == []
    _, first = handrail("episodes", "--limit", "1", "--order", "oldest")
    _, second = handrail(
        "episodes", "--limit", "1", "--order", "oldest", "--cursor", first["next_cursor"]
    )

    assert [p["items"][0]["id"] for p in (first, second)] == ["e1-7f3a", "e2-91bc"]


def test_people_get_a_table(handrail):
    code, text = handrail("episodes", text=True)

    assert code == 0
    assert text.splitlines()[0].split()[:3] == ["id", "outcome", "length"]
    assert "e1-7f3a  success  2.5 s   20%" in text


def test_labels_are_said_taken_back_and_told(handrail):
    handrail("episodes")
    assert handrail("label", "failure", "e1")[1]["outcome"] == "failure"
    assert handrail("label", "note", "e1", "cube slipped")[1]["note"] == "cube slipped"
    assert handrail("label", "exclude", "e1", "bad light")[1]["excluded"] is True
    assert handrail("label", "undo")[1]["excluded"] is False
    assert handrail("label", "redo")[1]["excluded"] is True
    assert handrail("label", "include", "e1")[1]["excluded"] is False
    _, events = handrail("label", "history", "e1")
    kinds = ["outcome", "outcome", "note", "exclude", "undo", "redo", "exclude"]
    assert [event["kind"] for event in events] == kinds
    assert {event["source"] for event in events} == {"key", "cli"}

    _, reverted = handrail("label", "revert", "e1", str(events[0]["id"]))

    assert (reverted["outcome"], reverted["note"]) == ("success", "")
    assert handrail("episodes", "e1")[1]["labels"]["outcome"] == "success"


def test_steps_are_called_something_and_the_end_is_moved(handrail):
    handrail("episodes")
    handrail("label", "mistake", "e1", "2", "9")
    _, both = handrail("label", "correction", "e1", "5", "7", "slid off")
    assert [(r["kind"], r["start_step"], r["end_step"]) for r in both["ranges"]] == [
        ("mistake", 2, 5),
        ("correction", 5, 7),
        ("mistake", 7, 9),
    ]
    _, left = handrail("label", "erase", "e1", str(both["ranges"][1]["id"]))
    assert [(r["start_step"], r["end_step"]) for r in left["ranges"]] == [(2, 9)]
    assert handrail("label", "subtask", "e1", "0", "5", "reach")[1]["ranges"][0]["text"] == "reach"
    assert handrail("label", "end", "e1", "12")[1]["terminal_step"] == 12
    assert handrail("label", "end", "e1")[1]["terminal_step"] is None
    _, told = handrail("label", "history", "e1", text=True)
    assert "5–7" in told
    assert "correction 5–7 slid off" in told
    assert handrail("episodes", "--flag", "mistake")[1]["total"] == 1


def test_all_episodes_of_a_filter_are_labelled_after_a_look(handrail):
    _, shown = handrail("label", "matching", "failure", "--task", "Lift it", text=True)
    assert shown == (
        "1 episodes match (1 success), 0 are so already\n1 would change; do it with --yes\n"
    )
    assert handrail("episodes", "--outcome", "failure")[1]["total"] == 0

    _, done = handrail("label", "matching", "failure", "--yes")
    assert (done["matched"], done["would_change"], done["done"]) == (2, 2, True)
    assert handrail("episodes", "--outcome", "failure")[1]["total"] == 2
    assert sorted(handrail("label", "undo")[1]["changed"]) == ["e1-7f3a", "e2-91bc"]
    assert handrail("episodes", "--outcome", "failure")[1]["total"] == 0


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("label", "success", "nobody"), "usage", "there is no episode nobody"),
        (("label", "success", "e"), "usage", "several episodes begin with e"),
        (("label", "undo", "--author", "ben"), "nothing_to_undo", "ben has nothing to undo"),
        (("episodes", "--cursor", "xyz"), "invalid_page", "is no cursor"),
        (("jobs", "show", "1"), "usage", "there is no job 1"),
        (("export", "touch", "--dry-run"), "export_params", "two names with a slash"),
        (("export", "a/b", "--episodes", "e1", "--q", "x"), "usage", "cannot be combined"),
    ],
)
def test_mistakes_are_explained_in_one_line(handrail, words, code, message):
    handrail("episodes")
    exit_code, answer = handrail(*words)

    assert exit_code == 1
    assert answer["error"]["code"] == code
    assert message in answer["error"]["message"]
    assert handrail(*words, text=True)[1].startswith("error: ")


def test_a_missing_data_directory_is_not_made(tmp_path, capsys):
    missing = tmp_path / "nowhere"

    assert main(["--data-dir", str(missing), "episodes"]) == 1

    assert "name it with --data-dir" in capsys.readouterr().err
    assert not missing.exists()


def test_flags_stand_before_or_behind_the_command(data_dir, capsys):
    assert main(["episodes", "--data-dir", str(data_dir), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["total"] == 2


def test_takes_are_listed_recovered_and_discarded(handrail, data_dir):
    for id in ("torn-1", "torn-2", "torn-3"):
        leave_unfinished(data_dir / "episodes", id)
    assert [take["id"] for take in handrail("recover")[1]["items"]] == [
        "torn-1",
        "torn-2",
        "torn-3",
    ]

    assert handrail("recover", "torn-1")[1][0]["state"] == "recovered"
    _, discarded = handrail("recover", "--discard", "torn-2")
    assert Path(discarded[0]["folder"]) == data_dir / "discarded" / "torn-2"
    assert handrail("recover", "--all")[1][0]["id"] == "torn-3"
    assert handrail("recover")[1]["items"] == []


def test_sessions_and_robots_are_listed(handrail, data_dir):
    migrate(sqlite_url(data_dir))
    database = open_database(sqlite_url(data_dir))
    with database.write() as db:
        db.add(session_row("s1"))
    database.close()

    assert handrail("sessions")[1]["items"][0]["robot"] == "so101_sim_touch"
    assert "so101_sim_touch" in [item["name"] for item in handrail("robots", "list")[1]["items"]]


def test_a_robot_is_checked_before_it_may_move(handrail):
    code, ready = handrail("robots", "check", "synthetic")
    assert (code, ready["may_move"]) == (0, True)

    # The arm of this config is on a port that no test machine has.
    code, missing = handrail("robots", "check", "koch")

    assert (code, missing["may_move"]) == (1, False)
    blocking = [found for found in missing["findings"] if found["level"] == "blocking"]
    assert all(found["remedy"] for found in blocking)


def test_a_dry_run_writes_nothing(handrail, data_dir):
    code, plan = handrail("export", "local/touch", "--outcome", "success", "--dry-run")

    assert code == 0
    assert (plan["episodes"], plan["frames"]) == (2, 50)
    assert not (data_dir / "datasets").exists()
    assert handrail("jobs")[1]["items"] == []


def test_a_waiting_job_can_be_left_to_the_server_and_cancelled(handrail, data_dir):
    _, job = handrail("export", "local/touch", "--detach")
    assert job["state"] == "queued"

    code, cancelled = handrail("jobs", "cancel", job["id"][:8])

    assert (code, cancelled["state"]) == (0, "cancelled")
    assert handrail("jobs", "list")[1]["items"][0]["id"] == job["id"]
    assert handrail("jobs", "log", job["id"])[1] == {"log": ""}
    assert handrail("jobs", "metrics", job["id"])[1] == []
    assert handrail("jobs", "cancel", job["id"])[0] == 1


def test_a_training_is_queued_with_what_follows_it(handrail):
    _, queued = handrail(
        "train", "--preset", "debug", "--run", "touch", "--set", "optimizer.batch_size=2",
        "--outcome", "success", "--dataset", "team/demos", "--videos", "--detach",
    )  # fmt: skip

    train, score, video = queued["items"]
    assert train["params"]["run"] == "touch"
    assert train["params"]["overrides"] == {"optimizer.batch_size": 2}
    assert train["params"]["sources"] == [
        {"kind": "store", "episodes": {"outcome": "success", "q": ""}},
        {"kind": "dataset", "repo_id": "team/demos"},
    ]
    assert (score["kind"], score["params"]) == ("score", {"checkpoint": f"job:{train['id']}"})
    assert (video["kind"], set(video["after"])) == ("video", {train["id"], score["id"]})
    _, later = handrail("video", "--every", "2", "--after", score["id"][:8], "--detach")
    assert later["after"] == [score["id"]]
    code, refusal = handrail("score", "nobody/000001")
    assert code == 1
    assert "no checkpoint nobody/000001" in refusal["error"]["message"]


def test_an_export_waits_for_its_job_and_fails_with_it(handrail, data_dir):
    handrail("episodes")
    for id in ("e1", "e2"):
        handrail("label", "exclude", id, "no use")

    code, answer = handrail("export", "local/touch", text=True)

    assert code == 1
    assert "no episode to export (e1-7f3a excluded: no use" in answer


def test_interrupting_an_export_cancels_its_job(data_dir):
    database = open_migrated(data_dir)
    command = [sys.executable, "-m", "backend", "--data-dir", str(data_dir), "export", "local/a"]
    child = subprocess.Popen(
        command,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # Whoever runs the tests in the background has them, and their children, ignore it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    job = wait_for(lambda: running_job(database))
    child.send_signal(signal.SIGINT)
    out, _ = child.communicate(timeout=60)

    with database.read() as db:
        row = db.get(JobRow, job.id)
    database.close()
    assert row.state == JobState.CANCELLED, out
    assert child.returncode == 0
    assert not any((data_dir / "datasets").glob("*"))


def open_migrated(data_dir):
    migrate(sqlite_url(data_dir))
    database = open_database(sqlite_url(data_dir))
    reconcile(database, data_dir)
    return database


def running_job(database):
    with database.read() as db:
        running = list_jobs(db, states=[JobState.RUNNING]).items
    return running[0] if running else None


def wait_for(condition, timeout_s=30):
    tick = threading.Event()
    for _ in range(int(timeout_s / 0.05)):
        if found := condition():
            return found
        tick.wait(0.05)
    raise AssertionError(f"waited {timeout_s} s in vain")
