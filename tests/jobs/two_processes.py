"""Everything that is tested of several processes, in one launch, because importing takes longest.

python -m accelerate.commands.launch … -m tests.jobs.two_processes OUT --data-dir DIR --job-id ID
"""

import runpy
import sys
from pathlib import Path

from backend.jobs.ranks import Ranks
from tests.jobs.half_batch import leave_gradients
from tests.jobs.two_ranks import train_together

if __name__ == "__main__":
    out = Path(sys.argv.pop(1))
    ranks = Ranks("cpu")
    leave_gradients(ranks, out)
    train_together(ranks, out)
    # The job itself, as its runner starts it; it meets the same processes, and parts from them.
    runpy.run_module("backend.jobs.train", run_name="__main__")
