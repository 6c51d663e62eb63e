"""Starts Handrail as its users do, as processes of its own, and ends exactly those."""

import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import psutil

ROOT = Path(__file__).parents[2]


# Below the ports that systems give to outgoing connections: nobody is given one of these between
# two starts of a server.
PORTS = range(20_000, 32_000)


def free_port() -> int:
    """A port to listen on, now and again later."""
    for port in random.SystemRandom().sample(PORTS, 100):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError(f"no port of {PORTS} is free")


def wait_for[T](
    what: str, check: Callable[[], T], *, timeout_s: float = 120.0, tell: Callable[[], str] = str
) -> T:
    """Poll `check` until it returns something true.

    Args:
        what: Said when it does not.
        check: Raises what is no use waiting for.
        timeout_s: How long.
        tell: What else to say then, such as the end of a log.
    """
    deadline_s = time.monotonic() + timeout_s
    last: object = None
    while time.monotonic() < deadline_s:
        last = check()
        if last:
            return last  # type: ignore[return-value]
        time.sleep(0.05)
    raise AssertionError(f"waited {timeout_s} s for {what}; last saw {last!r}\n{tell()}")


def end_of(log: Path, *, lines: int = 40) -> str:
    """The last lines of a process's log, under its name."""
    text = log.read_text(errors="replace") if log.exists() else "there is none"
    return "\n".join([f"--- {log}", *text.splitlines()[-lines:]])


class HandrailProcess:
    """`python -m app` on a free port with a data directory of its own."""

    def __init__(
        self,
        data_dir: Path,
        *flags: str,
        robot: str = "so101_sim_touch",
        host: str = "127.0.0.1",
        token: str = "",
    ) -> None:
        """`host`, `token`: as `flags` say, for the calls of this test."""
        self.data_dir = data_dir
        self.port = free_port()
        self.url = f"http://{host}:{self.port}"
        self.flags = ["--port", str(self.port), "--data-dir", str(data_dir), "--robot", robot]
        self.flags += ["--no-sandbox", *flags]
        self.process: subprocess.Popen[bytes] | None = None
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.api = httpx.Client(base_url=self.url, timeout=30, headers=headers)

    def start(self) -> "HandrailProcess":
        self.data_dir.mkdir(parents=True, exist_ok=True)
        with (self.data_dir / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "app", *self.flags],
                cwd=ROOT,
                stdout=log,
                stderr=log,
                env={**os.environ, "MUJOCO_GL": os.environ.get("MUJOCO_GL", "egl")},
            )
        wait_for("the server's health", self._lives_and_is_healthy, timeout_s=180, tell=self.logs)
        return self

    def logs(self) -> str:
        """How the logs of server and actor end."""
        return f"{end_of(self.data_dir / 'server.log')}\n{end_of(self.data_dir / 'actor.log')}"

    def _lives_and_is_healthy(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"the server has ended\n{self.logs()}"
        return self.healthy()

    def healthy(self) -> bool:
        try:
            return self.api.get("/api/health").status_code == 200
        except httpx.TransportError:
            return False

    def session(self) -> dict[str, Any]:
        return self.api.get("/api/session").raise_for_status().json()

    def command(self, command: str, command_id: str, **params: Any) -> httpx.Response:
        body = {"command": command, "command_id": command_id, "params": params}
        return self.api.post("/api/session/command", json=body)

    def wait_phase(self, *phases: str, timeout_s: float = 120.0) -> dict[str, Any]:
        def check() -> dict[str, Any] | None:
            now = self.session()
            return now if now["phase"] in phases else None

        return wait_for(f"phase {' or '.join(phases)}", check, timeout_s=timeout_s, tell=self.logs)

    def wait_actor(self) -> int:
        return wait_for("the actor to connect", self.connected_actor, timeout_s=240, tell=self.logs)

    def connected_actor(self) -> int | None:
        """Process id of the actor that is connected, if one is."""
        status = self.session()["actor"]
        return status["pid"] if status["state"] == "connected" else None

    def actor_pid(self) -> int | None:
        try:
            return int(json.loads((self.data_dir / "actor.json").read_text())["pid"])
        except (OSError, ValueError, KeyError):
            return None

    def kill_server(self) -> None:
        """SIGKILL, as a power cut would."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(timeout=10)

    def kill_actor(self) -> None:
        pid = self.actor_pid()
        assert pid is not None, "no actor to kill"
        actor = psutil.Process(pid)
        actor.kill()
        # The actor is the server's child: gone, or a zombie until its parent looks.
        wait_for("the actor to die", lambda: not is_running(pid), timeout_s=10)

    def close(self) -> None:
        actor = self.actor_pid()
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(timeout=10)
        if actor is not None and is_running(actor):
            psutil.Process(actor).kill()
        self.api.close()


def is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
