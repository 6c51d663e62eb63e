"""Real-time schedules for the threads that may not be late, where the system permits them.

A real-time thread runs as soon as it is due, whatever else the machine does. The loop comes first.
The threads that share its interpreter follow: one that waits for a processor while it holds the
interpreter would hold up the loop. Their work is bounded by the cameras' rate. Inference is not,
and stays ordinary.

Only privileged users may ask for this; for others everything works, on time as far as it goes.
"""

import contextlib
import logging
import os
import threading

log = logging.getLogger(__name__)

# Any real-time priority comes before all ordinary threads; among them the higher one goes first.
LOOP_PRIORITY = 10
HELPER_PRIORITY = 5
# For all the other threads of this process, and for those that have time.
PROCESS_NICENESS = -5
PATIENT_NICENESS = 10


def run_on_time(priority: int, *, thread: int | None = None) -> bool:
    """Give a thread a real-time schedule; the threads it starts are ordinary again.

    Args:
        priority: One of the above.
        thread: Its native id; None for the calling one.

    Returns:
        False where the system does not permit it, or the thread has ended.
    """
    # On Linux a schedule belongs to a thread, not to its process.
    thread = threading.get_native_id() if thread is None else thread
    try:
        schedule = os.SCHED_RR | os.SCHED_RESET_ON_FORK
        os.sched_setscheduler(thread, schedule, os.sched_param(priority))
    except (PermissionError, ProcessLookupError, AttributeError):
        return False
    return True


def put_process_before_others() -> None:
    """Let this process, and the threads it starts from here on, run before ordinary ones."""
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, PROCESS_NICENESS)


def give_way() -> None:
    """Let the calling thread run when nothing else of this process wants to."""
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), PATIENT_NICENESS)
