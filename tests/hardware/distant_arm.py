"""An emulated arm for tests that start real programs: its servos are in a process of their own.

It has what `arms.EmulatedArm` has, except the single servos and a clock: time is the real one.
"""

import contextlib
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.flows.processes import ROOT
from tests.hardware.servo import Alarm

END_S = 10


class DistantArmError(Exception):
    """The arm's process refused a call; says what it said."""


class Line:
    """The pipe to an arm's process."""

    def __init__(self, **wishes: Any) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.hardware.line_process"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._exchange(wishes)

    def call(self, name: str, *args: Any, **kwargs: Any) -> Any:
        """Call `name` of the emulated arm, or ask what it is; return the answer."""
        return self._exchange({"name": name, "args": args, "kwargs": kwargs})

    def close(self) -> None:
        """End the process; harmless when repeated."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        # It may have died by itself.
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(timeout=END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(timeout=END_S)
        self._process.stdout.close()

    def _exchange(self, message: dict[str, Any]) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(message) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline() or '{"error": "its process is gone"}')
        if "error" in answer:
            raise DistantArmError(f"{message}: {answer['error']}")
        return answer["result"]


class DistantFaults:
    """`faults.Faults` of a distant bus."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def lose(self, count: int) -> None:
        self._line.call("bus.faults.lose", count)

    def corrupt(self, count: int) -> None:
        self._line.call("bus.faults.corrupt", count)

    def silence(self, servo_id: int) -> None:
        self._line.call("bus.faults.silence", servo_id)

    def clear(self) -> None:
        self._line.call("bus.faults.clear")

    @property
    def num_lost(self) -> int:
        return int(self._line.call("bus.faults.num_lost"))

    @property
    def num_corrupted(self) -> int:
        return int(self._line.call("bus.faults.num_corrupted"))


class DistantBus:
    """`bus.ServoBus` of a distant arm."""

    def __init__(self, line: Line) -> None:
        self.faults = DistantFaults(line)
        self._line = line

    def plug_in(self) -> None:
        self._line.call("bus.plug_in")

    def unplug(self) -> None:
        self._line.call("bus.unplug")

    def power_off(self) -> None:
        self._line.call("bus.power_off")

    def power_on(self) -> None:
        self._line.call("bus.power_on")


class DistantArm:
    """`arms.EmulatedArm` in a process of its own, plugged in when made.

    Args:
        folder: A folder of the test's: the port and the calibration lie in it.
        name: Id of the robot or teleoperator; the port's name too.
        pose: Where the joints are at first; the middle for those left out.
    """

    def __init__(
        self, folder: Path, *, name: str = "follower", pose: Mapping[str, float] | None = None
    ) -> None:
        self.name = name
        self.port = folder / name
        self._line = Line(folder=str(folder), name=name, pose=pose)
        self.bus = DistantBus(self._line)

    def lerobot_fields(self) -> dict[str, Any]:
        """The keys of a robot config's `robot` or `teleop` that lead to this arm."""
        return dict(self._line.call("lerobot_fields"))

    def pose(self) -> dict[str, float]:
        """Where the joints are now."""
        return dict(self._line.call("pose"))

    def goal(self) -> dict[str, float]:
        """Where the joints were told to go."""
        return dict(self._line.call("goal"))

    def torque(self) -> set[str]:
        """The joints whose torque is on."""
        return set(self._line.call("torque"))

    def grip(self, **pose: float) -> None:
        """A hand takes joints to positions and keeps them there, torque or not."""
        self._line.call("grip", **pose)

    def let_go(self) -> None:
        """No hand touches the arm any more."""
        self._line.call("let_go")

    def feel(self, joint: str, **registers: int) -> None:
        """A servo reports this of itself from now on, its temperature for instance."""
        self._line.call("feel", joint, **registers)

    def raise_alarm(self, joint: str, alarm: Alarm) -> None:
        """A servo protects itself."""
        self._line.call("raise_alarm", joint, int(alarm))

    def close(self) -> None:
        """Take the arm away; harmless when repeated."""
        self._line.close()
