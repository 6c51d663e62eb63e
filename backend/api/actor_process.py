"""Starts the actor, watches it, starts it again when it dies, and finds one that outlived a server.

The actor leads a session of its own, so neither a terminal's Ctrl-C nor the death of this server
ends it: an attempt under way goes on being recorded. Its `actor.json` (process id and start time,
which together name a process for good) tells the next server that it is there. A clean stop of the
server ends it gracefully, which closes the robot.

Runs in one thread and says what changed through callbacks; it knows no socket.
"""

import json
import logging
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import psutil

from backend.api.messages import ActorStatus

log = logging.getLogger(__name__)

PRESENCE_FILE = "actor.json"
LOG_FILE = "actor.log"
MAX_LOG_BYTES = 10 * 1024 * 1024
REPOSITORY = Path(__file__).parents[2]
LOOK_INTERVAL_S = 0.25
STARTING = "The robot's process starts; loading its drivers takes up to 20 s the first time."
# The start of a process is known to the clock tick; a second tells two processes apart.
START_TOLERANCE_S = 1.0


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long to wait for what, seconds."""

    first_restart_s: float = 1.0
    longest_restart_s: float = 30.0
    # An actor that lived this long was well: its next restart is a first one again.
    well_after_s: float = 60.0
    # For a graceful end: it finishes the episode and brings the robot to rest.
    stop_s: float = 12.0


class _Running:
    """One living actor: started here, or by a server that is gone."""

    def __init__(self, process: psutil.Process, child: subprocess.Popen[bytes] | None) -> None:
        self.pid = process.pid
        self._process = process
        self._child = child

    def is_alive(self) -> bool:
        if self._child is not None:
            return self._child.poll() is None
        try:
            return self._process.is_running() and bool(
                self._process.status() != psutil.STATUS_ZOMBIE
            )
        except psutil.NoSuchProcess:
            return False

    def describe_end(self) -> str:
        if self._child is None or self._child.returncode is None:
            return "ended"
        code = self._child.returncode
        if code < 0:
            return f"was ended by {signal.Signals(-code).name}"
        return f"ended with exit code {code}"

    def stop(self, *, patience_s: float) -> None:
        """End it gracefully, or by force when it does not end in time."""
        self._signal(signal.SIGTERM)
        deadline_s = time.monotonic() + patience_s
        while self.is_alive() and time.monotonic() < deadline_s:
            time.sleep(0.02)
        if self.is_alive():
            log.error("actor %d did not end within %g s and is killed", self.pid, patience_s)
            self._signal(signal.SIGKILL)
            if self._child is not None:
                self._child.wait()

    def _signal(self, number: signal.Signals) -> None:
        if self.is_alive():
            try:
                self._process.send_signal(number)
            except psutil.NoSuchProcess:
                log.debug("actor %d ended by itself", self.pid)


class ActorProcess:
    """The actor of one data directory. `start` once; `stop` may be repeated."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        data_dir: Path,
        server_url: str,
        patience: Patience | None = None,
    ) -> None:
        """Args:
        command: What to run; it writes `actor.json` into `data_dir`.
        server_url: Where the actor connects to; one that connects elsewhere is replaced.
        """
        self._command = list(command)
        self._data_dir = data_dir
        self._server_url = server_url
        self._patience = patience or Patience()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._status = ActorStatus(state="stopped", message="The actor was not started yet.")

    def start(self, *, changed: Callable[[], object], ended: Callable[[str], object]) -> None:
        """Start or find the actor, and watch it.

        Args:
            changed: Called, from the watching thread, when `status` is different.
            ended: Called likewise with a sentence when the actor ended without being asked to.
        """
        self._thread = threading.Thread(
            target=self._watch, args=(changed, ended), name="actor watch", daemon=True
        )
        self._thread.start()

    def status(self) -> ActorStatus:
        """State of the process; `starting` until it calls, which others know."""
        return self._status

    def stop(self) -> None:
        """End the actor gracefully and stop watching."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def _watch(self, changed: Callable[[], object], ended: Callable[[str], object]) -> None:
        def set_status(status: ActorStatus) -> None:
            self._status = status
            changed()

        wait_s = self._patience.first_restart_s
        while not self._stopping.is_set():
            began_s = time.monotonic()
            try:
                running = self._adopt() or self._spawn()
            except OSError as error:
                log.exception("the actor could not be started")
                end = f"could not be started ({error})"
            else:
                set_status(ActorStatus(state="starting", pid=running.pid, message=STARTING))
                while running.is_alive():
                    if self._stopping.wait(LOOK_INTERVAL_S):
                        running.stop(patience_s=self._patience.stop_s)
                        set_status(ActorStatus(state="stopped", message="The server stops."))
                        return
                end = running.describe_end()
            if time.monotonic() - began_s >= self._patience.well_after_s:
                wait_s = self._patience.first_restart_s
            message = (
                f"The robot's process {end}; it starts again in {wait_s:g} s. "
                f"{self._data_dir / LOG_FILE} says why."
            )
            set_status(ActorStatus(state="stopped", message=message))
            log.error(message)
            ended(message)
            self._stopping.wait(wait_s)
            wait_s = min(wait_s * 2, self._patience.longest_restart_s)

    def _adopt(self) -> _Running | None:
        """The living actor that `actor.json` names, unless it calls another server."""
        try:
            presence = json.loads((self._data_dir / PRESENCE_FILE).read_text())
            process = psutil.Process(presence["pid"])
            same = abs(process.create_time() - presence["pid_started_s"]) <= START_TOLERANCE_S
        except (OSError, ValueError, KeyError, TypeError, psutil.NoSuchProcess):
            return None
        running = _Running(process, None)
        if not same or not running.is_alive():
            return None
        if presence.get("server") != self._server_url:
            log.warning("actor %d calls %s; ending it", running.pid, presence.get("server"))
            running.stop(patience_s=self._patience.stop_s)
            return None
        log.info("actor %d outlived a server and is kept", running.pid)
        return running

    def _spawn(self) -> _Running:
        with self._open_log() as output:
            child = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=REPOSITORY,
                start_new_session=True,
            )
        log.info("actor %d started", child.pid)
        return _Running(psutil.Process(child.pid), child)

    def _open_log(self) -> BinaryIO:
        path = self._data_dir / LOG_FILE
        if path.exists() and path.stat().st_size > MAX_LOG_BYTES:
            path.replace(path.with_suffix(".log.old"))
        return path.open("ab")
