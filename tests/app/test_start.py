"""Starting Handrail: flags, ports, and what may not be loaded."""

import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import psutil
import pytest

from app.__main__ import main
from app.main import Handrail
from backend.settings import Settings


def test_an_unknown_flag_is_refused_with_the_nearest_right_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--prot", "8000"]) == 2
    assert "--port" in capsys.readouterr().err


def test_a_taken_port_is_refused_with_the_remedy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        assert main(["--port", str(port), "--data-dir", str(tmp_path), "--no-actor"]) == 1
    error = capsys.readouterr().err
    assert f"127.0.0.1:{port}" in error
    assert "--port" in error


def test_setup_only_makes_the_database_and_starts_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--setup-only", "--data-dir", str(tmp_path / "data")]) == 0
    assert (tmp_path / "data" / "handrail.db").is_file()
    assert "up to date" in capsys.readouterr().out


def test_the_server_process_loads_neither_torch_nor_lerobot() -> None:
    code = (
        "import sys, app.main\n"
        "print([m for m in ('torch', 'lerobot', 'wandb', 'mujoco') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True
    )

    assert done.stdout.strip() == "[]"


def is_sent_at_once(fd: int) -> bool:
    with socket.socket(fileno=os.dup(fd)) as connection:
        return connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0


def test_pages_static_files_and_api_are_served_together_and_closed_twice(tmp_path: Path) -> None:
    ready = threading.Event()
    handrail = Handrail(Settings(data_dir=tmp_path / "data", port=0, actor=False), ready=ready.set)
    thread = threading.Thread(target=handrail.serve)
    thread.start()
    try:
        assert ready.wait(60), "the server did not start"
        with httpx.Client(base_url=handrail.url, timeout=30) as client:
            for path in ("/", "/data", "/setup"):
                page = client.get(path)
                assert page.status_code == 200
                assert "/handrail-static/handrail.css" in page.text
            script = client.get("/handrail-static/live/page.js")
            assert script.headers["cache-control"] == "no-cache"
            assert "javascript" in script.headers["content-type"]
            assert client.get("/api/session").json()["phase"] == "closed"
            accepted = [
                connection.fd
                for connection in psutil.Process().net_connections("tcp4")
                if connection.laddr.port == client.base_url.port and connection.raddr
            ]
            # Or every answer in two writes would wait 40 ms for an acknowledgement.
            assert [is_sent_at_once(fd) for fd in accepted] == [True]
    finally:
        handrail.stop()
        thread.join(timeout=30)
    assert not thread.is_alive()
    handrail.close()
