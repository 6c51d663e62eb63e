"""A job for tests: does what its params say, in a real child process."""

import sys
import time

from backend.jobs.child import JobChild, JobFailedError, run_child


def work(child: JobChild) -> dict:
    child.report(0.25, "working")
    child.measure(1, {"loss": 0.5, "lr": 0.1})
    (child.folder / "began").touch()
    if child.params.get("fail"):
        raise JobFailedError(child.params["fail"])
    if child.params.get("crash"):
        raise ZeroDivisionError("cannot divide")
    deadline = time.monotonic() + child.params.get("work_s", 0)
    try:
        while time.monotonic() < deadline:
            time.sleep(0.01)
    except BaseException:
        while child.params.get("stubborn"):
            time.sleep(0.01)
        raise
    sys.stdout.write("all done\n")
    return {"answer": 42}


if __name__ == "__main__":
    sys.exit(run_child(work))
