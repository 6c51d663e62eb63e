"""`python -m tests.hardware.line_process`: one emulated arm in a process of its own.

Servos answer in milliseconds whatever the test's process is busy with, so those that real programs
talk to do not share an interpreter with the test. `distant_arm.DistantArm` starts this and is the
other end of its pipe: JSON objects, one a line. The first names the arm, each further one is a call
of something that `arms.EmulatedArm` has, by its dotted name, and is answered. It ends when its
standard input does. Needs neither LeRobot nor torch, so it is there in a tenth of a second.
"""

import json
import sys
from operator import attrgetter
from pathlib import Path
from typing import Any

from tests.hardware.arms import EmulatedArm
from tests.hardware.bus import SERVO_PRIORITY, run_on_time


def main() -> None:
    # Whoever arranges a fault holds the interpreter for a moment, and must not be put off then.
    run_on_time(SERVO_PRIORITY)
    wishes = json.loads(sys.stdin.readline())
    arm = EmulatedArm(Path(wishes.pop("folder")), **wishes)
    try:
        _say({"result": None})
        for line in sys.stdin:
            _say(_answer(arm, json.loads(line)))
    finally:
        arm.close()


def _answer(arm: EmulatedArm, call: dict[str, Any]) -> dict[str, Any]:
    try:
        found = attrgetter(call["name"])(arm)
        result = found(*call["args"], **call["kwargs"]) if callable(found) else found
    except Exception as error:
        # Raised again by whoever called.
        return {"error": f"{type(error).__name__}: {error}"}
    return {"result": sorted(result) if isinstance(result, set) else result}


def _say(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
