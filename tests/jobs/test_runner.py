import contextlib
import os
import signal
import subprocess
import threading
from pathlib import Path

import psutil
import pytest

from backend.db.models import JobRow
from backend.db.queries import job_metrics, list_jobs
from backend.domain import JobKind, JobState
from backend.jobs.child import INBOX_FILE
from backend.jobs.kinds import JobParamsError
from backend.jobs.runner import JobNotFoundError, JobStateError
from tests.db.database_fixtures import episode_row, label_row
from tests.jobs.runner_world import world

__all__ = ["world"]


def test_a_job_waits_runs_reports_and_is_done(world):
    with world.database.write() as db:
        db.add(episode_row())
        db.flush()
        db.add(label_row())
    id = world.submit()
    assert world.row(id).state == JobState.QUEUED
    assert world.row(id).command[1:3] == ["-m", "tests.jobs.obedient_job"]

    row = world.until_over(id)

    assert (row.state, row.progress) == (JobState.DONE, 1.0)
    assert row.result == {"answer": 42}
    assert row.label_revision == 1
    assert row.ended_s == world.clock.now_s
    assert world.recorded == [{"answer": 42}]
    assert "all done" in world.runner.log_path(id).read_text()
    with world.database.read() as db:
        metrics = [(m.name, m.step, m.value) for m in job_metrics(db, id)]
    assert metrics == [("loss", 1, 0.5), ("lr", 1, 0.1)]


def test_jobs_of_one_lane_run_one_after_the_other(world):
    first, second = world.submit(work_s=0.3), world.submit()

    world.until_begun(first)
    world.runner.poll()
    assert world.row(second).state == JobState.QUEUED
    assert world.row(second).message == f"waits for its turn, after export {first[:8]}"

    assert world.until_over(second).state == JobState.DONE
    assert world.row(first).state == JobState.DONE


def test_progress_is_seen_while_the_job_runs(world):
    id = world.submit(work_s=60)
    world.until_begun(id)
    world.until(lambda: world.row(id).progress == 0.25)

    assert world.row(id).message == "working"


def test_orders_that_make_no_sense_are_never_queued(world):
    with pytest.raises(JobParamsError, match="nonsense is not possible"):
        world.submit(nonsense=True)
    with pytest.raises(JobParamsError, match="train jobs cannot be run; possible: export"):
        world.runner.submit(JobKind.TRAIN, {}, "ana")

    with world.database.read() as db:
        assert list_jobs(db).total == 0


def test_a_failure_says_why_in_the_row_and_its_log(world):
    explained = world.until_over(world.submit(fail="the disk is full"))
    crashed = world.until_over(world.submit(crash=True))

    assert (explained.state, explained.message) == (JobState.FAILED, "the disk is full")
    assert (crashed.state, crashed.message) == (
        JobState.FAILED,
        "ZeroDivisionError: cannot divide",
    )
    assert "Traceback" in world.runner.log_path(crashed.id).read_text()
    assert "Traceback" not in world.runner.log_path(explained.id).read_text()


def test_a_killed_job_failed_and_what_it_left_is_cleaned(world):
    id = world.submit(work_s=60)
    row = world.until_begun(id)
    world.cleaned.clear()

    os.kill(row.pid, signal.SIGKILL)
    row = world.until_over(id)

    assert row.state == JobState.FAILED
    assert row.message == "ended without a result (killed by SIGKILL); see its log"
    assert world.cleaned == [id]


def test_a_result_that_cannot_be_recorded_stops_no_other_job(world):
    odd, good = world.submit(unrecordable=True), world.submit()

    assert world.until_over(odd).state == JobState.FAILED
    assert "cannot be recorded" in world.row(odd).message
    assert world.until_over(good).state == JobState.DONE


def test_a_waiting_job_is_cancelled_at_once(world):
    id = world.submit()

    world.runner.cancel(id)

    assert world.row(id).state == JobState.CANCELLED
    with pytest.raises(JobStateError, match="is cancelled already"):
        world.runner.cancel(id)


def test_a_running_job_is_asked_to_stop(world):
    id = world.submit(work_s=60)
    world.until_begun(id)

    assert world.runner.cancel(id).message == "stopping"
    world.runner.cancel(id)

    assert world.until_over(id).state == JobState.CANCELLED


def test_a_job_that_does_not_obey_is_killed_after_a_grace(world):
    id = world.submit(work_s=60, stubborn=True)
    row = world.until_begun(id)
    world.runner.cancel(id)
    world.clock.now_s += 9.9
    world.runner.poll()
    assert psutil.Process(row.pid).status() != psutil.STATUS_ZOMBIE

    world.clock.now_s += 0.2

    assert world.until_over(id).state == JobState.CANCELLED


def test_a_job_that_was_asked_is_killed_at_once_when_somebody_insists(world):
    id = world.submit(work_s=60, stubborn=True)
    world.until_begun(id)
    world.runner.cancel(id)

    world.runner.cancel(id, force=True)

    assert world.until_over(id).state == JobState.CANCELLED


def test_a_failed_job_can_be_resumed_with_the_same_orders(world):
    id = world.submit(fail="no luck")
    world.until_over(id)

    world.runner.resume(id)
    assert world.row(id).state == JobState.QUEUED
    row = world.until_over(id)

    assert (row.state, row.message) == (JobState.FAILED, "no luck")
    assert world.runner.log_path(id).read_text().count("no luck") == 2


def test_a_done_or_unknown_job_cannot_be_resumed(world):
    id = world.submit()
    world.until_over(id)

    with pytest.raises(JobStateError, match="is done; only failed and cancelled"):
        world.runner.resume(id)
    with pytest.raises(JobNotFoundError, match="no job nobody"):
        world.runner.resume("nobody")


