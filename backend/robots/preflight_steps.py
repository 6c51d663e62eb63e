"""How fast a robot without motors takes its steps: a simulator has to draw within each of them.

Drives the arm, so it is for simulated ones only. A real one is measured by its bus and cameras.
"""

import time
from collections.abc import Callable

import numpy as np

from backend.control import Arm, RobotFaultError
from backend.robots.preflight_finding import Finding, blocking, ok, warning

NUM_STEPS = 25
# The first steps load what later ones have.
NUM_WARM_UP = 5
# A step that takes more of its period leaves too little for recording and policy.
FULL_SHARE = 0.8
FASTER = "lower fps, use fewer cameras, close other programs, or use a machine with a GPU"


def check_steps(
    arm: Arm,
    *,
    keep: Callable[[str, np.ndarray], object] = lambda _camera, _picture: None,
    clock: Callable[[], float] = time.perf_counter,
) -> list[Finding]:
    """Connect, hold still for some steps as fast as it goes, close.

    Args:
        arm: Not connected; closed afterwards.
        keep: Given the last picture of each camera, uint8 [height, width, 3] RGB.
        clock: Monotonic seconds.
    """
    try:
        arm.connect()
        times_s = []
        for _ in range(NUM_WARM_UP + NUM_STEPS):
            began_s = clock()
            seen = arm.observe()
            arm.act(arm.position(seen.state))
            times_s.append(clock() - began_s)
        for name, picture in seen.frames.items():
            keep(name, picture)
    except RobotFaultError as error:
        return [blocking("rate", str(error), "see the message; `./run` sets up what it needs")]
    finally:
        arm.close()
    return [judge_step(*np.percentile(times_s[NUM_WARM_UP:], [50, 95]), fps=arm.fps)]


def judge_step(p50_s: float, p95_s: float, *, fps: float) -> Finding:
    """Compare the time of a step, median and 95th percentile, with its period."""
    period_s = 1 / fps
    text = (
        f"a step takes {p50_s * 1000:.1f} ms, 95 of 100 within {p95_s * 1000:.1f} ms, of the "
        f"{period_s * 1000:.0f} ms that {fps:g} steps a second leave"
    )
    if p50_s > period_s:
        return blocking("rate", text, FASTER)
    if p95_s > FULL_SHARE * period_s:
        return warning("rate", text, FASTER)
    return ok("rate", text)
