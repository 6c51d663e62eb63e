"""A session on emulated hardware with real processes: who is stiff when, and what faults do.

Server and actor are processes of their own and drive six emulated servos on each of two
pseudo-terminals through LeRobot's unmodified drivers; the servos are in processes of their own too.
See `tests/hardware`.
"""

import json
import signal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from backend.domain import Driver
from backend.episodes.store import read_steps
from tests.hardware.arms import JOINTS
from tests.hardware.servo import Alarm
from tests.hardware.videofilecamera import install_plugin
from tests.hardware.workplace import FPS, REST, Workplace

pytestmark = pytest.mark.flow

ALL = set(JOINTS)
NOBODY: set[str] = set()


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """One server and one actor for all: they take long to start."""
    folder = tmp_path_factory.mktemp("workplace")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", install_plugin(folder / "plugins"))
        workplace = Workplace(folder)
        try:
            yield workplace.start()
        finally:
            workplace.close()


@pytest.fixture
def place(running):
    yield running
    running.tidy_up()


def stiff(place) -> tuple[set[str], set[str]]:
    """The follower's and the leader's stiff joints."""
    return place.follower.torque(), place.leader.torque()


def test_who_is_stiff_when_and_where_the_arms_are(place):
    before = place.follower.pose()
    place.press("open")
    assert stiff(place) == (ALL, NOBODY)
    assert list(place.follower.pose().values()) == pytest.approx(list(before.values()), abs=1.5)

    place.press("start", task="Pick up the nut")
    place.wait("the leader to follow", lambda: place.leader.torque() == ALL)
    place.wait("the leader beside the follower", lambda: distance(place) < 2)
    assert stiff(place) == (ALL, ALL)

    place.take_over()
    place.wait("a limp leader", lambda: stiff(place) == (ALL, NOBODY))
    for angle in np.linspace(0, 40, 12):
        place.leader.grip(shoulder_pan=float(angle))
        place.wait_steps(1)
    place.wait("the follower to follow the hand", lambda: abs(joint(place.follower) - 40) < 2)

    place.press("stop")
    place.wait("a stiff leader", lambda: stiff(place) == (ALL, ALL))
    place.leader.let_go()
    place.wait_steps(5)
    assert joint(place.follower) == pytest.approx(40, abs=2)
    place.press("clear")
    place.wait_phase("held")
    place.wait_steps(3)
    assert stiff(place) == (ALL, ALL)

    place.press("start")
    place.wait("a leader that leads again", lambda: stiff(place) == (ALL, NOBODY))
    place.press_until("policy", "intervene")
    place.wait("the hand-back", lambda: stiff(place) == (ALL, ALL))
    assert joint(place.follower) == pytest.approx(40, abs=2)

    episode_id = place.page.tick["episode"]["id"]
    place.press("success")
    place.wait_phase("idle")
    assert list(place.follower.pose().values()) == pytest.approx(list(REST.values()), abs=2.5)
    assert place.follower.torque() == ALL

    place.press("close")
    place.wait("two limp arms", lambda: stiff(place) == (NOBODY, NOBODY))
    episode = place.episode(episode_id)
    assert (episode["outcome"], episode["task"]) == ("success", "Pick up the nut")
    steps = read_steps(place.handrail.data_dir / "episodes" / episode_id)
    pan = steps.action[:, 0]
    # The hand led from zero to 40, and nothing jumped on the way.
    assert pan.max() == pytest.approx(40, abs=2)
    assert np.abs(np.diff(pan)).max() < 12
    assert list(steps.driver).count(Driver.HUMAN) == episode["num_human_steps"] >= 12


def test_pushing_the_leader_takes_over(place):
    place.begin_attempt()
    place.wait("the leader beside the follower", lambda: distance(place) < 2)
    place.wait_steps(FPS)
    place.be_there()

    place.leader.grip(wrist_flex=place.leader.pose()["wrist_flex"] + 30)

    place.wait_phase("human")
    place.wait("a limp leader", lambda: stiff(place) == (ALL, NOBODY))


