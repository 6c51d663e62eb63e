"""An online learner in one child process: what arrives and what is relabelled while it learns."""

import json
from pathlib import Path

import numpy as np
import pytest

from backend.db.engine import migrate, open_database, sqlite_url
from backend.db.models import JobRow, SessionRow
from backend.domain import JobState
from backend.intake import reconcile
from backend.jobs.label_file import LABELS_FILE, read_label_table
from backend.learning.published_files import published_versions, weights_folder
from backend.statistics import wilson
from tests.jobs.job_processes import run_jobs
from tests.jobs.train_fixtures import record_graded, write_dataset, write_orders

# Runs `live` while things happen to it, stops it, lets more happen, resumes it. Then the rest.
CHILD = """
import json, os, signal, sys
from pathlib import Path
import torch
from backend.db.engine import open_database, sqlite_url
from backend.domain import Outcome
from backend.episodes.labels import LabelKind
from backend.intake import reconcile
from backend.jobs import online_run
from backend.jobs.child import JobCancelledError, run_child
from backend.jobs.online import learn_online
from backend.learning.learner import Learner
from backend.review import add_label
from tests.episodes.episode_fixtures import STARTED_S, make_header, record

torch.set_num_threads(1)
online_run.LOOK_EVERY_S = 0.0
data_dir = Path(sys.argv[1])
database = open_database(sqlite_url(data_dir))

def run(id):
    return run_child(learn_online, ["--data-dir", str(data_dir), "--job-id", id])

def arrive(id, outcome, **changes):
    header = make_header(id, started_s=STARTED_S + 1000 + len(seen), **changes)
    record(data_dir / "episodes", header, num_steps=10, outcome=outcome)
    reconcile(database, data_dir)

def relabel(id, outcome):
    with database.write() as db:
        add_label(db, episode_id=id, kind=LabelKind.OUTCOME, new={"outcome": outcome}, author="bo",
                  source="review", created_s=0.0, event_id=f"{id} is {outcome}")

seen = {}
honest = Learner.train_step

def live(learner):
    step = learner.step
    if step == 3:
        arrive("late", Outcome.SUCCESS)
        relabel("e1", "failure")
    if step == 6:
        os.kill(os.getpid(), signal.SIGTERM)
    metrics = honest(learner)
    seen[step] = {e.episode_id: e.outcome.value for e in learner.sampler.episodes}
    return metrics

Learner.train_step = live
codes = [run("live")]
(data_dir / "jobs/live/result.json").rename(data_dir / "jobs/live/first.json")
arrive("away", Outcome.FAILURE)
Learner.train_step = honest
codes.append(run("live"))
codes.append(run("small"))
codes.append(run("again"))
learned = []
def wordy(learner):
    # In the midst of the actor's stage, when what is new is labelled at once.
    if learner.step == 2:
        arrive("wordy", Outcome.SUCCESS, task="Touch the red cube " * 9)
    learned.append({e.episode_id for e in learner.sampler.episodes})
    return honest(learner)
Learner.train_step = wordy
codes.append(run("wordy"))
assert learned[0] == learned[3], learned
Learner.train_step = honest
def cancelled(_time_s):
    raise JobCancelledError
online_run.time.sleep = cancelled
codes.append(run("early"))
database.close()
print(json.dumps([codes, seen]))
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """The data directory afterwards, and what was learned from in each step of `live`."""
    data_dir = tmp_path_factory.mktemp("data")
    demos = write_dataset(tmp_path_factory.mktemp("demos") / "d")
    live = {
        "preset": "debug",
        "overrides": {"model.tokenizer_max_length": 32},
        "run": "live",
        "session_id": "s1",
        "sources": [{"kind": "dataset", "path": str(demos)}],
        "online_share": 0.5,
        "start_after_episodes": 3,
        "publish_every_steps": 2,
        "checkpoint_every_steps": 100,
        "max_steps": 12,
    }
    orders = {
        "live": live,
        # Room for the newest two of five.
        "small": {**live, "run": "small", "online_capacity": 25, "max_steps": 1},
        "again": live,
        "wordy": {**live, "run": "wordy", "max_steps": 4},
        "early": {**live, "run": "early", "start_after_episodes": 50},
    }
    record_graded(data_dir, 3)
    migrate(sqlite_url(data_dir))
    database = open_database(sqlite_url(data_dir))
    with database.write() as db:
        db.add(
            SessionRow(id="s1", robot="r", policy="p", operator="o", opened_s=0.0, closed_s=None)
        )
        db.add_all(job_row(id, params) for id, params in orders.items())
    reconcile(database, data_dir)
    database.close()
    for id, params in orders.items():
        write_orders(data_dir, id, "online", **params)
    child = run_jobs(CHILD, data_dir)
    codes, seen = json.loads(child.stdout.splitlines()[-1])
    assert codes == [1, 0, 0, 1, 0, 1], child.stdout + child.stderr
    return data_dir, {int(step): outcomes for step, outcomes in seen.items()}


def job_row(id: str, params: dict) -> JobRow:
    return JobRow(
        id=id,
        kind="online",
        params=params,
        state=JobState.RUNNING.value,
        progress=0.0,
        message="",
        command=[],
        author="ana",
        label_revision=0,
        # Later than all episodes: only the session makes them online.
        created_s=2e9,
        started_s=None,
        ended_s=None,
        pid=None,
        pid_started_s=None,
        inbox_offset=0,
        result={},
    )


def ending(world, id, name="result.json"):
    return json.loads((world[0] / "jobs" / id / name).read_text())


def told(world, id, word):
    lines = (world[0] / "jobs" / id / "metrics.jsonl").read_text().splitlines()
    return [line["news"][word] for line in map(json.loads, lines) if word in line.get("news", {})]


def numbers(world, id, name):
    lines = map(json.loads, (world[0] / "jobs" / id / "metrics.jsonl").read_text().splitlines())
    return [line["metrics"][name] for line in lines if name in line.get("metrics", {})]


def test_what_arrives_and_what_is_relabelled_counts_from_the_next_batch_on(world):
    seen = world[1]
    demos = {"success"}

    def online(step):
        return {id: outcome for id, outcome in seen[step].items() if "#" not in id}

    assert online(2) == {"e0": "failure", "e1": "success", "e2": "failure"}
    # In the midst of step 3, so of step 4.
    assert online(3) == online(2)
    assert online(4) == {"e0": "failure", "e1": "failure", "e2": "failure", "late": "success"}
    assert {o for id, o in seen[4].items() if "#" in id} == demos
    table = read_label_table(world[0] / "jobs/live" / LABELS_FILE)
    assert len(table.values) == 14 + 15 + 16 + 10 + 10 + 21


def test_a_learner_that_was_stopped_published_saved_and_catches_up_when_resumed(world):
    assert ending(world, "live", "first.json")["state"] == "cancelled"
    checkpoints = [said["id"] for said in told(world, "live", "checkpoint")]
    assert checkpoints == ["live/000000", "live/000007", "live/000012"]
    result = ending(world, "live")["result"]
    assert result["checkpoint"] == "live/000012"
    # The one that was recorded while the learner was away, and all before it.
    assert result["buffer"]["online_episodes"] == 5
    assert result["buffer"]["offline_episodes"] == 2
    assert [said["label_revision"] for said in told(world, "live", "checkpoint")] == [3, 5, 6]


def test_versions_count_on_and_only_what_the_actor_learned_is_published(world):
    published = told(world, "live", "published")

    # Debug's rounds: two steps of the critic, two of the actor. Due after two steps, but not before
    # the actor has learned; when stopped (at 7) and at the end also sooner.
    found = [(said["version"], said["step"], said["base"][-2:]) for said in published]
    assert found == [
        (1, 3, "00"),
        (2, 5, "00"),
        (3, 7, "00"),
        (4, 9, "07"),
        (5, 11, "07"),
        (6, 12, "07"),
    ]
    newest = ending(world, "live")["result"]["published"]
    assert newest["id"] == "live@000006"
    assert Path(newest["path"]) == weights_folder(world[0] / "checkpoints/live", 6)
    assert published_versions(world[0] / "checkpoints/live") == [2, 3, 4, 5, 6]


def test_each_episode_is_told_once_with_the_seeds_names(world):
    reward = numbers(world, "live", "train/Episodic reward")

    assert reward == [0.0, 1.0, 0.0, 1.0, 0.0], "as graded when they arrived"
    assert numbers(world, "live", "train/Interaction step") == list(np.cumsum([14, 15, 16, 10, 10]))
    assert numbers(world, "live", "train/Episode intervention") == [1.0] * 5
    rates = numbers(world, "live", "train/Intervention rate")
    assert rates == pytest.approx([5 / 14, 5 / 15, 5 / 16, 0.5, 0.5])
    assert numbers(world, "live", "train/replay_buffer_size")[-1] == 65
    assert numbers(world, "live", "train/offline_replay_buffer_size")[-1] == 21


def test_how_the_online_episodes_went_is_told_by_the_labels_in_force(world):
    rates = numbers(world, "live", "train/Success rate")
    low, high = wilson(1, 5)

    assert rates == pytest.approx([1 / 3, 1 / 4, 1 / 5]), "one was relabelled as another arrived"
    assert numbers(world, "live", "train/Success rate low")[-1] == pytest.approx(low)
    assert numbers(world, "live", "train/Success rate high")[-1] == pytest.approx(high)
    assert numbers(world, "live", "train/Time to success [s]")[-1] == pytest.approx(1.0)
    assert numbers(world, "live", "train/Newest version attempts") == [3.0, 4.0, 5.0]


def test_the_oldest_online_frames_leave_the_buffer_and_stay_on_the_disk(world):
    buffer = ending(world, "small")["result"]["buffer"]

    assert (buffer["online_episodes"], buffer["online_steps"]) == (2, 20)
    assert buffer["offline_episodes"] == 2
    assert {p.name for p in (world[0] / "episodes").iterdir()} >= {"e0", "e1", "e2"}


def test_a_learner_waits_for_its_first_episodes_and_says_so(world):
    lines = (world[0] / "jobs/early/metrics.jsonl").read_text().splitlines()

    said = json.loads(lines[-1])["message"]
    assert said == "waiting for online episodes, 6 of 50 are there"
    assert ending(world, "early")["state"] == "cancelled"


def test_a_task_named_at_length_is_left_out_and_stops_nothing(world):
    alarms = [a["text"] for a in told(world, "wordy", "alarm") if a["name"] == "prompt_too_long"]

    assert len(alarms) == 1
    assert "episodes are left out: " in alarms[0]
    assert ending(world, "wordy")["result"]["step"] == 4


def test_a_run_of_another_job_is_left_alone(world):
    assert "run live was made by job live" in ending(world, "again")["message"]
