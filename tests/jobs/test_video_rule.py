"""Critic videos of every N-th episode. No child is started: what is ordered are rows."""

import pytest

from backend.db.models import CheckpointRow, JobRow
from backend.domain import JobKind, JobState
from backend.jobs.orders import JobOrders
from backend.jobs.video_rule import PeriodicVideos, change_rule, rule_in_force
from tests.db.database_fixtures import episode_row, session_row


class Rule:
    def __init__(self, database, data_dir) -> None:
        self.database = database
        self.data_dir = data_dir
        self.now_s = 1_000.0
        self.orders = JobOrders(database, data_dir, clock=lambda: self.now_s)
        self.periodic = PeriodicVideos(database, data_dir, self.orders)
        self.num_episodes = 0
        with database.write() as db:
            db.add(session_row())

    def set(self, every) -> None:
        with self.database.write() as db:
            change_rule(db, every, author="ana", now_s=self.now_s)

    def record(self, count=1, **changes) -> None:
        for _ in range(count):
            self.num_episodes += 1
            self.now_s += 10.0
            fields = {"session_id": "s1", "ended_s": self.now_s} | changes
            with self.database.write() as db:
                db.add(episode_row(f"e{self.num_episodes}", **fields))

    def save_checkpoint(self, id="touch/000500", *, critic=True) -> None:
        folder = self.data_dir / "checkpoints" / id / "pretrained_model"
        folder.mkdir(parents=True)
        if critic:
            (folder / "critic.safetensors").write_bytes(b"weights")
        self.now_s += 1.0
        with self.database.write() as db:
            db.add(
                CheckpointRow(
                    id=id, job_id=None, parent_id=None, step=int(folder.parent.name),
                    created_s=self.now_s, size_bytes=7, label_revision=0, probes={},
                    promoted_s=None,
                )
            )  # fmt: skip

    def look(self) -> list[JobRow]:
        ids = self.periodic.look()
        with self.database.read() as db:
            return [db.get(JobRow, id) for id in ids]

    def finish(self, *jobs) -> None:
        with self.database.write() as db:
            for job in jobs:
                db.get(JobRow, job.id).state = JobState.DONE.value

    def in_force(self):
        with self.database.read() as db:
            return rule_in_force(db, self.data_dir)


@pytest.fixture
def rule(database, tmp_path):
    return Rule(database, tmp_path)


def test_no_videos_are_made_unless_somebody_wants_them(rule):
    rule.save_checkpoint()
    rule.record(5)

    assert rule.look() == []
    assert rule.in_force().every == 0


def test_every_nth_episode_is_scored_by_the_newest_critic_and_drawn(rule):
    rule.save_checkpoint("touch/000500")
    rule.save_checkpoint("touch/001000")
    rule.save_checkpoint("blind/001500", critic=False)
    rule.set(2)
    rule.record()
    assert rule.look() == []
    assert rule.in_force().num_recorded == 1
    rule.record()

    score, video = rule.look()

    assert (score.kind, video.kind) == (JobKind.SCORE, JobKind.VIDEO)
    wanted = {"checkpoint": "touch/001000", "episodes": ["e2"]}
    assert (score.params, video.params) == ({**wanted, "device": "auto"}, wanted)
    assert video.after == [score.id]
    assert rule.look() == [], "the next counts from here"
    rule.finish(score, video)
    rule.record(2)
    assert rule.look()[0].params["episodes"] == ["e4"]


def test_episodes_of_before_and_those_that_nobody_watched_do_not_count(rule):
    rule.save_checkpoint()
    rule.record(3)
    rule.set(1)
    rule.record(session_id=None)
    rule.record(state="discarded")
    rule.record(excluded=True)

    assert rule.look() == []
    rule.record()
    assert rule.look()[0].params["episodes"] == ["e7"]


def test_a_training_keeps_the_gpu_while_a_video_is_scored(rule):
    rule.save_checkpoint()
    rule.set(1)
    rule.record()
    rule.orders.submit(JobKind.TRAIN, {"preset": "debug"}, "ana")

    score, _video = rule.look()

    assert score.params["device"] == "cpu"


def test_a_slow_machine_makes_fewer_videos_and_no_queue_of_them(rule):
    rule.save_checkpoint()
    rule.set(1)
    rule.record()
    first = rule.look()
    rule.record(3)
    assert rule.look() == []

    rule.finish(*first)

    assert rule.look()[0].params["episodes"] == ["e4"]


def test_the_first_critic_is_waited_for(rule):
    rule.set(2)
    rule.record(3)
    assert rule.look() == []

    rule.save_checkpoint()

    assert rule.look()[0].params["episodes"] == ["e3"]


def test_a_rule_that_makes_no_sense_is_refused(rule):
    with pytest.raises(ValueError, match="0 \\(no videos\\) to 1000 episodes, got -1"):
        rule.set(-1)