def test_a_reply_that_is_lost_now_and_then_does_nothing(place):
    place.begin_attempt()

    place.follower.bus.faults.lose(2)
    place.wait_steps(5)
    place.follower.bus.faults.corrupt(2)
    place.wait_steps(5)

    faults = place.follower.bus.faults
    assert (faults.num_lost, faults.num_corrupted) == (2, 2)
    assert place.page.tick["phase"] == "policy", place.story()


def test_an_arm_that_is_silent_for_a_moment_holds_and_the_attempt_goes_on(place):
    episode_id = place.begin_attempt()
    faults = place.follower.bus.faults
    before = faults.num_lost

    faults.lose(40)

    place.wait_held("no status packet", "it keeps its pose and is asked again")
    place.wait("the last lost reply", lambda: faults.num_lost == before + 40)
    assert place.follower.torque() == ALL
    place.wait_steps(3)
    place.press("start")
    place.wait_steps(5)
    assert place.page.tick["phase"] == "policy"
    place.press("success")
    assert place.episode(episode_id)["outcome"] == "success"


FAULTS = {
    "lost replies": (lambda place: place.follower.bus.faults.lose(500), "no status packet", ALL),
    "bad checksums": (
        lambda place: place.follower.bus.faults.corrupt(500),
        "incorrect status packet",
        ALL,
    ),
    "a loose servo": (
        lambda place: place.follower.bus.faults.silence(3),
        "no status packet",
        {"elbow_flex"},
    ),
    "the cable out": (lambda place: place.follower.bus.unplug(), "input/output error", ALL),
    "a camera gone": (lambda place: place.unplug_camera("wrist"), "camera wrist is gone", NOBODY),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_in_mid_attempt_ends_it_and_keeps_it(place, name):
    break_it, said, still_stiff = FAULTS[name]
    episode_id = place.begin_attempt()

    break_it(place)

    # It is held and asked again before it is given up.
    assert said in place.notice("held")["message"].lower()
    lost = place.notice("robot_lost")
    assert lost["level"] == "error"
    assert said in lost["message"].lower()
    assert "check" in lost["message"].lower(), "it says what to do"
    place.wait_phase("closed")
    place.wait("limp joints", lambda: place.follower.torque() <= still_stiff, timeout_s=20)
    place.wait("a limp leader", lambda: place.leader.torque() == NOBODY)
    episode = place.episode(episode_id)
    assert (episode["end_reason"], episode["outcome"]) == ("fault", "none")
    assert episode["num_steps"] >= 5

    place.tidy_up()
    again = place.begin_attempt()
    place.press("failure")
    assert place.episode(again)["outcome"] == "failure"


def test_a_servo_that_shuts_itself_off_in_mid_attempt_holds_it(place):
    episode_id = place.begin_attempt()

    place.follower.raise_alarm("elbow_flex", Alarm.OVERLOAD)

    why = ("elbow_flex has shut itself off (overload)", "switch the arm's power off and on")
    place.wait_held(*why)
    # Nobody can drive on with a limp joint.
    place.page.events.clear()
    assert place.press("start")["phase"] == "policy"
    assert why[0] in place.notice("held")["message"]
    place.press("failure")
    assert place.episode(episode_id)["outcome"] == "failure"
    place.press("close")
    place.follower.bus.power_off()
    place.follower.bus.power_on()


def test_a_robot_that_may_not_move_is_not_opened_and_the_page_says_why(place):
    place.follower.raise_alarm("elbow_flex", Alarm.OVERHEAT)
    place.leader.bus.unplug()

    answer = place.page.command("open")
    assert not answer["accepted"]
    assert f"teleop.port '{place.leader.port}' does not exist" in answer["error"]["message"]
    assert "plug the arm's USB cable in" in answer["error"]["message"]
    place.leader.bus.plug_in()
    answer = place.page.command("open")
    assert not answer["accepted"]
    assert "elbow_flex has shut itself off" in answer["error"]["message"]
    assert "free the joint, let it cool" in answer["error"]["message"]
    assert stiff(place) == (NOBODY, NOBODY)

    place.follower.bus.power_off()
    place.follower.bus.power_on()
    place.press("open")
    assert stiff(place) == (ALL, NOBODY)


def test_a_leader_that_fails_while_it_leads_holds_the_attempt(place):
    episode_id = place.begin_attempt()
    place.take_over()
    place.wait_steps(3)

    place.leader.bus.unplug()

    place.wait_held("leader arm so101_leader failed")
    assert place.follower.torque() == ALL
    pose = joint(place.follower)
    place.wait_steps(5)
    assert joint(place.follower) == pytest.approx(pose, abs=1)

    place.leader.bus.plug_in()
    place.press_until("human", "start")
    place.wait("a limp leader", lambda: stiff(place) == (ALL, NOBODY))
    place.leader.grip(shoulder_pan=pose + 10)
    place.wait("the hand to lead", lambda: joint(place.follower) > pose + 8)
    place.press("abort")
    assert place.episode(episode_id)["end_reason"] == "abort"


def test_a_leader_that_fails_while_it_follows_stops_nothing(place):
    place.begin_attempt()
    place.wait("the leader to follow", lambda: place.leader.torque() == ALL)

    place.leader.bus.faults.silence(2)
    place.wait_steps(8)

    assert place.page.tick["phase"] == "policy"
    place.leader.bus.faults.clear()
    place.take_over()
    place.wait("a leader that leads", lambda: place.leader.torque() == NOBODY)
    place.wait_phase("human")


def test_what_was_recorded_becomes_a_dataset(place):
    episodes = place.handrail.api.get("/api/episodes").json()["items"]
    # One that went well, with a human in it, and one that a fault ended.
    chosen = [
        next(e for e in episodes if e["outcome"] == "success" and e["num_human_steps"]),
        next(episode for episode in episodes if episode["end_reason"] == "fault"),
    ]
    params = {"repo_id": "local/arm", "episodes": [episode["id"] for episode in chosen]}

    job = place.handrail.api.post("/api/jobs", json={"kind": "export", "params": params}).json()

    def find():
        found = place.handrail.api.get(f"/api/jobs/{job['id']}").json()
        return found if found["state"] in ("done", "failed", "cancelled") else None

    done = place.wait("the export", find, timeout_s=180)
    assert done["state"] == "done", place.handrail.api.get(f"/api/jobs/{job['id']}/log").text
    folder = place.handrail.data_dir / "datasets/local/arm"
    info = json.loads((folder / "meta/info.json").read_text())
    assert info["robot_type"] == "so101_follower"
    assert info["total_frames"] == sum(episode["num_steps"] for episode in chosen)
    videos = {name for name, feature in info["features"].items() if feature["dtype"] == "video"}
    assert videos == {"observation.images.overhead", "observation.images.wrist"}
    table = pa.concat_tables(pq.read_table(file) for file in folder.glob("data/**/*.parquet"))
    human = np.array(table["intervention"].to_pylist()).reshape(-1)
    assert human.sum() == sum(episode["num_human_steps"] for episode in chosen) > 0


def test_a_killed_process_leaves_stiff_arms_and_the_next_one_puts_them_right(running):
    # The last test: no actor is left to tidy up.
    place = running
    place.begin_attempt()
    place.wait("the leader to follow", lambda: place.leader.torque() == ALL)

    killed = place.end_actor(signal.SIGKILL)
    assert stiff(place) == (ALL, ALL)

    place.wait_for_actor_after(killed)
    place.page.events.clear()
    place.press("open")
    assert stiff(place) == (ALL, NOBODY)
    caution = place.notice("caution")
    assert "is stiff, a program ended without letting go" in caution["message"]

    place.end_actor(signal.SIGTERM)
    assert stiff(place) == (NOBODY, NOBODY)


def joint(arm) -> float:
    return float(arm.pose()["shoulder_pan"])


def distance(place) -> float:
    """The largest difference between the arms, in degrees or per cent."""
    follower, leader = place.follower.pose(), place.leader.pose()
    return max(abs(follower[name] - leader[name]) for name in JOINTS)
