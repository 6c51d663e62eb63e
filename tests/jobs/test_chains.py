"""Jobs that wait for other jobs."""

import json

import pytest
from sqlalchemy import event

from backend.db.models import CheckpointRow, JobRow
from backend.domain import JobKind, JobState
from backend.jobs.child import CONFIG_FILE
from backend.jobs.kinds import JobParamsError
from backend.jobs.orders import Order
from backend.jobs.runner import JobStateError
from tests.jobs.runner_world import World, closing_world

TRAIN, SCORE, VIDEO = JobKind.TRAIN, JobKind.SCORE, JobKind.VIDEO


class Chains(World):
    kinds = (TRAIN, SCORE, VIDEO)

    def chain(self, *orders, after=()) -> list[str]:
        made = [Order(kind=kind, params=params) for kind, params in orders]
        return [row.id for row in self.runner.submit_chain(made, "ana", after=after)]

    def states(self, *ids) -> list[str]:
        return [self.row(id).state for id in ids]

    def ends(self, id, state, message="") -> None:
        """As if its child had run and ended so."""
        with self.database.write() as db:
            row = db.get(JobRow, id)
            row.state, row.message = state.value, message

    def save_checkpoint(self, job_id, step) -> None:
        with self.database.write() as db:
            db.add(
                CheckpointRow(
                    id=f"touch/{step:06d}", job_id=job_id, parent_id=None, step=step,
                    created_s=float(step), size_bytes=7, label_revision=0, probes={},
                    promoted_s=None,
                )
            )  # fmt: skip


@pytest.fixture
def world(database, tmp_path):
    with closing_world(Chains(database, tmp_path)) as world:
        yield world


def test_a_job_begins_when_the_one_before_it_is_done(world):
    first, second = world.chain((SCORE, {"work_s": 0.2}), (VIDEO, {}))

    world.until_begun(first)
    world.runner.poll()
    assert world.states(first, second) == ["running", "queued"]
    assert world.row(second).message == f"waits for scoring {first[:8]}"
    world.until_over(second)

    assert world.states(first, second) == ["done", "done"]
    assert world.row(second).after == [first]


def test_what_follows_a_failure_is_cancelled_and_says_why(world):
    train, score, video = world.chain((TRAIN, {}), (SCORE, {}), (VIDEO, {}))
    world.ends(train, JobState.FAILED, "the disk is full")

    world.runner.poll()
    world.runner.poll()

    assert world.states(train, score, video) == ["failed", "cancelled", "cancelled"]
    assert world.row(score).message == (
        f"not begun: training {train[:8]} failed (the disk is full); resuming that brings this back"
    )
    assert world.row(video).message.startswith(f"not begun: scoring {score[:8]} was cancelled;")
    assert world.row(video).started_s is None


def test_resuming_what_failed_brings_back_what_it_held_up(world):
    train, score, video = world.chain((TRAIN, {}), (SCORE, {}), (VIDEO, {}))
    world.runner.cancel(train)
    world.runner.poll()
    world.runner.poll()
    with pytest.raises(JobStateError, match=f"which is cancelled: resume job {train}"):
        world.runner.resume(score)

    world.runner.resume(train)

    assert world.states(train, score, video) == ["queued"] * 3
    assert world.row(score).result == {}
    world.ends(train, JobState.DONE)
    world.ends(score, JobState.DONE)
    assert world.until_over(video).state == JobState.DONE


def test_what_somebody_cancelled_himself_stays_cancelled(world):
    train, score = world.chain((TRAIN, {}), (SCORE, {}))
    world.runner.cancel(score)
    world.runner.cancel(train)

    world.runner.resume(train)

    assert world.states(train, score) == ["queued", "cancelled"]


def test_a_chain_goes_on_after_a_restart_of_the_server(world):
    first, second = world.chain((SCORE, {}), (VIDEO, {}))
    world.runner.close()

    after = world.restarted()
    assert world.until_over(second, after).state == JobState.DONE
    assert world.row(first).state == JobState.DONE
    after.close()


def test_orders_may_speak_of_the_checkpoint_that_a_training_will_have_made(world):
    train, score, video = world.chain(
        (TRAIN, {}), (SCORE, {"checkpoint": "job:first"}), (VIDEO, {"checkpoint": "job:first"})
    )
    assert world.row(score).params == {"checkpoint": f"job:{train}"}
    assert set(world.row(video).after) == {score, train}
    for step in (500, 1000):
        world.save_checkpoint(train, step)
    world.ends(train, JobState.DONE)

    world.runner.poll()

    assert world.row(score).params == {"checkpoint": "touch/001000"}
    orders = json.loads((world.runner.folder(score) / CONFIG_FILE).read_text())
    assert orders == {"kind": "score", "params": {"checkpoint": "touch/001000"}}


def test_a_training_that_left_no_checkpoint_is_named(world):
    train, score = world.chain((TRAIN, {}), (SCORE, {"checkpoint": "job:first"}))
    world.ends(train, JobState.DONE)

    world.runner.poll()

    assert world.row(score).state == JobState.FAILED
    assert world.row(score).message == f"training {train} has left no checkpoint to work with"


def test_orders_are_there_before_another_servers_runner_can_see_the_jobs(world):
    seen = []
    event.listen(
        world.database.engine,
        "commit",
        lambda _connection: seen.append(len(list(world.data_dir.glob(f"jobs/*/{CONFIG_FILE}")))),
    )

    world.chain((SCORE, {}), (VIDEO, {}))

    assert seen == [2]


def test_a_chain_is_queued_wholly_or_not_at_all(world):
    done, lost = world.chain((SCORE, {}))[0], world.chain((SCORE, {}))[0]
    world.runner.cancel(lost)

    for after, why in (
        (["f" * 32], "is not there"),
        ([lost], "is cancelled: resume it first"),
    ):
        with pytest.raises(JobParamsError, match=why):
            world.chain((SCORE, {}), (VIDEO, {}), after=after)
    with pytest.raises(JobParamsError, match="nonsense"):
        world.chain((SCORE, {}), (VIDEO, {"nonsense": 1}))
    with pytest.raises(JobParamsError, match="only trainings make checkpoints"):
        world.chain((SCORE, {}), (VIDEO, {"checkpoint": "job:first"}))

    with world.database.read() as db:
        assert {row.id for row in db.query(JobRow)} == {done, lost}