def test_a_job_outlives_the_server_and_is_followed_by_the_next(world):
    id = world.submit(work_s=0.5)
    pid = world.until_begun(id).pid
    world.runner.close()
    world.runner.close()

    after = world.restarted()
    after.poll()
    assert world.row(id).state == JobState.RUNNING
    assert world.row(id).pid == pid
    row = world.until_over(id, after)

    assert (row.state, row.result) == (JobState.DONE, {"answer": 42})


def test_a_job_that_ended_while_no_server_ran_is_taken_in(world):
    id = world.submit(work_s=0.1)
    pid = world.until_begun(id).pid
    world.runner.close()
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(pid).wait(timeout=10)

    after = world.restarted()
    after.poll()

    assert world.row(id).state == JobState.DONE


def test_a_job_whose_start_was_never_noted_is_not_started_twice(world):
    id = world.submit(work_s=60)
    row = world.row(id)
    child = subprocess.Popen(row.command, cwd=Path(__file__).parents[2], start_new_session=True)
    try:
        world.runner.poll()

        assert world.row(id).state == JobState.RUNNING
        assert world.row(id).pid == child.pid
    finally:
        child.kill()
        child.wait()


def test_a_foreign_process_with_the_same_pid_is_never_signalled(world):
    id = world.submit(work_s=60)
    real = world.until_begun(id)
    os.kill(real.pid, signal.SIGKILL)
    stranger = subprocess.Popen(["sleep", "60"], start_new_session=True)
    try:
        with world.database.write() as db:
            row = db.get(JobRow, id)
            row.pid = stranger.pid
            row.pid_started_s -= 60
        world.runner.close()
        after = world.restarted()
        after.cancel(id)
        world.clock.now_s += 60
        world.until_over(id, after)

        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_only_one_of_two_runners_starts_jobs(world):
    world.runner.poll()
    id = world.submit()
    world.runner.poll()
    other = world.restarted()
    waiting = other.submit(JobKind.EXPORT, {}, "ben").id
    other.poll()
    assert world.row(waiting).state == JobState.QUEUED

    world.until_over(id)
    world.runner.close()

    assert world.until_over(waiting, other).state == JobState.DONE
    other.close()


def test_half_a_line_in_the_inbox_waits_for_its_end(world):
    id = world.submit(work_s=60)
    world.until_begun(id)
    world.until(lambda: world.row(id).progress == 0.25)
    inbox = world.runner.folder(id) / INBOX_FILE
    with inbox.open("a") as file:
        file.write('not json\n{"progress": 0.5, "mess')
        file.flush()
        world.runner.poll()
        assert world.row(id).progress == 0.25
        file.write('age": "half"}\n')

    world.runner.poll()

    assert (world.row(id).progress, world.row(id).message) == (0.5, "half")


def test_the_thread_polls_until_it_is_closed(world):
    world.runner.start()
    id = world.submit()
    done = threading.Event()
    for _ in range(1000):
        if world.row(id).state == JobState.DONE or done.wait(0.01):
            break

    world.runner.close()

    assert world.row(id).state == JobState.DONE
    assert "job runner" not in {thread.name for thread in threading.enumerate()}


def test_news_reach_their_kind_while_the_job_runs(world):
    heard = []
    id = world.submit(work_s=60)
    world.until_begun(id)
    world.take_news = lambda _db, row, news: heard.append((row.id, news))
    with (world.runner.folder(id) / INBOX_FILE).open("a") as file:
        file.write('{"news": {"checkpoint": "a/000001"}}\n')

    world.runner.poll()

    assert heard == [(id, {"checkpoint": "a/000001"})]


def test_news_that_cannot_be_taken_change_nothing_and_stop_no_job(world):
    id = world.submit(work_s=60)
    world.until_begun(id)

    def stumble(db, row, _news):
        row.message = "half done"
        db.add(label_row(episode_id="nobody"))
        db.flush()

    world.take_news = stumble
    with (world.runner.folder(id) / INBOX_FILE).open("a") as file:
        file.write('{"news": {}}\n{"progress": 0.5, "message": "half"}\n')

    world.runner.poll()

    assert (world.row(id).progress, world.row(id).message) == (0.5, "half")


def test_numbers_that_are_not_finite_are_left_out(world):
    id = world.submit(work_s=60)
    world.until_begun(id)
    with (world.runner.folder(id) / INBOX_FILE).open("a") as file:
        file.write(
            '{"step": 2, "metrics": {"gap": NaN, "far": Infinity, "loss": 0.25}, "t_s": 5}\n'
        )

    world.runner.poll()

    with world.database.read() as db:
        assert [(m.name, m.value) for m in job_metrics(db, id) if m.step == 2] == [("loss", 0.25)]


def test_a_kind_may_grant_its_jobs_more_time_to_stop(world):
    world.runner.close()
    world.kind_grace_s = 60.0
    world.runner = world.restarted()
    id = world.submit(work_s=60, stubborn=True)
    row = world.until_begun(id)
    world.runner.cancel(id)
    world.clock.now_s += 59
    world.runner.poll()
    assert psutil.Process(row.pid).status() != psutil.STATUS_ZOMBIE

    world.clock.now_s += 2

    assert world.until_over(id).state == JobState.CANCELLED


def test_a_kind_may_put_a_launcher_in_front_of_its_module(world):
    world.launcher = lambda params: ["-X", params["mode"]]

    id = world.restarted().submit(JobKind.EXPORT, {"mode": "utf8"}, "ana").id

    assert world.row(id).command[1:5] == ["-X", "utf8", "-m", "tests.jobs.obedient_job"]
