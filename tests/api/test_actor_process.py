"""How the server looks after the actor's process, with real processes that stand for it."""

import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import ExitStack

import psutil
import pytest

from backend.api.actor_process import ActorProcess, Patience

URL = "ws://127.0.0.1:7860"

# Says in actor.json who it is, as the actor does, and ends when told to.
STAND_IN = """
import json, os, pathlib, psutil, signal, sys, threading
folder, url, manner = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3]
if manner == "fails":
    sys.exit(3)
over = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: over.set() if manner != "stubborn" else None)
me = {"pid": os.getpid(), "pid_started_s": psutil.Process().create_time(), "server": url}
aside = folder / "actor.json.new"
aside.write_text(json.dumps(me))
aside.replace(folder / "actor.json")
print("it lives", flush=True)
while not over.wait(0.05):
    pass
(folder / "actor.json").unlink()
(folder / "ended").write_text("gracefully")
"""


class Actor:
    """An `ActorProcess` and what it said."""

    def __init__(self, data_dir, *, manner="obeys", url=URL, stop_s=5.0):
        self.data_dir = data_dir
        self.process = ActorProcess(
            [sys.executable, "-c", STAND_IN, str(data_dir), url, manner],
            data_dir=data_dir,
            server_url=url,
            patience=Patience(first_restart_s=0.05, longest_restart_s=0.2, stop_s=stop_s),
        )
        self.ends = []
        self._news = threading.Condition()

    def start(self):
        self.process.start(changed=self._changed, ended=self._ended)
        return self

    def _changed(self):
        with self._news:
            self._news.notify_all()

    def _ended(self, message):
        with self._news:
            self.ends.append(message)
            self._news.notify_all()

    def wait(self, check):
        with self._news:
            assert self._news.wait_for(check, timeout=10), self.process.status()

    def pid(self):
        """Process id of the stand-in that has said that it lives."""
        path = self.data_dir / "actor.json"
        for _ in range(500):
            try:
                return json.loads(path.read_text())["pid"]
            except FileNotFoundError:
                threading.Event().wait(0.02)
        raise AssertionError("no actor.json")


@pytest.fixture
def make_actor(tmp_path):
    with ExitStack() as started:

        def make(**how):
            actor = Actor(tmp_path, **how)
            started.callback(actor.process.stop)
            return actor

        yield make


def is_alive(pid):
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_it_runs_in_a_session_of_its_own_and_logs_to_a_file(make_actor, tmp_path):
    actor = make_actor().start()
    pid = actor.pid()

    assert os.getsid(pid) == pid
    assert actor.process.status().state == "starting"
    assert actor.process.status().pid == pid
    assert "it lives" in (tmp_path / "actor.log").read_text()


def test_a_clean_stop_ends_it_gracefully(make_actor, tmp_path):
    actor = make_actor().start()
    pid = actor.pid()

    actor.process.stop()
    actor.process.stop()

    assert not is_alive(pid)
    assert (tmp_path / "ended").read_text() == "gracefully"
    assert actor.process.status().state == "stopped"
    assert actor.ends == []


def test_one_that_does_not_obey_is_killed(make_actor, caplog):
    actor = make_actor(manner="stubborn", stop_s=0.2).start()
    pid = actor.pid()

    actor.process.stop()

    assert not is_alive(pid)
    assert "is killed" in caplog.text


def test_one_that_was_killed_is_started_again_and_everyone_hears_why(make_actor):
    actor = make_actor().start()
    first = actor.pid()

    os.kill(first, signal.SIGKILL)

    actor.wait(lambda: actor.ends and actor.process.status().pid not in (None, first))
    assert "SIGKILL" in actor.ends[0]
    assert "actor.log" in actor.ends[0]


def test_one_that_fails_at_once_is_tried_ever_more_seldom(make_actor):
    actor = make_actor(manner="fails").start()

    actor.wait(lambda: len(actor.ends) >= 4)

    assert "exit code 3" in actor.ends[0]
    waits = [end.split("again in ")[1].split(" s")[0] for end in actor.ends[:4]]
    assert waits == ["0.05", "0.1", "0.2", "0.2"]


def test_one_that_outlived_a_server_is_kept(make_actor, tmp_path):
    orphan = subprocess.Popen([sys.executable, "-c", STAND_IN, str(tmp_path), URL, "obeys"])
    actor = make_actor()
    assert actor.pid() == orphan.pid

    actor.start()

    actor.wait(lambda: actor.process.status().pid == orphan.pid)
    actor.process.stop()
    assert orphan.wait(timeout=5) == 0


def test_one_that_calls_another_server_is_replaced(make_actor, tmp_path):
    elsewhere = "ws://127.0.0.1:1"
    orphan = subprocess.Popen([sys.executable, "-c", STAND_IN, str(tmp_path), elsewhere, "obeys"])
    actor = make_actor()
    assert actor.pid() == orphan.pid

    actor.start()

    actor.wait(lambda: actor.process.status().pid not in (None, orphan.pid))
    assert orphan.wait(timeout=5) == 0


@pytest.mark.parametrize(
    "presence",
    [
        "no json",
        '{"pid": 1}',
        json.dumps({"pid": os.getpid(), "pid_started_s": 0.0, "server": URL}),
        json.dumps({"pid": 2**22 + 1, "pid_started_s": 0.0, "server": URL}),
    ],
    ids=["no json", "no server", "another start", "no process"],
)
def test_a_stale_note_names_nobody(make_actor, tmp_path, presence):
    """A process id alone is no proof: this test's own process must survive."""
    (tmp_path / "actor.json").write_text(presence)

    actor = make_actor().start()

    actor.wait(lambda: actor.process.status().pid not in (None, os.getpid()))
    actor.process.stop()
