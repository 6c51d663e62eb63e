"""LeRobot's own command line programs, started elsewhere, with our plug-ins installed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.flows.processes import ROOT
from tests.hardware.videofilecamera import install_plugin

BROWSER_PLUGIN = "lerobot_teleoperator_handrail_browser"
END_S = 10


class LeRobotProgram:
    """One running program; its output goes to `log`.

    Args:
        name: Of the program, `lerobot-record` for instance.
        flags: As on a command line.
        folder: Empty or not there; the program runs in it.
    """

    def __init__(self, name: str, *flags: str, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self.log = folder / "log.txt"
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [str(Path(sys.executable).parent / name), *flags],
                cwd=folder,
                env={
                    **os.environ,
                    "PYTHONPATH": _installed(folder),
                    "PYTHONFAULTHANDLER": "1",
                },
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # Tests started in the background ignore it, and so would the program.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )

    def interrupt(self) -> None:
        """Ctrl-C."""
        self._process.send_signal(signal.SIGINT)

    def wait(self, *, timeout_s: float) -> int:
        """Wait for its end; return its exit status. Where it does not end, say where it stands."""
        try:
            return self._process.wait(timeout=timeout_s)
        except subprocess.TimeoutExpired as error:
            # The fault handler writes every thread's stack into the log.
            self._process.send_signal(signal.SIGABRT)
            self._process.wait(timeout=END_S)
            raise AssertionError(f"{error}\n{self.log.read_text()}") from error

    def close(self) -> None:
        """Kill it where it still runs."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait(timeout=END_S)


def _installed(folder: Path) -> str:
    """A search path on which the plug-ins are installed, whether .venv has them or not."""
    metadata = folder / "installed" / f"{BROWSER_PLUGIN}-0.1.0.dist-info" / "METADATA"
    metadata.parent.mkdir(parents=True)
    metadata.write_text(f"Metadata-Version: 2.1\nName: {BROWSER_PLUGIN}\nVersion: 0.1.0\n")
    source = ROOT / "plugins" / BROWSER_PLUGIN
    ours = install_plugin(folder / "plugins")
    return os.pathsep.join([str(source), str(metadata.parents[1]), ours])
