"""A process that makes a leader arm stiff and then dies by itself or is killed."""

import json
import os
import signal
import sys
from pathlib import Path

import numpy as np
from lerobot.teleoperators.so_leader import SO101Leader, SO101LeaderConfig

from backend.robots.leader import LeaderInput


def main() -> None:
    fields = json.loads(sys.argv[1])
    fields["calibration_dir"] = Path(fields["calibration_dir"])
    teleop = SO101Leader(SO101LeaderConfig(**fields))
    leader = LeaderInput(
        teleop,
        name="so101_leader",
        action_names=tuple(teleop.action_features),
        position=lambda state: state,
    )
    leader.connect()
    leader.follow(np.zeros(6, dtype=np.float32), 0.03)
    if sys.argv[2] == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    raise SystemError("the process crashed")


if __name__ == "__main__":
    main()
